"""Opening what should be a file with music in it, whatever lies there by now."""

import os
import stat
from typing import BinaryIO

from anagnorisisd.errors import MediaError

BUFFER_BYTES = 1 << 16
NOT_REGULAR = "not a regular file"


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a file for reading; a pipe or a device in its place is never waited for.

    Raises:
        MediaError: it is no regular file.
        OSError: it cannot be opened.
    """
    # To open a device may do something already, so the name is looked at first. What was opened
    # is looked at once more, since another file may have taken the name's place in between.
    _check(os.stat(path))  # noqa: PTH116
    file = open(path, "rb", buffering=BUFFER_BYTES, opener=_open_at_once)  # noqa: SIM115
    try:
        _check(os.fstat(file.fileno()))
    except BaseException:
        file.close()
        raise
    return file


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


def _check(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise MediaError(NOT_REGULAR)
