"""Files installed with the Python packages: programs, units, man page, completions, config.yaml."""

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from anagnorisisd.errors import InstallationFailed

DISTRIBUTIONS = ("anagnorisis", "anagnorisisd")
PLACED = ("bin", "share/man", "share/bash-completion", "share/zsh", "share/fish")
"""Directories whose files `install` links into the prefix, besides the unit."""

CONFIG = Path("share/anagnorisis/config.yaml")
DROP_INS = Path("share/anagnorisis/systemd")
HEADER = """\
# Anagnorisis for MPD: every key with its default. To change a key, remove the # in front of it,
# check the file with `anagnorisisd check-config`, and reload or restart the service. An empty value
# selects the default described beside the key.
"""
KEY = re.compile(r"( *)(\w+:.*)")


def prefix() -> Path:
    """Return the environment of this program, usually a virtual environment."""
    return Path(sys.prefix)


def for_prefix(units: Path) -> list[Path]:
    """Return the files to install into another prefix, relative to it.

    Raises:
        InstallationFailed: this program was not installed as a package.
    """
    wanted = (*map(Path, PLACED), units)
    found = [path for path in _beside_the_packages() if any(map(path.is_relative_to, wanted))]
    if not found:
        raise InstallationFailed(
            f"{prefix()} has no programs of anagnorisisd; install it with pip or `make setup`"
        )
    return found


def drop_ins() -> list[Path]:
    """Return the unit drop-ins for this systemd; a name begins with the minimum version."""
    version = systemd_version()
    there = sorted((prefix() / DROP_INS).glob("*.conf"))
    return [path for path in there if int(path.name.partition("-")[0]) <= version]


def systemd_version() -> int:
    """Return the version of systemd; 0 without systemd."""
    try:
        done = subprocess.run(
            ["systemctl", "--version"], capture_output=True, text=True, check=False
        )
    except OSError:
        return 0
    found = re.match(r"systemd (\d+)", done.stdout)
    return int(found[1]) if found else 0


def _beside_the_packages() -> list[Path]:
    root = prefix().resolve()
    found = set()
    for name in DISTRIBUTIONS:
        for file in metadata.distribution(name).files or ():
            path = Path(str(file.locate())).resolve()
            if ".." in file.parts and path.is_relative_to(root):
                found.add(path.relative_to(root))
    return sorted(found)


def config_template(text: str) -> str:
    """Return `text`, the project's `config.yaml`, with all keys commented out and a new header.

    A file that sets no key keeps up with defaults that change in later versions.
    """
    _, body = text.split("\n\n", 1)
    lines = body.splitlines()
    return "\n".join([HEADER, *map(_unset, lines, _followers(lines))]) + "\n"


def _unset(line: str, following: str) -> str:
    """Comment out a key, unless it is a section: followed by a more deeply indented key."""
    key = KEY.fullmatch(line)
    if key is None or _depth(following) > _depth(line):
        return line
    return f"{key[1]}#{key[2]}"


def _followers(lines: list[str]) -> list[str]:
    """Return for each line the next one that is a key."""
    found, last = [], ""
    for line in reversed(lines):
        found.append(last)
        if KEY.fullmatch(line):
            last = line
    return found[::-1]


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())
