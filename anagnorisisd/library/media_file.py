"""Reading one file in a worker process: its audio hash, tags and duration, or its problem."""

import logging
import os
from collections.abc import Sequence
from typing import BinaryIO

from anagnorisisd.domain.track import LATEST_NS, NOT_READ, FileStamp, ScannedFile, TrackId, Uri
from anagnorisisd.errors import MediaError
from anagnorisisd.library import audio_duration, cue_sheet
from anagnorisisd.library.audio_hash import Kind, identify
from anagnorisisd.library.directory_walker import CUE_EXTENSION
from anagnorisisd.library.file_access import (
    DURATION_SECONDS,
    HASH_BYTES_PER_SECOND,
    HASH_SECONDS,
    open_regular,
    os_error_reason,
)
from anagnorisisd.library.tags import read_tags
from anagnorisisd.workers.resource_limits import CpuTimeExceeded, limit_cpu_time

log = logging.getLogger(__name__)

MAX_PROBLEM_CHARACTERS = 200


def read(path: str, uri: Uri) -> ScannedFile | None:
    """Read the file at `path`, and return `None` if there is none; raises nothing.

    The stamp is that of the bytes that were read. A file that changed meanwhile gets the stamp
    `NOT_READ`, so that the next scan reads it again.
    """
    try:
        with open_regular(path) as file:
            if uri.lower().endswith(f".{CUE_EXTENSION}"):
                return _read_cue_sheet(file, uri, root=path.removesuffix(f"/{uri}"))
            return _read_open(file, uri)
    except FileNotFoundError:
        return None
    except OSError as error:
        return ScannedFile(uri, NOT_READ, None, problem=os_error_reason(error))
    except MediaError as error:
        return ScannedFile(uri, _stamp_at(path), None, problem=str(error))


def read_many(root: str, uris: Sequence[Uri]) -> list[ScannedFile]:
    """Read files below `root`, without those that are gone. Runs in a worker process."""
    files = (read(f"{root}/{uri}", uri) for uri in uris)
    return [file for file in files if file is not None]


def _read_open(file: BinaryIO, uri: Uri) -> ScannedFile:
    stamp = _stamp(os.fstat(file.fileno()))
    identity = _identify(file, HASH_SECONDS + stamp.size_bytes / HASH_BYTES_PER_SECOND)
    if isinstance(identity, str):
        return ScannedFile(uri, stamp, None, problem=identity)
    kind, track_id = identity
    tags, declared_seconds = read_tags(file, kind)
    duration_seconds = _duration(file, kind, declared_seconds)
    if _stamp(os.fstat(file.fileno())) != stamp:
        return ScannedFile(uri, NOT_READ, None, problem="it changed while it was read")
    return ScannedFile(uri, stamp, track_id, tags, duration_seconds)


def _read_cue_sheet(file: BinaryIO, uri: Uri, root: str) -> ScannedFile:
    stamp = _stamp(os.fstat(file.fileno()))
    if stamp.size_bytes > cue_sheet.MAX_BYTES:
        raise MediaError("too large for a cue sheet")
    tracks = cue_sheet.parse(file.read(cue_sheet.MAX_BYTES), uri, root)
    return ScannedFile(uri, stamp, None, cue_tracks=tuple(tracks))


def _identify(file: BinaryIO, seconds: float) -> tuple[Kind, TrackId] | str:
    """Return the format and the audio hash of a file, or its problem.

    Raises:
        OSError: the file cannot be read.
    """
    try:
        with limit_cpu_time(seconds):
            return identify(file)
    except MediaError as error:
        return str(error)[:MAX_PROBLEM_CHARACTERS]
    except OSError:
        raise
    except MemoryError:
        return "takes too much memory to be read"
    except CpuTimeExceeded:
        return "takes too much CPU time to be read"
    except Exception as error:  # A defect of a parser must not stop the scan.
        log.debug("a parser failed", exc_info=True)
        return f"its parser failed: {type(error).__name__}: {error}"[:MAX_PROBLEM_CHARACTERS]


def _duration(file: BinaryIO, kind: Kind, declared_seconds: float | None) -> float | None:
    """Return the duration of the audio in a file; the declared one if it cannot be counted.

    Raises:
        OSError: the file cannot be read.
    """
    try:
        with limit_cpu_time(DURATION_SECONDS):
            return audio_duration.measure(file, kind, declared_seconds)
    except OSError:
        raise
    except (Exception, CpuTimeExceeded):  # The track is of use without.
        log.debug("the duration cannot be counted", exc_info=True)
        return declared_seconds


def _stamp(status: os.stat_result) -> FileStamp:
    return FileStamp(status.st_size, min(status.st_mtime_ns, LATEST_NS))


def _stamp_at(path: str) -> FileStamp:
    try:
        return _stamp(os.stat(path))  # noqa: PTH116
    except OSError:
        return NOT_READ
