"""An open file for a library that reads foreign formats: it allows only so much work.

Whatever loop a damaged file leads such a library into, the loop reads or seeks, and so it ends.
"""

import os
from typing import BinaryIO

from anagnorisisd.errors import MediaError

MOST_OPERATIONS = 500_000
"""Reads and seeks, each of some microseconds with what a library does in between. Tags take tens;
an mp4 of ten thousand fragments, the most laborious file that we know, takes 400,000."""

MOST_BYTES = 128 << 20
"""All tags of a file, covers included, and whatever else tells its duration."""


class BoundedFile:
    """Reads from `file` until the work is as much as no file is worth.

    It has no more than what mutagen needs of a file that it does not write.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._operations = 0
        self._bytes = 0
        self._size = file.seek(0, os.SEEK_END)
        file.seek(0)
        # Where the bytes leave it open which format a file is, mutagen goes by its ending.
        name = getattr(file, "name", "")
        self.name = os.fspath(name) if isinstance(name, str | os.PathLike) else ""

    def read(self, size: int | None = -1) -> bytes:
        """Return up to `size` bytes, all that are left by default.

        Raises:
            MediaError: that is too much work.
        """
        self._count()
        # Asked for more than there is, a buffered file would first make room for all of it.
        left = max(0, self._size - self._file.tell())
        wanted = left if size is None or size < 0 else min(size, left)
        self._bytes += wanted
        if self._bytes > MOST_BYTES:
            raise MediaError(f"its tags have more than {MOST_BYTES >> 20} MiB")
        return self._file.read(wanted)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move as `file` would.

        Raises:
            OSError: there is no such place.
            MediaError: that is too much work.
        """
        self._count()
        try:
            return self._file.seek(offset, whence)
        except (OverflowError, ValueError) as error:
            raise OSError(str(error)) from error

    def tell(self) -> int:
        """Return the position."""
        return self._file.tell()

    def _count(self) -> None:
        self._operations += 1
        if self._operations > MOST_OPERATIONS:
            raise MediaError("its tags are too laborious to read")
