"""Stream of the map of the library, in columns."""

from collections.abc import AsyncIterator

import numpy as np

from anagnorisis.v1 import library_pb2 as messages
from anagnorisisd.domain.evaluator import Vectors
from anagnorisisd.embedding.metadata_embedder import NO_SOUND
from anagnorisisd.embedding.sound_tags import SoundTagIndex
from anagnorisisd.errors import PreconditionFailed
from anagnorisisd.report.library_map import LibraryMap, MapColumns, rows_of
from anagnorisisd.rpc import validation

TRACKS_PER_MESSAGE = 8192
"""A message of so many tracks has about 300 kilobytes."""


class MapStream:
    """Streams the map of the library."""

    def __init__(self, library_map: LibraryMap, sound_tags: SoundTagIndex) -> None:
        self._map = library_map
        self._sound_tags = sound_tags

    async def messages(
        self, request: messages.GetLibraryMapRequest
    ) -> AsyncIterator[messages.GetLibraryMapResponse]:
        """Yield the columns of all tracks, some thousand tracks at a time.

        Raises:
            InvalidValue: there is no such tag.
            PreconditionFailed: there are no tags, or nothing is known of sound.
        """
        if not self._map.stamp.knows_sound:
            raise PreconditionFailed(NO_SOUND)
        tag = validation.short_text("sound_tag", request.sound_tag)
        scored = await self._sound_tags.scores(tag) if tag else None
        columns = await self._map.columns()
        scores = np.zeros(0, np.float32)
        if scored is not None:
            track_ids, values = scored
            ids = np.array(track_ids, "S32")
            order = np.argsort(ids)
            rows = rows_of(columns.track_ids, ids[order])
            scores = np.where(rows >= 0, values[order][rows], np.float32(np.nan))
        for start in range(0, max(1, len(columns.track_ids)), TRACKS_PER_MESSAGE):
            yield _message(columns, scores, slice(start, start + TRACKS_PER_MESSAGE))


def _message(columns: MapColumns, scores: Vectors, rows: slice) -> messages.GetLibraryMapResponse:
    x, y = columns.positions[rows].T.tolist()
    return messages.GetLibraryMapResponse(
        total_tracks=len(columns.track_ids),
        track_ids=bytes.fromhex(columns.track_ids[rows].tobytes().decode()),
        x=x,
        y=y,
        rating=columns.rating[rows].tolist(),
        predicted_rating=columns.predicted[rows].tolist(),
        sound_tag_score=scores[rows].tolist(),
    )
