"""Limits on reading one file: CPU time, elapsed time, and the work of a tag parser.

A damaged or hostile file can keep a parser busy forever. CPU time limits a parser that runs;
elapsed time limits a disk that does not respond; `BoundedFile` limits a parser that loops, since
every such loop reads or seeks.
"""

import os
from typing import BinaryIO

from anagnorisisd.errors import MediaError

HASH_SECONDS = 10.0
"""CPU time to hash the audio of any file; most take a few milliseconds."""

HASH_BYTES_PER_SECOND = 50 << 20
"""Large files get more time to be hashed: one second for so many bytes. A slow machine hashes ten
times as many."""

TAG_SECONDS = 5.0
"""CPU time to read the tags of a file; most take a few milliseconds."""

DURATION_SECONDS = 5.0
"""CPU time to count the audio in a file; an mp3 of an hour takes some 100 milliseconds."""

BATCH_TIMEOUT_SECONDS = 600.0
"""Elapsed time to read a batch of files; after that, each of them is read alone."""

FILE_TIMEOUT_SECONDS = 600.0
"""Elapsed time to read one file alone. A busy machine and a slow network share need a lot."""

MAX_TAG_OPERATIONS = 500_000
"""Reads and seeks, each of a few microseconds, to read the tags of a file. Tags take tens; an MP4
of ten thousand fragments, the largest number known in practice, takes 400,000."""

MAX_TAG_BYTES = 128 << 20
"""Bytes that are read for the tags of a file, including covers, and for its duration."""


class BoundedFile:
    """A read-only file that raises `MediaError` when too much was read from it.

    It has only the methods that mutagen needs to read tags.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._operations = 0
        self._bytes = 0
        self._size = file.seek(0, os.SEEK_END)
        file.seek(0)
        # mutagen uses the extension where the content fits several formats.
        name = getattr(file, "name", "")
        self.name = os.fspath(name) if isinstance(name, str | os.PathLike) else ""

    def read(self, size: int | None = -1) -> bytes:
        """Return up to `size` bytes; by default, all that are left.

        Raises:
            MediaError: a limit is exceeded.
        """
        self._count_operation()
        # A buffered file would allocate `size` bytes even if the file has fewer.
        left = max(0, self._size - self._file.tell())
        wanted = left if size is None or size < 0 else min(size, left)
        self._bytes += wanted
        if self._bytes > MAX_TAG_BYTES:
            raise MediaError(f"the tags are larger than {MAX_TAG_BYTES >> 20} MiB")
        return self._file.read(wanted)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Set the position, and return it.

        Raises:
            OSError: the position is invalid.
            MediaError: a limit is exceeded.
        """
        self._count_operation()
        try:
            return self._file.seek(offset, whence)
        except (OverflowError, ValueError) as error:
            raise OSError(str(error)) from error

    def tell(self) -> int:
        """Return the position."""
        return self._file.tell()

    def _count_operation(self) -> None:
        self._operations += 1
        if self._operations > MAX_TAG_OPERATIONS:
            raise MediaError("the tags take too many reads")
