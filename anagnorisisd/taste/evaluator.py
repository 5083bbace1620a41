"""The evaluator as the services see it: learns from ratings, and predicts them."""

from collections.abc import Callable
from typing import Protocol

from anagnorisisd.domain.evaluator import (
    Floats64,
    Metrics,
    TrackFeatures,
    TrainedModel,
    TrainingSet,
)

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

    async def predict(self, model: bytes, tracks: TrackFeatures) -> tuple[Floats64, Floats64]:
        """Return means and standard deviations, `[n]` each, in rating points."""
        ...

    async def influences(
        self, model: bytes, track: TrackFeatures, count: int
    ) -> list[tuple[str, float]]:
        """Return the rated tracks (ids) that shaped the prediction of one track most.

        Each comes with its share of all influence, 0 to 1, the largest first.
        """
        ...

    async def parts(self, model: bytes, track: TrackFeatures) -> dict[str, float]:
        """Return the share, 0 to 1, that sound, artist and so on have in a prediction."""
        ...

    async def suggest(self, model: bytes | None, tracks: TrackFeatures, count: int) -> list[str]:
        """Return the ids of those `tracks` whose ratings would teach the most, best first.

        Without a model everything is taken to be unknown.
        """
        ...
