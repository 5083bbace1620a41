"""The music directory that an `mpd.conf` names, for an MPD that does not tell its own.

MPD tells its music directory to clients on a local socket only. Debian's listens on a port of
localhost, so its configuration file is read instead, in the places where MPD looks for one.
"""

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

import platformdirs

SYSTEM_FILE = Path("/etc/mpd.conf")


def music_directories(variables: Mapping[str, str], system: Path = SYSTEM_FILE) -> Iterator[Path]:
    """Yield the local music directories of the `mpd.conf` files that can be read, MPD's order."""
    home = Path(variables.get("HOME") or Path.home())
    settings = Path(variables.get("XDG_CONFIG_HOME") or home / ".config")
    for path in (settings / "mpd" / "mpd.conf", home / ".mpdconf", home / ".mpd/mpd.conf", system):
        try:
            text = path.read_text("utf-8", errors="surrogateescape")
        except OSError:
            continue
        value = music_directory(text)
        directory = _absolute(value, home) if value else None
        if directory:
            yield directory


def music_directory(text: str) -> str | None:
    """Return the value of `music_directory` in the text of an `mpd.conf`, if it has one."""
    for line in text.splitlines():
        if not line.lstrip().startswith("music_directory"):
            continue
        try:
            words = shlex.split(line, comments=True)
        except ValueError:  # an open quote, which MPD refuses too
            return None
        if len(words) == 2 and words[0] == "music_directory":
            return words[1]
    return None


def _absolute(value: str, home: Path) -> Path | None:
    """Return the folder that a value means; `None` for a share such as `nfs://host/music`."""
    variables = {"~": home, "$HOME": home, "$XDG_MUSIC_DIR": platformdirs.user_music_path()}
    for name, folder in variables.items():
        if value == name or value.startswith(f"{name}/"):
            return folder / value[len(name) + 1 :]
    return Path(value) if value.startswith("/") else None
