"""What is under way between two moments in which nothing is left to embed."""

import asyncio
from collections.abc import Coroutine

from anagnorisisd.clock import Clock
from anagnorisisd.domain.embedding import EmbedderStamp
from anagnorisisd.domain.evaluator import Vectors
from anagnorisisd.domain.track import TrackId
from anagnorisisd.events import Events, TracksEmbedded
from anagnorisisd.storage.embeddings import EmbeddingStore

STORE_SECONDS = 1.0
"""Vectors that come faster than this are stored together: every write waits for the disk."""


class EmbeddingRun:
    """Tracks under way, vectors not stored yet, and tracks to try again later."""

    def __init__(
        self, store: EmbeddingStore, stamp: EmbedderStamp, events: Events, clock: Clock
    ) -> None:
        self._store = store
        self._stamp = stamp
        self._events = events
        self._clock = clock
        self._stored_at = float("-inf")
        self.under_way: dict[asyncio.Task[Vectors], TrackId] = {}
        self.vectors: dict[TrackId, Vectors] = {}
        self.later: set[TrackId] = set()
        """Tracks to try again when nothing else is pending."""

    def __len__(self) -> int:
        return len(self.under_way) + len(self.vectors) + len(self.later)

    def __contains__(self, track_id: TrackId) -> bool:
        return (
            track_id in self.vectors
            or track_id in self.later
            or track_id in self.under_way.values()
        )

    def start(self, track_id: TrackId, work: Coroutine[None, None, Vectors]) -> None:
        """Have a track embedded."""
        self.under_way[asyncio.ensure_future(work)] = track_id

    async def store_when_due(self) -> None:
        """Store what there is: the first vector at once, so that there is something to pick."""
        if self._clock.monotonic() - self._stored_at >= STORE_SECONDS:
            await self.store()

    async def store(self) -> None:
        """Store the vectors, and announce them once they are on disk."""
        if not self.vectors:
            return
        await self._store.put(self._stamp, self.vectors)
        self._stored_at = self._clock.monotonic()
        self._events.publish(TracksEmbedded(tuple(self.vectors)))
        self.vectors = {}

    async def stop(self) -> None:
        """Give up what is under way."""
        for task in self.under_way:
            task.cancel()
        await asyncio.gather(*self.under_way, return_exceptions=True)
