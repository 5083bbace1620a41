"""Evaluators without worker processes: one that computes in this process, one of fixed answers."""

import asyncio

import numpy as np

from anagnorisisd.domain.evaluator import (
    FeatureStats,
    Floats64,
    Metrics,
    TagPreference,
    TrackFeatures,
    TrainedModel,
    TrainingSet,
)
from anagnorisisd.taste import tag_support
from anagnorisisd.taste.evaluator import ReportModel
from anagnorisisd.taste.models import worker_tasks
from anagnorisisd.taste.tag_support import TagEvidence


class InlineEvaluator:
    """Implements `taste.evaluator.Evaluator`; `hold` lets a test look at a training under way."""

    def __init__(self) -> None:
        self.trainings = 0
        self.refits = 0
        self.hold: asyncio.Event | None = None

    async def training(self) -> bool:
        """Say whether a training has begun."""
        return self.trainings > 0

    async def wake(self) -> None:
        """Be awake already."""

    async def train(self, examples: TrainingSet, seed: int, report: ReportModel) -> TrainedModel:
        """Let the candidates compete."""
        self.trainings += 1
        report("all", 0.0)
        if self.hold is not None:
            await self.hold.wait()
        return worker_tasks.train(examples, seed)

    async def compare(self, old: bytes, examples: TrainingSet, seed: int) -> Metrics:
        """Return how the settings of `old` do."""
        return worker_tasks.compare(old, examples, seed)

    async def refit(self, model: bytes, examples: TrainingSet) -> bytes:
        """Return `model` fitted to `examples`."""
        self.refits += 1
        return worker_tasks.refit(model, examples)

    async def predict(self, model: bytes, tracks: TrackFeatures) -> tuple[Floats64, Floats64]:
        """Return means and standard deviations."""
        return worker_tasks.predict(model, tracks)

    async def influences(
        self, model: bytes, track: TrackFeatures, count: int
    ) -> list[tuple[str, float]]:
        """Return what shaped the prediction of one track."""
        return worker_tasks.influences(model, track, count)

    async def parts(self, model: bytes, track: TrackFeatures) -> dict[str, float]:
        """Return the share of each part."""
        return worker_tasks.parts(model, track)

    async def suggest(
        self, model: bytes | None, tracks: TrackFeatures, feature_stats: FeatureStats, count: int
    ) -> list[str]:
        """Return the tracks that would teach the most."""
        return worker_tasks.suggest(model, tracks, feature_stats, count)

    async def tag_preferences(
        self, model: bytes, examples: TrainingSet, evidence: TagEvidence
    ) -> list[TagPreference]:
        """Return the sound tags that go with the ratings."""
        return tag_support.find(model, examples, evidence)


class FixedEvaluator:
    """Implements `taste.evaluator.Evaluator` by fixed answers."""

    def __init__(self) -> None:
        self.metrics = Metrics(
            mean_absolute_error=1.2,
            baseline_error=2.4,
            rank_correlation=0.7,
            within_one_stddev=0.68,
            within_two_stddev=0.95,
            model_errors={"mean": 2.4, "neighbours": 1.5},
        )
        self.influencing: list[tuple[str, float]] = []
        self.shares: dict[str, float] = {}

    async def wake(self) -> None:
        """Do nothing."""

    async def train(self, examples: TrainingSet, seed: int, report: ReportModel) -> TrainedModel:
        """Return a model with `metrics`."""
        report("gaussian_process", 0.5)
        notes = {"implicit_feedback": "not used: no clear gain"}
        return TrainedModel("gaussian_process", b"model", self.metrics, notes)

    async def compare(self, old: bytes, examples: TrainingSet, seed: int) -> Metrics:
        """Return `metrics`."""
        return self.metrics

    async def refit(self, model: bytes, examples: TrainingSet) -> bytes:
        """Return the same model."""
        return model

    async def predict(self, model: bytes, tracks: TrackFeatures) -> tuple[Floats64, Floats64]:
        """Predict 7 with a standard deviation of 1 for every track."""
        return np.full(len(tracks), 7.0), np.ones(len(tracks))

    async def influences(
        self, model: bytes, track: TrackFeatures, count: int
    ) -> list[tuple[str, float]]:
        """Return `influencing`."""
        return self.influencing[:count]

    async def parts(self, model: bytes, track: TrackFeatures) -> dict[str, float]:
        """Return `shares`."""
        return self.shares

    async def suggest(
        self, model: bytes | None, tracks: TrackFeatures, feature_stats: FeatureStats, count: int
    ) -> list[str]:
        """Return the tracks with the lowest ids."""
        return [str(track_id) for track_id in sorted(tracks.track_ids)[:count]]

    async def tag_preferences(
        self, model: bytes, examples: TrainingSet, evidence: TagEvidence
    ) -> list[TagPreference]:
        """Return none."""
        return []
