"""Atomic file writes: a reader sees the old file or the complete new one.

| path                                    | result                                               |
|-----------------------------------------|------------------------------------------------------|
| missing, a regular file, a link to one  | replaced by a new file of mode 0600 when it is       |
|                                         | complete and on disk; the target of a link stays     |
| `-`, `/dev/stdout`, `/dev/fd/N`         | written to the open file                             |
| a device, a FIFO, or a link to one      | opened and written to                                |
| a folder                                | an error                                             |

The temporary file has a random name and is created with `O_EXCL`, so that other users who can write
to the folder cannot replace it by a link or by a file of another mode.
"""

import errno
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from anagnorisis.errors import Failed

STANDARD_OUTPUT = 1
MAX_LINKS = 40
"""Limit of links that Linux follows in one path."""


def write(path: str, chunks: Iterable[bytes]) -> None:
    """Write a file; the old content stays until all chunks are written.

    Raises:
        Failed: the file cannot be written.
        BrokenPipeError: the file is standard output, and the reader has closed the pipe.
    """
    try:
        if not is_regular(path):
            _write_in_place(path, chunks)
            return
        with _replacing(path) as (_, descriptor), open(descriptor, "wb", closefd=False) as file:
            file.writelines(chunks)
    except OSError as error:
        if isinstance(error, BrokenPipeError) and is_standard_output(path):
            raise
        raise Failed(f"{path} cannot be written: {error.strerror}") from error


def is_standard_output(path: str) -> bool:
    """Return whether a path names standard output; then no message may be printed there."""
    return _descriptor(path) == STANDARD_OUTPUT


def is_regular(path: str) -> bool:
    """Return whether a path names a regular file, or one that can be created.

    Raises:
        OSError: the path is a folder, or `stat` fails.
    """
    if _descriptor(path) is not None:
        return False
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return True
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    return stat.S_ISREG(mode)


@contextmanager
def replace_file(path: str) -> Iterator[str]:
    """Yield the path of a new, empty file in the same folder; at exit it replaces `path`.

    Raises:
        OSError: the file cannot be created, or cannot replace `path`; the new file is removed.
    """
    with _replacing(path) as (temporary, _):
        yield temporary


@contextmanager
def _replacing(path: str) -> Iterator[tuple[str, int]]:
    folder = os.path.dirname(path) or "."
    temporary = os.path.join(folder, f".anagnorisis-{os.urandom(8).hex()}.part")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        yield temporary, descriptor
        os.fsync(descriptor)
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    finally:
        os.close(descriptor)
    fsync(folder)


def fsync(path: str | os.PathLike[str]) -> None:
    """Flush a file or a directory to disk.

    Raises:
        OSError: it cannot be opened or written.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_in_place(path: str, chunks: Iterable[bytes]) -> None:
    descriptor = _descriptor(path)
    if descriptor == STANDARD_OUTPUT:
        sys.stdout.flush()
    # Opening /dev/fd/3 would start at the beginning of the file; a duplicate keeps the offset.
    file = os.open(path, os.O_WRONLY | os.O_NOCTTY) if descriptor is None else os.dup(descriptor)
    with os.fdopen(file, "wb") as output:
        for chunk in chunks:
            output.write(chunk)


def _descriptor(path: str) -> int | None:
    """Return the file descriptor of this process that a path refers to, `None` if there is none."""
    if path == "-":
        return STANDARD_OUTPUT
    descriptor_folder = os.path.realpath("/proc/self/fd")
    for _ in range(MAX_LINKS):
        folder, name = os.path.split(path)
        folder = os.path.realpath(folder or ".")
        if folder == descriptor_folder:
            return int(name) if name.isascii() and name.isdecimal() and len(name) < 10 else None
        try:
            path = os.path.join(folder, os.readlink(os.path.join(folder, name)))
        except OSError:  # not a link, or not there
            return None
    return None
