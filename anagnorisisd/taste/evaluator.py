"""The evaluator: it learns from ratings and predicts them, in worker processes."""

from collections.abc import Callable
from typing import Any, Protocol, cast

from anagnorisisd.domain.evaluator import (
    FeatureStats,
    Floats64,
    Metrics,
    TagPreference,
    TrackFeatures,
    TrainedModel,
    TrainingSet,
)
from anagnorisisd.taste.tag_support import TagEvidence
from anagnorisisd.workers.pool import WorkerPool

TASKS = "anagnorisisd.taste.models.worker_tasks"
TAG_PREFERENCES = "anagnorisisd.taste.tag_support:find"
MEAN_AND_STDDEV = tuple[Floats64, Floats64]

TRAINING_SECONDS = 3600.0
TASK_SECONDS = 300.0

ReportModel = Callable[[str, float], None]
"""Called with the model that is evaluated next and the share (0 to 1) of models done."""


class Evaluator(Protocol):
    """Learns from ratings and predicts them."""

    async def wake(self) -> None:
        """Start what the next call needs, so that it is answered sooner."""
        ...

    async def train(self, examples: TrainingSet, seed: int, report: ReportModel) -> TrainedModel:
        """Cross-validate all models on `examples` and return the best, fitted on all of them."""
        ...

    async def compare(self, old: bytes, examples: TrainingSet, seed: int) -> Metrics:
        """Return the metrics of the model and hyperparameters of `old` on held-out ratings."""
        ...

    async def refit(self, model: bytes, examples: TrainingSet) -> bytes:
        """Return `model` fitted to `examples` with the hyperparameters that it has."""
        ...

    async def predict(self, model: bytes, tracks: TrackFeatures) -> tuple[Floats64, Floats64]:
        """Return means and standard deviations, `[n]` each, in rating points."""
        ...

    async def influences(
        self, model: bytes, track: TrackFeatures, count: int
    ) -> list[tuple[str, float]]:
        """Return the rated tracks (ids) with the largest contributions to one prediction.

        Each comes with its share of all contributions, 0 to 1, the largest first.
        """
        ...

    async def parts(self, model: bytes, track: TrackFeatures) -> dict[str, float]:
        """Return the share, 0 to 1, that sound, artist and so on have in a prediction."""
        ...

    async def suggest(
        self, model: bytes | None, tracks: TrackFeatures, feature_stats: FeatureStats, count: int
    ) -> list[str]:
        """Return the ids of the `tracks` whose ratings would be most informative, best first.

        Without a model, the prior distribution and the `feature_stats` of the library are used.
        """
        ...

    async def tag_preferences(
        self, model: bytes, examples: TrainingSet, evidence: TagEvidence
    ) -> list[TagPreference]:
        """Return the sound tags that go with the ratings of `examples`, the strongest first."""
        ...


class WorkerEvaluator:
    """The `Evaluator` that runs in worker processes.

    Every method may also raise `WorkerLost`, and `EvaluatorUnreadable` where it is given a model.
    """

    def __init__(self, workers: WorkerPool) -> None:
        self._workers = workers

    async def wake(self) -> None:
        """Start the worker and let it import what it needs."""
        await self._workers.run(f"{TASKS}:warm_up", timeout_seconds=TASK_SECONDS)

    async def train(self, examples: TrainingSet, seed: int, report: ReportModel) -> TrainedModel:
        """Cross-validate all models on `examples` and return the best, fitted on all of them."""
        kinds = await self._train(list[str], "eligible_kinds", examples)
        predictions = {}
        for place, kind in enumerate(kinds):
            report(kind, place / len(kinds))
            predictions[kind] = await self._train(
                MEAN_AND_STDDEV, "cross_validate", kind, examples, seed
            )
        return cast(
            "TrainedModel",
            await self._train(TrainedModel, "select_model", examples, seed, predictions),
        )

    async def compare(self, old: bytes, examples: TrainingSet, seed: int) -> Metrics:
        """Return the metrics of the model and hyperparameters of `old` on held-out ratings."""
        return cast("Metrics", await self._train(Metrics, "compare", old, examples, seed))

    async def refit(self, model: bytes, examples: TrainingSet) -> bytes:
        """Return `model` fitted to `examples` with the hyperparameters that it has."""
        answer = await self._workers.run(
            f"{TASKS}:refit", model, examples, timeout_seconds=TASK_SECONDS, result_type=bytes
        )
        return cast("bytes", answer)

    async def predict(self, model: bytes, tracks: TrackFeatures) -> tuple[Floats64, Floats64]:
        """Return means and standard deviations, `[n]` each, in rating points."""
        answer = await self._workers.run(
            f"{TASKS}:predict",
            model,
            tracks,
            timeout_seconds=TASK_SECONDS,
            result_type=MEAN_AND_STDDEV,
        )
        return cast("tuple[Floats64, Floats64]", answer)

    async def influences(
        self, model: bytes, track: TrackFeatures, count: int
    ) -> list[tuple[str, float]]:
        """Return the rated tracks (ids) with the largest contributions to one prediction."""
        answer = await self._workers.run(
            f"{TASKS}:influences",
            model,
            track,
            count,
            timeout_seconds=TASK_SECONDS,
            result_type=list[tuple[str, float]],
        )
        return cast("list[tuple[str, float]]", answer)

    async def parts(self, model: bytes, track: TrackFeatures) -> dict[str, float]:
        """Return the share, 0 to 1, that sound, artist and so on have in a prediction."""
        answer = await self._workers.run(
            f"{TASKS}:parts",
            model,
            track,
            timeout_seconds=TASK_SECONDS,
            result_type=dict[str, float],
        )
        return cast("dict[str, float]", answer)

    async def suggest(
        self, model: bytes | None, tracks: TrackFeatures, feature_stats: FeatureStats, count: int
    ) -> list[str]:
        """Return the ids of the `tracks` whose ratings would be most informative, best first."""
        answer = await self._workers.run(
            f"{TASKS}:suggest",
            model,
            tracks,
            feature_stats,
            count,
            timeout_seconds=TASK_SECONDS,
            result_type=list[str],
        )
        return cast("list[str]", answer)

    async def tag_preferences(
        self, model: bytes, examples: TrainingSet, evidence: TagEvidence
    ) -> list[TagPreference]:
        """Return the sound tags that go with the ratings of `examples`, the strongest first."""
        answer = await self._workers.run(
            TAG_PREFERENCES,
            model,
            examples,
            evidence,
            timeout_seconds=TRAINING_SECONDS,
            result_type=list[TagPreference],
        )
        return cast("list[TagPreference]", answer)

    async def _train(self, answer: Any, task: str, *arguments: Any) -> Any:
        return await self._workers.run(
            f"{TASKS}:{task}", *arguments, timeout_seconds=TRAINING_SECONDS, result_type=answer
        )
