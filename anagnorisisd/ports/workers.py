"""Heavy work: done in worker processes, awaited here."""

from collections.abc import Callable
from typing import Protocol

from anagnorisisd.domain.embedding import EmbedderStamp, ExecutorState
from anagnorisisd.domain.evaluation import (
    Described,
    Floats64,
    Metrics,
    TrainedModel,
    TrainingSet,
    Vectors,
)


class Embedder(Protocol):
    """Maps a file to a vector."""

    @property
    def stamp(self) -> EmbedderStamp:
        """What is written beside every vector."""
        ...

    @property
    def concurrency(self) -> int:
        """How many files are worth having under way at once."""
        ...

    @property
    def executor(self) -> ExecutorState:
        """Where the vectors are made, and how that stands."""
        ...

    async def embed(self, path: str) -> Vectors:
        """Return the vector, `[dimension]` finite float32, of the file at `path`.

        Raises:
            FileNotFoundError: there is no such file any more.
            EmbeddingFailed: the file cannot be embedded, or its worker died or hung.
            EmbedderUnusable: no file can be embedded as things are.
        """
        ...

    async def close(self) -> None:
        """Let the workers go, whatever they are doing."""
        ...


class Preference(Protocol):
    """Which embedder is wanted; that changes when weights arrive, or turn out to be unusable."""

    def wanted(self) -> EmbedderStamp:
        """Return the stamp of the best embedder that can be used; may read files.

        Raises:
            EmbedderUnusable: there is none.
        """
        ...

    def refuse(self, stamp: EmbedderStamp) -> None:
        """Never want this one again: its weights cannot be used."""
        ...


Trying = Callable[[str, float], None]
"""Is told which candidate is tried out next, and which share (0 to 1) of them has been."""


class Evaluator(Protocol):
    """Learns from ratings, and rates."""

    async def wake(self) -> None:
        """Get ready, so that what is asked for in a moment is answered sooner."""
        ...

    async def train(self, examples: TrainingSet, seed: int, trying: Trying) -> TrainedModel:
        """Let the candidates compete on `examples` and return the best, fitted on all of them."""
        ...

    async def compare(self, old: bytes, examples: TrainingSet, seed: int) -> Metrics:
        """Return how the kind and settings of `old` do on the same held-out ratings."""
        ...

    async def learn(self, model: bytes, examples: TrainingSet) -> bytes:
        """Return `model` fitted to `examples` without searching its settings again."""
        ...

    async def predict(self, model: bytes, tracks: Described) -> tuple[Floats64, Floats64]:
        """Return means and standard deviations, `[n]` each, in rating points."""
        ...

    async def influences(
        self, model: bytes, track: Described, count: int
    ) -> list[tuple[str, float]]:
        """Return the rated tracks (ids) that shaped the prediction of one track most.

        Each comes with its share of all influence, 0 to 1, the largest first.
        """
        ...

    async def parts(self, model: bytes, track: Described) -> dict[str, float]:
        """Return the share, 0 to 1, that sound, artist and so on have in a prediction."""
        ...

    async def suggest(self, model: bytes | None, tracks: Described, count: int) -> list[str]:
        """Return the ids of those `tracks` whose ratings would teach the most, best first.

        Without a model everything is taken to be unknown.
        """
        ...
