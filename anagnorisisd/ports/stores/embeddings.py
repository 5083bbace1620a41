"""Vectors, and what is trained on them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

from anagnorisisd.domain.embedding import EmbedderStamp, EmbeddingProgress
from anagnorisisd.domain.evaluation import Described, Heard, Moments, TrainingSet, Vectors
from anagnorisisd.domain.track import TrackId, Uri


class EmbeddingStore(Protocol):
    """Vectors and failures, per track and embedder stamp."""

    async def pending(self, stamp: EmbedderStamp, limit: int) -> Sequence[tuple[TrackId, Uri]]:
        """Return present tracks without a vector or a final failure, the newest added first."""
        ...

    async def put(self, stamp: EmbedderStamp, vectors: Mapping[TrackId, Vectors]) -> None:
        """Store vectors, `[dimension]` each; an older failure of the track is forgotten."""
        ...

    async def fail(
        self, stamp: EmbedderStamp, track_id: TrackId, reason: str, *, final: bool, at: float
    ) -> int:
        """Record a failed try and return how many there were; `final` ends further tries."""
        ...

    async def retry(self, stamp: EmbedderStamp) -> int:
        """Forget all failures, so that their tracks are pending again; return how many."""
        ...

    async def progress(self, stamp: EmbedderStamp) -> EmbeddingProgress:
        """Return the counts of present tracks."""
        ...

    async def get(self, stamp: EmbedderStamp, track_id: TrackId) -> Vectors | None:
        """Return one vector, `[dimension]`."""
        ...

    def described(
        self,
        stamp: EmbedderStamp,
        *,
        batch_size: int = 4096,
        only: Sequence[TrackId] | None = None,
    ) -> AsyncIterator[Described]:
        """Yield the present tracks that have a vector, in batches; `only` limits them."""
        ...

    async def moments(self, stamp: EmbedderStamp) -> Moments:
        """Return mean and deviation of each dimension over all vectors of `stamp`."""
        ...

    async def training_set(self, stamp: EmbedderStamp) -> TrainingSet:
        """Return every track that has both a rating and a vector, missing ones included."""
        ...

    async def heard(self, stamp: EmbedderStamp, limit: int) -> Heard:
        """Return unrated tracks with a vector that were played in full or skipped.

        Of more than `limit` those played last.
        """
        ...

    async def example_count(self, stamp: EmbedderStamp) -> int:
        """Return how many tracks have both a rating and a vector, missing ones included."""
        ...
