"""`LibraryService`: tracks, scans, embeddings and similarity."""

import os
import struct
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from typing import Any

from grpc.aio import ServicerContext

from anagnorisis.v1 import library_pb2 as messages
from anagnorisis.v1.library_pb2_grpc import LibraryServiceServicer
from anagnorisisd.domain.embedding import EmbedderStamp
from anagnorisisd.domain.player import SongId
from anagnorisisd.domain.track import Track, TrackId, Uri
from anagnorisisd.embedding.service import EmbeddingService
from anagnorisisd.embedding.sound_tags import SoundTagIndex
from anagnorisisd.errors import InvalidValue, PreconditionFailed
from anagnorisisd.library.service import LibraryService
from anagnorisisd.rpc import conversion, paging, validation
from anagnorisisd.rpc.file_streams import FileStreams
from anagnorisisd.rpc.map_stream import MapStream
from anagnorisisd.rpc.track_lookup import TrackLookup
from anagnorisisd.runtime.event_loop import run_to_completion
from anagnorisisd.storage.embeddings import EmbeddingStore
from anagnorisisd.storage.library import LibraryStore
from anagnorisisd.storage.track_queries import TrackFilter, TrackKey, TrackOrder
from anagnorisisd.taste.nearest_tracks import NearestTracks

Context = ServicerContext[Any, Any]

DEFAULT_SIMILAR = 10
EXAMPLES = 3

KEY_PREFIX = struct.Struct(">?d")
"""Prefix of a track's key in a page token: whether the sort value is absent, and the value."""

FILTERS = {
    messages.TRACK_FILTER_UNSPECIFIED: TrackFilter.ALL,
    messages.TRACK_FILTER_RATED: TrackFilter.RATED,
    messages.TRACK_FILTER_UNRATED: TrackFilter.UNRATED,
    messages.TRACK_FILTER_PENDING: TrackFilter.PENDING,
    messages.TRACK_FILTER_FAILED: TrackFilter.FAILED,
    messages.TRACK_FILTER_MISSING: TrackFilter.MISSING,
}
ORDERS = {
    messages.TRACK_ORDER_UNSPECIFIED: TrackOrder.ADDED,
    messages.TRACK_ORDER_ADDED: TrackOrder.ADDED,
    messages.TRACK_ORDER_RATING: TrackOrder.RATING,
    messages.TRACK_ORDER_PREDICTED_RATING: TrackOrder.PREDICTED_RATING,
    messages.TRACK_ORDER_LAST_PLAYED: TrackOrder.LAST_PLAYED,
}


class LibraryServicer(LibraryServiceServicer):
    """Implements `LibraryService`."""

    def __init__(
        self,
        *,
        library: LibraryService,
        store: LibraryStore,
        embedding: EmbeddingService,
        embeddings: EmbeddingStore,
        similar: NearestTracks,
        sound_tags: SoundTagIndex,
        tracks: TrackLookup,
        files: FileStreams,
        library_map: MapStream,
        enqueue: Callable[[Sequence[TrackId]], Coroutine[None, None, Mapping[TrackId, SongId]]],
        stamp: EmbedderStamp,
    ) -> None:
        self._enqueue = enqueue
        self._library = library
        self._store = store
        self._embedding = embedding
        self._embeddings = embeddings
        self._similar = similar
        self._sound_tags = sound_tags
        self._tracks = tracks
        self._files = files
        self._map = library_map
        self._stamp = stamp

    async def GetTrack(
        self, request: messages.GetTrackRequest, context: Context
    ) -> messages.GetTrackResponse:
        """Return a track and its sound tags."""
        track = await self._tracks.find(request.target)
        sound_tags = await self._sound_tags.of_track(track.track_id)
        return messages.GetTrackResponse(
            track=conversion.track_message(track),
            sound_tags=[messages.SoundTag(name=tag.name, score=tag.score) for tag in sound_tags],
        )

    async def ListTracks(
        self, request: messages.ListTracksRequest, context: Context
    ) -> messages.ListTracksResponse:
        """List tracks in pages."""
        size = validation.count("page_size", request.page_size, validation.DEFAULT_PAGE)
        if request.filter not in FILTERS:
            raise InvalidValue("filter", f"there is no filter {request.filter}")
        if request.order not in ORDERS:
            raise InvalidValue("order", f"there is no order {request.order}")
        text = validation.search_text(request.text)
        sound_tag = validation.short_text("sound_tag", request.sound_tag)
        scope = (request.filter, request.order, text, sound_tag)
        order = ORDERS[request.order]
        found = await self._store.tracks(
            self._stamp,
            only=FILTERS[request.filter],
            order=order,
            text=text,
            among=await self._sound_tags.with_tag(sound_tag) if sound_tag else None,
            limit=size + 1,
            after=_unpack_key(paging.key(request.page_token, *scope)),
        )
        return messages.ListTracksResponse(
            tracks=[conversion.track_message(track) for track in found[:size]],
            next_page_token=paging.key_token(_pack_key(TrackKey.of(found[size - 1], order)), *scope)
            if len(found) > size
            else "",
        )

    async def ListSoundTags(
        self, request: messages.ListSoundTagsRequest, context: Context
    ) -> messages.ListSoundTagsResponse:
        """List the sound tags with the number of tracks that have each."""
        counts = await self._sound_tags.counts()
        return messages.ListSoundTagsResponse(
            sound_tags=[
                messages.SoundTagCount(
                    name=name,
                    tracks=count,
                    examples=map(conversion.track_message, await self._examples(name)),
                )
                for name, count in counts.items()
            ]
        )

    async def _examples(self, tag: str) -> Sequence[Track]:
        """Return present tracks that stand out most in a tag."""
        # Some may be missing; so many of the first ones rarely are.
        best = await self._sound_tags.best_examples(tag, 4 * EXAMPLES)
        present = await self._tracks.uris(best)
        shown = [track_id for track_id in best if track_id in present][:EXAMPLES]
        return [await self._tracks.read(track_id) for track_id in shown]

    async def ListUnusableFiles(
        self, request: messages.ListUnusableFilesRequest, context: Context
    ) -> messages.ListUnusableFilesResponse:
        """List unusable files in pages."""
        size = validation.count("page_size", request.page_size, validation.DEFAULT_PAGE)
        after = paging.key(request.page_token, "unusable")
        found = await self._store.unusable_files(
            limit=size + 1, after=None if after is None else Uri(os.fsdecode(after))
        )
        return messages.ListUnusableFilesResponse(
            files=[
                messages.UnusableFile(
                    uri=conversion.printable(uri), reason=conversion.printable(reason)
                )
                for uri, reason in found[:size]
            ],
            next_page_token=paging.key_token(os.fsencode(found[size - 1][0]), "unusable")
            if len(found) > size
            else "",
        )

    async def ScanLibrary(
        self, request: messages.ScanLibraryRequest, context: Context
    ) -> AsyncIterator[messages.ScanLibraryResponse]:
        """Rescan the music directory and stream the progress."""
        async for progress in self._library.scan():
            embedding = await self._embedding.progress()
            yield messages.ScanLibraryResponse(
                found=progress.found,
                unchanged=progress.unchanged,
                read=progress.read,
                added=progress.added,
                moved=progress.moved,
                changed=progress.changed,
                missing=progress.missing,
                unusable=progress.unusable,
                pending_embeddings=embedding.pending,
                error=conversion.printable(progress.problem),
                finished=progress.finished,
                embeddings_per_second=embedding.tracks_per_second,
                embedding_remaining_seconds=embedding.seconds_left,
            )

    async def RetryEmbeddings(
        self, request: messages.RetryEmbeddingsRequest, context: Context
    ) -> messages.RetryEmbeddingsResponse:
        """Retry the tracks whose embedding failed."""
        return messages.RetryEmbeddingsResponse(
            count=await run_to_completion(self._embedding.retry())
        )

    async def FindSimilar(
        self, request: messages.FindSimilarRequest, context: Context
    ) -> messages.FindSimilarResponse:
        """Return the tracks that sound most like a track."""
        count = validation.count("count", request.count, DEFAULT_SIMILAR)
        track = await self._tracks.find(request.target)
        nearest = await self._similar.nearest(track.track_id, count)
        track_ids = [other for other, _ in nearest]
        queued = await run_to_completion(self._enqueue(track_ids)) if request.queue else {}
        return messages.FindSimilarResponse(
            tracks=[
                messages.SimilarTrack(
                    track=conversion.track_message(await self._tracks.read(other)),
                    similarity=similarity,
                    song_id=queued.get(other),
                )
                for other, similarity in nearest
            ]
        )

    async def GetEmbedding(
        self, request: messages.GetEmbeddingRequest, context: Context
    ) -> messages.GetEmbeddingResponse:
        """Return the embedding of a track."""
        track = await self._tracks.find(request.target)
        vector = await self._embeddings.get(self._stamp, track.track_id)
        if vector is None:
            raise PreconditionFailed(
                f"track {track.track_id} has no embedding by {self._stamp} yet"
            )
        return messages.GetEmbeddingResponse(
            track_id=track.track_id,
            vector=vector.tolist(),
            embedder=conversion.stamp_message(self._stamp),
        )

    async def GetLibraryMap(
        self, request: messages.GetLibraryMapRequest, context: Context
    ) -> AsyncIterator[messages.GetLibraryMapResponse]:
        """Stream a map of the library."""
        async for message in self._map.messages(request):
            yield message

    async def GetCover(
        self, request: messages.GetCoverRequest, context: Context
    ) -> AsyncIterator[messages.GetCoverResponse]:
        """Stream the cover of a track."""
        async for message in self._files.cover(request):
            yield message

    async def ReadAudio(
        self, request: messages.ReadAudioRequest, context: Context
    ) -> AsyncIterator[messages.ReadAudioResponse]:
        """Stream the bytes of a track's audio file."""
        async for message in self._files.audio(request):
            yield message


def _pack_key(key: TrackKey) -> bytes:
    absent = key.value is None
    return KEY_PREFIX.pack(absent, 0.0 if key.value is None else key.value) + key.track_id.encode()


def _unpack_key(packed: bytes | None) -> TrackKey | None:
    """Decode the key in a page token.

    It accepts any bytes: a forged token selects an arbitrary position in the list, not an error.
    """
    if packed is None:
        return None
    absent, value = KEY_PREFIX.unpack(packed[: KEY_PREFIX.size].ljust(KEY_PREFIX.size, b"\0"))
    track_id = TrackId(packed[KEY_PREFIX.size :].decode(errors="replace"))
    return TrackKey(None if absent else value, track_id)
