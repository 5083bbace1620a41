"""The real evaluator's functions, called in this process: no workers, the same answers."""

import asyncio

from anagnorisisd.domain.evaluation import (
    Described,
    Floats64,
    Metrics,
    TrainedModel,
    TrainingSet,
)
from anagnorisisd.ml.evaluator import tasks
from anagnorisisd.ports.workers import Trying


class InlineEvaluator:
    """Implements `ports.workers.Evaluator`; `hold` lets a test look at a training under way."""

    def __init__(self) -> None:
        self.trainings = 0
        self.learnings = 0
        self.hold: asyncio.Event | None = None

    async def training(self) -> bool:
        """Say whether a training has begun."""
        return self.trainings > 0

    async def wake(self) -> None:
        """Be awake already."""

    async def train(self, examples: TrainingSet, seed: int, trying: Trying) -> TrainedModel:
        """Let the candidates compete."""
        self.trainings += 1
        trying("all", 0.0)
        if self.hold is not None:
            await self.hold.wait()
        return tasks.train(examples, seed)

    async def compare(self, old: bytes, examples: TrainingSet, seed: int) -> Metrics:
        """Return how the settings of `old` do."""
        return tasks.compare(old, examples, seed)

    async def learn(self, model: bytes, examples: TrainingSet) -> bytes:
        """Return `model` fitted to `examples`."""
        self.learnings += 1
        return tasks.learn(model, examples)

    async def predict(self, model: bytes, tracks: Described) -> tuple[Floats64, Floats64]:
        """Return means and standard deviations."""
        return tasks.predict(model, tracks)

    async def influences(
        self, model: bytes, track: Described, count: int
    ) -> list[tuple[str, float]]:
        """Return what shaped the prediction of one track."""
        return tasks.influences(model, track, count)

    async def parts(self, model: bytes, track: Described) -> dict[str, float]:
        """Return the share of each part."""
        return tasks.parts(model, track)

    async def suggest(self, model: bytes | None, tracks: Described, count: int) -> list[str]:
        """Return the tracks that would teach the most."""
        return tasks.suggest(model, tracks, count)
