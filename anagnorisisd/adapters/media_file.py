"""One file of the music folder, read once: what it is, what it says, or why it is of no use."""

import os
import stat
from collections.abc import Sequence
from typing import BinaryIO

from anagnorisisd.adapters.audio_hash import identify
from anagnorisisd.adapters.reasons import reason_of
from anagnorisisd.adapters.tags import read_tags
from anagnorisisd.domain.track import NOT_READ, FileStamp, ScannedFile, Uri
from anagnorisisd.errors import MediaError

BUFFER_BYTES = 1 << 16


def read(path: str, uri: Uri) -> ScannedFile | None:
    """Return what lies at `path`, or `None` if nothing does any more; never raises.

    The stamp is that of the very bytes which were read. A file that changed meanwhile is of no
    use yet: it gets the stamp `NOT_READ`, and so another try.
    """
    try:
        with _open(path) as file:
            return _read_open(file, uri)
    except FileNotFoundError:
        return None
    except OSError as error:
        return ScannedFile(uri, NOT_READ, None, problem=reason_of(error))


def read_many(root: str, uris: Sequence[Uri]) -> list[ScannedFile]:
    """Read files below `root`; those that are gone are left out. Runs in a worker process."""
    files = (read(f"{root}/{uri}", uri) for uri in uris)
    return [file for file in files if file is not None]


def _open(path: str) -> BinaryIO:
    # O_NONBLOCK: opening a named pipe that pretends to be music must not wait for its writer
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    return os.fdopen(descriptor, "rb", buffering=BUFFER_BYTES)


def _read_open(file: BinaryIO, uri: Uri) -> ScannedFile:
    stamp = _stamp(file)
    try:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise MediaError("not a regular file")
        kind, track_id = identify(file)
        tags, duration_seconds = read_tags(file, kind)
    except MediaError as error:
        return ScannedFile(uri, stamp, None, problem=str(error))
    except MemoryError:
        return ScannedFile(uri, stamp, None, problem="takes too much memory to be read")
    if _stamp(file) != stamp:
        return ScannedFile(uri, NOT_READ, None, problem="it changed while it was read")
    return ScannedFile(uri, stamp, track_id, tags, duration_seconds)


def _stamp(file: BinaryIO) -> FileStamp:
    status = os.fstat(file.fileno())
    return FileStamp(status.st_size, status.st_mtime_ns)
