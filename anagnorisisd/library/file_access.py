"""Access to files in a directory that other programs write to, on a disk that may not respond."""

import errno
import os
import stat
import threading
from pathlib import PurePath
from typing import BinaryIO

from anagnorisisd.errors import MediaError

BUFFER_BYTES = 1 << 16
REALPATH_TIMEOUT_SECONDS = 2.0


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
