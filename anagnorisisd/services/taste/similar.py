"""Finding tracks that sound alike."""

import asyncio
import heapq

from anagnorisisd.domain.embedding import EmbedderStamp
from anagnorisisd.domain.similarity import similarities
from anagnorisisd.domain.track import TrackId
from anagnorisisd.errors import PreconditionFailed
from anagnorisisd.ports.stores import EmbeddingStore


class Similar:
    """Compares a track with the whole library, streaming through it."""

    def __init__(self, embeddings: EmbeddingStore, stamp: EmbedderStamp) -> None:
        self._embeddings = embeddings
        self._stamp = stamp

    async def nearest(self, track_id: TrackId, count: int) -> list[tuple[TrackId, float]]:
        """Return the `count` most similar present tracks with their similarity, nearest first.

        Raises:
            PreconditionFailed: the track has no embedding yet.
        """
        vector = await self._embeddings.get(self._stamp, track_id)
        if vector is None:
            raise PreconditionFailed(f"track {track_id} has no embedding by {self._stamp} yet")
        moments = await self._embeddings.moments(self._stamp)
        best: list[tuple[float, TrackId]] = []
        async for batch in self._embeddings.described(self._stamp):
            # In a thread, so that a large library does not make a rating wait.
            cosines = await asyncio.to_thread(similarities, vector, batch.vectors, moments)
            found = zip(cosines.tolist(), batch.track_ids, strict=True)
            others = (entry for entry in found if entry[1] != track_id)
            best = heapq.nlargest(count, [*best, *others])
        return [(other, cosine) for cosine, other in best]
