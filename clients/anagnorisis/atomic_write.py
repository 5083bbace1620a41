"""The one way in which files are written: each is there whole, or not at all.

| what is at the path                     | what happens                                         |
|-----------------------------------------|------------------------------------------------------|
| nothing, a regular file, a link to one  | a new file of mode 0600 takes the name once it is    |
|                                         | whole and on disk; what a link leads to stays        |
| `-`, `/dev/stdout`, `/dev/fd/N`         | written to the open file                             |
| a device, a FIFO, or a link to one      | written to as it is                                  |
| a folder                                | refused                                              |

A file that is being written has a name that nobody can know before, and is created exclusively:
whoever else may write to the folder cannot put a link or a file of another mode in its place.
"""

import errno
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from anagnorisis.errors import Failed

STANDARD_OUTPUT = 1
LINKS = 40
"""Links that Linux follows in one path before it gives up."""


def write(path: str, pieces: Iterable[bytes]) -> None:
    """Write a file; what it held before stays until all pieces are there.

    Raises:
        Failed: it cannot be written.
        BrokenPipeError: it is standard output, and nobody reads it any more.
    """
    try:
        if not is_regular(path):
            _write_as_it_is(path, pieces)
            return
        with _replacing(path) as (_, descriptor), open(descriptor, "wb", closefd=False) as file:
            file.writelines(pieces)
    except OSError as error:
        if isinstance(error, BrokenPipeError) and is_standard_output(path):
            raise
        raise Failed(f"{path} cannot be written: {error.strerror}") from error


def is_standard_output(path: str) -> bool:
    """Return whether a path names standard output, where nothing else may be printed then."""
    return _descriptor(path) == STANDARD_OUTPUT


def is_regular(path: str) -> bool:
    """Return whether a path names a regular file, or one that can be created.

    Raises:
        OSError: it is a folder, or cannot be looked at.
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
def replacing(path: str) -> Iterator[str]:
    """Lend a new, empty file in the same folder, which then takes the place of `path`.

    Raises:
        OSError: it cannot be created, or not take the place; nothing is left then.
    """
    with _replacing(path) as (part, _):
        yield part


@contextmanager
def _replacing(path: str) -> Iterator[tuple[str, int]]:
    folder = os.path.dirname(path) or "."
    part = os.path.join(folder, f".anagnorisis-{os.urandom(8).hex()}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        yield part, descriptor
        os.fsync(descriptor)
        os.replace(part, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(part)
        raise
    finally:
        os.close(descriptor)
    _settle(folder)


def _settle(folder: str) -> None:
    """Have the names in a folder on disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_as_it_is(path: str, pieces: Iterable[bytes]) -> None:
    descriptor = _descriptor(path)
    if descriptor == STANDARD_OUTPUT:
        sys.stdout.flush()
    # A path such as /dev/fd/3 would open the file behind it anew, at its beginning.
    file = os.open(path, os.O_WRONLY | os.O_NOCTTY) if descriptor is None else os.dup(descriptor)
    with os.fdopen(file, "wb") as output:
        for piece in pieces:
            output.write(piece)


def _descriptor(path: str) -> int | None:
    """Return the file descriptor of this process that a path leads to, if it is one."""
    if path == "-":
        return STANDARD_OUTPUT
    own = os.path.realpath("/proc/self/fd")
    for _ in range(LINKS):
        folder, name = os.path.split(path)
        folder = os.path.realpath(folder or ".")
        if folder == own:
            return int(name) if name.isascii() and name.isdecimal() and len(name) < 10 else None
        try:
            path = os.path.join(folder, os.readlink(os.path.join(folder, name)))
        except OSError:  # not a link, or not there
            return None
    return None
