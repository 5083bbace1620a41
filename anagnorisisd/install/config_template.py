"""The initial configuration file: every key, commented out."""

import re

HEADER = """\
# Anagnorisis for MPD: every key with its default. To change a key, remove the # in front of it,
# check the file with `anagnorisisd check-config`, and reload or restart the service. An empty value
# selects the default described beside the key.
"""
KEY = re.compile(r"( *)(\w+:.*)")


def commented(text: str) -> str:
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
