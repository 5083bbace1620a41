"""One file of the music folder, read once: what it is, what it says, or why it is of no use."""

import logging
import os
from collections.abc import Sequence
from typing import BinaryIO

from anagnorisisd.domain.track import LATEST_NS, NOT_READ, FileStamp, ScannedFile, TrackId, Uri
from anagnorisisd.errors import MediaError
from anagnorisisd.library import mpeg_duration
from anagnorisisd.library.audio_hash import Kind, identify
from anagnorisisd.library.os_error_text import reason_of
from anagnorisisd.library.regular_file import open_regular
from anagnorisisd.library.tags import read_tags
from anagnorisisd.workers.processor_time import OutOfProcessorTime, limited

log = logging.getLogger(__name__)

HASH_SECONDS = 10.0
"""Processor time for any file; usual ones take some thousandths of a second."""
HASH_BYTES_PER_SECOND = 50 << 20
"""A tenth of what slow machines hash: large files get more time."""
LONGEST_REASON = 200

MEMORY = "takes too much memory to be read"
TIME = "takes too much processor time to be read"


def read(path: str, uri: Uri) -> ScannedFile | None:
    """Return what lies at `path`, or `None` if nothing does any more; never raises.

    The stamp is that of the very bytes which were read. A file that changed meanwhile is of no
    use yet: it gets the stamp `NOT_READ`, and so another try.
    """
    try:
        with open_regular(path) as file:
            return _read_open(file, uri)
    except FileNotFoundError:
        return None
    except OSError as error:
        return ScannedFile(uri, NOT_READ, None, problem=reason_of(error))
    except MediaError as error:
        return ScannedFile(uri, _stamp_of(path), None, problem=str(error))


def read_many(root: str, uris: Sequence[Uri]) -> list[ScannedFile]:
    """Read files below `root`; those that are gone are left out. Runs in a worker process."""
    files = (read(f"{root}/{uri}", uri) for uri in uris)
    return [file for file in files if file is not None]


def _read_open(file: BinaryIO, uri: Uri) -> ScannedFile:
    stamp = _stamp(file)
    found = _identity(file, HASH_SECONDS + stamp.size_bytes / HASH_BYTES_PER_SECOND)
    if isinstance(found, str):
        return ScannedFile(uri, stamp, None, problem=found)
    kind, track_id = found
    tags, duration_seconds = read_tags(file, kind)
    duration_seconds = mpeg_duration.measured(file, kind) or duration_seconds
    if _stamp(file) != stamp:
        return ScannedFile(uri, NOT_READ, None, problem="it changed while it was read")
    return ScannedFile(uri, stamp, track_id, tags, duration_seconds)


def _identity(file: BinaryIO, seconds: float) -> tuple[Kind, TrackId] | str:
    """Return what a file holds, or the reason why that is of no use.

    Raises:
        OSError: the disk does not give it.
    """
    try:
        with limited(seconds):
            return identify(file)
    except MediaError as error:
        return str(error)[:LONGEST_REASON]
    except OSError:
        raise
    except MemoryError:
        return MEMORY
    except OutOfProcessorTime:
        return TIME
    except Exception as error:  # A format's reader that met what nobody thought of.
        log.debug("a reader failed", exc_info=True)
        return f"its reader failed: {type(error).__name__}: {error}"[:LONGEST_REASON]


def _stamp(file: BinaryIO) -> FileStamp:
    status = os.fstat(file.fileno())
    return FileStamp(status.st_size, min(status.st_mtime_ns, LATEST_NS))


def _stamp_of(path: str) -> FileStamp:
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError:
        return NOT_READ
    return FileStamp(status.st_size, min(status.st_mtime_ns, LATEST_NS))
