"""Access to files in a directory that other programs write to, on a disk that may not respond.

A damaged or hostile file can keep a parser busy forever. CPU time limits a parser that runs;
elapsed time limits a disk that does not respond; `BoundedFile` limits a parser that loops, since
every such loop reads or seeks.
"""

import errno
import os
import stat
import threading
from pathlib import PurePath
from typing import BinaryIO

from anagnorisisd.errors import MediaError

BUFFER_BYTES = 1 << 16
REALPATH_TIMEOUT_SECONDS = 2.0
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


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a regular file for reading, without blocking on a pipe or a device in its place.

    Raises:
        MediaError: the path is not a regular file.
        OSError: the file cannot be opened.
    """
    # Opening a device can have side effects, so the path is checked before. Another file may take
    # its place in between, so the open file is checked again.
    _require_regular(os.stat(path))  # noqa: PTH116
    file = open(path, "rb", buffering=BUFFER_BYTES, opener=_open_nonblocking)  # noqa: SIM115
    try:
        _require_regular(os.fstat(file.fileno()))
    except BaseException:
        file.close()
        raise
    return file


def _open_nonblocking(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


def _require_regular(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise MediaError("not a regular file")


def os_error_reason(error: OSError) -> str:
    """Return the reason, in a few words, why a file or directory cannot be read."""
    match error:
        case PermissionError():
            return "permission denied"
        case FileNotFoundError():
            return "not found"
        case NotADirectoryError():
            return "not a directory"
    if error.errno == errno.ELOOP:
        return "a symbolic link that leads to itself"
    return f"cannot be read: {os.strerror(error.errno)}" if error.errno else "cannot be read"


class _RealPathThread(threading.Thread):
    """Resolves one path. A daemon thread: the process can exit while it hangs."""

    def __init__(self, path: str) -> None:
        super().__init__(daemon=True)
        self._path = path
        self.result = path

    def run(self) -> None:
        """Resolve the path."""
        self.result = os.path.realpath(self._path)


_latest_threads: dict[str, _RealPathThread] = {}
"""By path. While the latest one hangs, no other is started, so that threads do not accumulate."""


def real_path(path: str | PurePath) -> str:
    """Return the absolute path with symbolic links resolved; unresolved if the disk hangs.

    A stale network share can block `realpath` forever, and with it the event loop.
    """
    name = os.path.abspath(path)  # noqa: PTH100 - `Path.resolve` would access the disk
    latest = _latest_threads.get(name)
    if latest is not None and latest.is_alive():
        return latest.result
    _latest_threads[name] = thread = _RealPathThread(name)
    thread.start()
    thread.join(REALPATH_TIMEOUT_SECONDS)
    return thread.result


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
