"""`.mpdignore` files: what MPD leaves out of its database.

Rules as in MPD 0.23 and 0.24:

| line of the file                | meaning                                                  |
|---------------------------------|----------------------------------------------------------|
| a glob                          | ignore files and directories of this name, here or below |
| a glob with a slash             | ignores nothing: names are compared, not paths           |
| one that starts with `#`, empty | a comment                                                |

White space around a line is removed. A subdirectory cannot include again what a parent ignores.
"""

import ctypes
import os
from collections import Counter
from dataclasses import dataclass, field

from anagnorisisd.library.file_access import open_regular

FILE_NAME = b".mpdignore"

MAX_BYTES = 1 << 18
"""More of a file is not read."""

_fnmatch = ctypes.CDLL(None).fnmatch
"""The C library's, as MPD uses it: Python's knows no escapes and no classes like `[[:digit:]]`."""
_fnmatch.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int)
_fnmatch.restype = ctypes.c_int


@dataclass(frozen=True, slots=True)
class IgnoreRules:
    """The globs of one `.mpdignore` file at `path`, and the rules of the directories above."""

    path: bytes = b""
    globs: tuple[bytes, ...] = ()
    above: "IgnoreRules | None" = None

    def file_that_ignores(self, name: bytes) -> bytes | None:
        """Return the path of the `.mpdignore` file that ignores `name`; `None` if none does."""
        if any(_fnmatch(glob, name, 0) == 0 for glob in self.globs):
            return self.path
        return None if self.above is None else self.above.file_that_ignores(name)


def parse(data: bytes) -> tuple[bytes, ...]:
    """Return the globs of a `.mpdignore` file."""
    lines = (line.strip() for line in data.split(b"\n"))
    return tuple(line for line in lines if line and not line.startswith(b"#") and b"\0" not in line)


def read(root: bytes, directory: bytes, above: IgnoreRules | None) -> IgnoreRules | None:
    """Return the rules for a directory; `above` if it has no `.mpdignore` file.

    `directory` is relative to `root`, and empty or ends with a slash.

    Raises:
        MediaError: the file is not a regular file.
        OSError: the file cannot be read.
    """
    path = directory + FILE_NAME
    try:
        with open_regular(os.fsdecode(b"%b/%b" % (root, path))) as file:
            globs = parse(file.read(MAX_BYTES))
    except FileNotFoundError:
        return above
    return IgnoreRules(path, globs, above) if globs else above


@dataclass(slots=True)
class IgnoredCounts:
    """How many music files and directories each `.mpdignore` file hides."""

    files: Counter[bytes] = field(default_factory=Counter)
    directories: Counter[bytes] = field(default_factory=Counter)

    def add(self, path: bytes, entry: "os.DirEntry[bytes]", *, is_music: bool) -> None:
        """Count an entry that the `.mpdignore` file at `path` hides."""
        if entry.is_dir(follow_symlinks=False):
            self.directories[path] += 1
        elif is_music:
            self.files[path] += 1

    def problems(self) -> dict[bytes, str]:
        """Return a message for each `.mpdignore` file that hides something."""
        return {
            path: f"MPD ignores what it names: {self._hidden(path)}"
            for path in self.files | self.directories
        }

    def _hidden(self, path: bytes) -> str:
        counts = ((self.files[path], "file", "files"),
                  (self.directories[path], "directory", "directories"))  # fmt: skip
        return " and ".join(f"{n} {one if n == 1 else many}" for n, one, many in counts if n)
