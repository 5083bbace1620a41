"""Reads parts of the audio files of tracks, for players that fetch them by ranges.

A file is opened anew for each chunk, so that a caller that reads slowly or never holds no file
open. Only what the last scan identified is read: the size and modification time must still be the
same, so that another file, or a link to one, that took its place is not.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from pathlib import Path

from anagnorisisd.domain.track import LATEST_NS, NO_TIME, FileStamp, TrackId, Uri
from anagnorisisd.errors import MediaError, PreconditionFailed
from anagnorisisd.library.file_access import open_regular, os_error_reason
from anagnorisisd.library.player_songs import NO_FILES
from anagnorisisd.runtime.event_loop import BlockingExecutor
from anagnorisisd.storage.library import LibraryStore

CHUNK_BYTES = 64 << 10
"""Of every call that is not read, so much is in memory."""

READ_TIMEOUT_SECONDS = 30.0
THREADS = 4
"""Threads that read files, so that a disk that hangs occupies no others."""

MEDIA_TYPES = {
    "aac": "audio/aac",
    "aif": "audio/aiff",
    "aiff": "audio/aiff",
    "flac": "audio/flac",
    "m4a": "audio/mp4",
    "m4b": "audio/mp4",
    "mka": "audio/x-matroska",
    "mp3": "audio/mpeg",
    "mp4": "audio/mp4",
    "oga": "audio/ogg",
    "ogg": "audio/ogg",
    "opus": "audio/ogg",
    "spx": "audio/ogg",
    "wav": "audio/wav",
    "weba": "audio/webm",
    "webm": "audio/webm",
}
"""By extension; only formats that browsers may play."""

UNKNOWN_MEDIA_TYPE = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class AudioFile:
    """The audio file of a track; of a part of it, start and end in seconds."""

    path: str
    stamp: FileStamp
    media_type: str
    start_seconds: float
    end_seconds: float | None

    @property
    def etag(self) -> str:
        """Equal while the file is the same."""
        return f"{self.stamp.size_bytes:x}-{self.stamp.mtime_ns:x}"


class AudioReader:
    """Finds and reads the audio files of tracks; `path` returns the absolute path of a file."""

    def __init__(self, library: LibraryStore, path: Callable[[Uri], Path]) -> None:
        self._library = library
        self._path = path
        self._executor = BlockingExecutor(THREADS)

    async def find(self, track_id: TrackId) -> AudioFile:
        """Return the audio file of a track.

        Raises:
            PreconditionFailed: the track's file is missing.
        """
        part = await self._library.audio_part(track_id)
        if part is None:
            raise PreconditionFailed("the track's file is missing")
        if part.stamp.mtime_ns == NO_TIME:
            raise PreconditionFailed(NO_FILES)
        return AudioFile(
            path=str(self._path(part.uri)),
            stamp=part.stamp,
            media_type=MEDIA_TYPES.get(_extension(part.uri), UNKNOWN_MEDIA_TYPE),
            start_seconds=part.start_ms / 1000,
            end_seconds=None if part.end_ms is None else part.end_ms / 1000,
        )

    async def chunks(
        self, file: AudioFile, offset: int, length: int
    ) -> AsyncGenerator[bytes, None]:
        """Yield `length` bytes from `offset` on in chunks, fewer at the end of the file.

        Raises:
            PreconditionFailed: the file was changed since the last scan, or cannot be read.
        """
        end = min(offset + length, file.stamp.size_bytes)
        while offset < end:
            chunk = await self._read(file, offset, min(CHUNK_BYTES, end - offset))
            offset += len(chunk)
            yield chunk

    async def _read(self, file: AudioFile, offset: int, size: int) -> bytes:
        try:
            async with asyncio.timeout(READ_TIMEOUT_SECONDS):
                return await asyncio.get_running_loop().run_in_executor(
                    self._executor, _read_at, file, offset, size
                )
        except TimeoutError:
            raise PreconditionFailed("the disk of the track's file does not respond") from None
        except MediaError as error:
            raise PreconditionFailed(f"the track's file: {error}") from error
        except OSError as error:
            raise PreconditionFailed(f"the track's file: {os_error_reason(error)}") from error


def _extension(uri: Uri) -> str:
    return uri.rpartition(".")[2].lower()


def _read_at(file: AudioFile, offset: int, size: int) -> bytes:
    with open_regular(file.path) as opened:
        status = os.fstat(opened.fileno())
        if FileStamp(status.st_size, min(status.st_mtime_ns, LATEST_NS)) != file.stamp:
            raise MediaError("it was changed since the last scan")
        chunk = os.pread(opened.fileno(), size, offset)
    if not chunk:
        raise MediaError("it ended too early")
    return chunk
