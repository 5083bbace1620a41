"""Streams of covers and audio files: first what a file is, then its bytes in chunks."""

from collections.abc import AsyncIterator
from contextlib import aclosing

from anagnorisis.v1 import library_pb2 as messages
from anagnorisisd.errors import InvalidValue
from anagnorisisd.library.audio_reader import CHUNK_BYTES, AudioReader
from anagnorisisd.library.covers import Covers
from anagnorisisd.rpc.track_lookup import TrackLookup

MIN_COVER_PIXELS, DEFAULT_COVER_PIXELS, MAX_COVER_PIXELS = 16, 512, 2048


class FileStreams:
    """Streams the files of tracks."""

    def __init__(self, covers: Covers, audio: AudioReader, tracks: TrackLookup) -> None:
        self._covers = covers
        self._audio = audio
        self._tracks = tracks

    async def cover(
        self, request: messages.GetCoverRequest
    ) -> AsyncIterator[messages.GetCoverResponse]:
        """Yield a track's cover."""
        max_pixels = request.max_pixels or DEFAULT_COVER_PIXELS
        if not MIN_COVER_PIXELS <= max_pixels <= MAX_COVER_PIXELS:
            raise InvalidValue(
                "max_pixels",
                f"{max_pixels} is not between {MIN_COVER_PIXELS} and {MAX_COVER_PIXELS}",
            )
        track = await self._tracks.find(request.target)
        cover = await self._covers.get(track.track_id, max_pixels)
        jpeg = cover.image.jpeg
        yield messages.GetCoverResponse(
            cover=messages.Cover(
                media_type="image/jpeg",
                etag=cover.etag,
                total_bytes=len(jpeg),
                width=cover.image.width,
                height=cover.image.height,
            )
        )
        for start in range(0, len(jpeg), CHUNK_BYTES):
            yield messages.GetCoverResponse(chunk=jpeg[start : start + CHUNK_BYTES])

    async def audio(
        self, request: messages.ReadAudioRequest
    ) -> AsyncIterator[messages.ReadAudioResponse]:
        """Yield a range of a track's audio file."""
        if request.length < 0:
            raise InvalidValue("length", f"{request.length} is below 0")
        track = await self._tracks.find(request.target)
        file = await self._audio.find(track.track_id)
        total = file.stamp.size_bytes
        if not 0 <= request.offset <= total:
            raise InvalidValue("offset", f"{request.offset} is not between 0 and {total}")
        yield messages.ReadAudioResponse(
            file=messages.AudioFile(
                media_type=file.media_type,
                etag=file.etag,
                total_bytes=total,
                start_seconds=file.start_seconds,
                end_seconds=file.end_seconds,
            )
        )
        chunks = self._audio.chunks(file, request.offset, request.length or total)
        async with aclosing(chunks) as parts:
            async for chunk in parts:
                yield messages.ReadAudioResponse(chunk=chunk)
