"""The evaluation of the current evaluator on held-out ratings, computed once per version."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from anagnorisisd.domain.embedding import EmbedderStamp
from anagnorisisd.domain.evaluator import Floats64, TrainingSet
from anagnorisisd.domain.track import TrackId
from anagnorisisd.errors import NoEvaluator, PreconditionFailed
from anagnorisisd.report.data import MIN_HELD_OUT, HeldOutEvaluation
from anagnorisisd.storage.embeddings import EmbeddingStore
from anagnorisisd.storage.evaluators import EvaluatorStore
from anagnorisisd.workers.pool import WorkerPool

TIMEOUT_SECONDS = 600.0

Review = tuple[HeldOutEvaluation, Floats64]
"""An evaluation and its coverage; see `held_out_evaluation.evaluate`."""

Evaluate = Callable[[bytes, TrainingSet], Awaitable[Review | None]]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The evaluation of the evaluator `version`.

    `track_ids` are those of the first `seen.tracks` held-out ratings. `coverage`, `[levels]`, has
    the share of ratings within the prediction intervals of `data.LEVELS`.
    """

    version: int
    track_ids: Sequence[TrackId]
    seen: HeldOutEvaluation
    coverage: Floats64


class EvaluationService:
    """Evaluates the current evaluator, and keeps the result until another one is current."""

    def __init__(
        self,
        embeddings: EmbeddingStore,
        evaluators: EvaluatorStore,
        stamp: EmbedderStamp,
        evaluate: Evaluate,
    ) -> None:
        self._embeddings = embeddings
        self._evaluators = evaluators
        self._stamp = stamp
        self._evaluate = evaluate
        self._lock = asyncio.Lock()
        self._latest: Evaluation | None = None

    async def current(self) -> Evaluation:
        """Return the evaluation of the current evaluator, with the ratings at its first request.

        Raises:
            NoEvaluator: none has been trained yet.
            PreconditionFailed: it was trained for another embedder, or there are too few ratings.
            WorkerLost: the worker died or was too slow.
        """
        async with self._lock:
            current = await self._evaluators.current()
            if current is None:
                raise NoEvaluator("no evaluator has been trained yet; rate some tracks, then train")
            if self._latest is not None and self._latest.version == current.version:
                return self._latest
            if current.stamp != self._stamp:
                raise PreconditionFailed(
                    f"the evaluator was trained on {current.stamp}; train one on {self._stamp}"
                )
            training = await self._embeddings.training_set(self._stamp)
            model = await self._evaluators.blob(current.version)
            review = await self._evaluate(model, training)
            if review is None:
                raise PreconditionFailed(
                    f"{2 * MIN_HELD_OUT} rated and embedded tracks are needed to hold some out, "
                    f"there are {len(training)}"
                )
            seen, coverage = review
            track_ids = [training.tracks.track_ids[row] for row in seen.rows.tolist()]
            self._latest = Evaluation(current.version, track_ids, seen, coverage)
            return self._latest


async def evaluate_in_worker(
    workers: WorkerPool, model: bytes, training: TrainingSet
) -> Review | None:
    """Return the evaluation, computed in a worker; `None` if there are too few ratings."""
    review: Review | None = await workers.run(
        "anagnorisisd.report.held_out_evaluation:evaluate",
        model,
        training,
        timeout_seconds=TIMEOUT_SECONDS,
        result_type=Review | None,
    )
    return review
