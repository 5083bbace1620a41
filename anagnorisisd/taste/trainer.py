"""Training of evaluators: from the ratings to the promotion, and refits in between.

A refitted model is stored after all its predictions. If the daemon stops in between, the next start
finds that the stored model lacks the newest ratings, and refits it again.
"""

import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

from anagnorisisd.clock import Clock
from anagnorisisd.domain.embedding import EmbedderStamp
from anagnorisisd.domain.evaluator import (
    EvaluatorStatus,
    EvaluatorVersion,
    Metrics,
    TrackFeatures,
    TrainedModel,
    TrainingOutcome,
    TrainingPhase,
    TrainingProgress,
    TrainingResult,
    TrainingSet,
)
from anagnorisisd.errors import EvaluatorUnreadable
from anagnorisisd.events import EvaluatorPromoted, Events, PredictionsUpdated
from anagnorisisd.storage.embeddings import EmbeddingStore
from anagnorisisd.storage.evaluators import EvaluatorStore
from anagnorisisd.taste.evaluator import Evaluator
from anagnorisisd.taste.tag_preferences import TagPreferenceFinder

log = logging.getLogger(__name__)

MAX_IMPLICIT_FEEDBACK = 500
"""The number of unrated tracks, the last ones played, whose plays are used."""

BATCH_SIZE = 4096
"""Tracks whose vectors are in memory at once."""

ReportProgress = Callable[[TrainingProgress], None]


class Trainer:
    """Trains evaluators and keeps their predictions up to date. Calls must not overlap."""

    def __init__(
        self,
        *,
        embeddings: EmbeddingStore,
        evaluators: EvaluatorStore,
        evaluator: Evaluator,
        events: Events,
        clock: Clock,
        tag_preferences: TagPreferenceFinder,
        stamp: EmbedderStamp,
        minimum_ratings: int,
    ) -> None:
        self._embeddings = embeddings
        self._evaluators = evaluators
        self._evaluator = evaluator
        self._events = events
        self._clock = clock
        self._tag_preferences = tag_preferences
        self._stamp = stamp
        self.minimum_ratings = minimum_ratings
        self._prediction_writer = PredictionWriter(embeddings, evaluators, evaluator, events, stamp)

    async def current_version(self) -> EvaluatorVersion | None:
        """Return the current evaluator if it is one for the present embedder."""
        current = await self._evaluators.current()
        return current if current is not None and current.stamp == self._stamp else None

    async def train(self, report: ReportProgress) -> TrainingResult:
        """Train a new evaluator, promote it if it is not worse, and predict everything."""
        report(TrainingProgress(TrainingPhase.LOADING, 0.0, "reading ratings and embeddings"))
        examples = await self._examples()
        missing_ratings = self.minimum_ratings - len(examples)
        if missing_ratings > 0:
            return TrainingResult(
                TrainingOutcome.TOO_FEW_RATINGS, _too_few(len(examples), missing_ratings)
            )

        def report_model(kind: str, share: float) -> None:
            message = f"trying a model on {len(examples)} ratings: {kind}"
            report(TrainingProgress(TrainingPhase.MODEL_SELECTION, 0.1 + 0.5 * share, message))

        model = await self._evaluator.train(examples, len(examples), report_model)
        report(
            TrainingProgress(TrainingPhase.COMPARISON, 0.6, "comparing with the current evaluator")
        )
        promoted, reason = await self._compare(model, examples)
        version = await self._evaluators.add(
            model,
            self._stamp,
            rating_count=len(examples),
            status=EvaluatorStatus.CURRENT if promoted else EvaluatorStatus.NOT_PROMOTED,
            promotion_reason=reason,
            at=self._clock.now(),
        )
        if not promoted:
            await self.refit()
            if current := await self.current_version():
                await self._tag_preferences.update(current, examples)
            return TrainingResult(TrainingOutcome.NOT_PROMOTED, reason, version)
        self._events.publish(EvaluatorPromoted(version.version))
        await self._predict_all(version, model.blob, report)
        version = await self._tag_preferences.update(version, examples)
        return TrainingResult(TrainingOutcome.PROMOTED, reason, version)

    async def refit(self) -> None:
        """Refit the current evaluator to all ratings, and predict everything again."""
        current = await self.current_version()
        if current is None:
            return
        examples = await self._examples()
        blob = await self._evaluators.blob(current.version)
        model = await self._evaluator.refit(blob, examples) if len(examples) else blob
        if model == blob:
            await self._prediction_writer.predict_missing(current.version, model)
        else:
            await self._prediction_writer.predict_all(current.version, model)
            await self._evaluators.update_blob(current.version, model)

    async def predict_missing(self) -> None:
        """Predict the tracks which the current evaluator has not predicted yet."""
        if current := await self.current_version():
            model = await self._evaluators.blob(current.version)
            await self._prediction_writer.predict_missing(current.version, model)

    async def _examples(self) -> TrainingSet:
        examples = await self._embeddings.training_set(self._stamp)
        return replace(
            examples,
            implicit_feedback=await self._embeddings.implicit_feedback(
                self._stamp, MAX_IMPLICIT_FEEDBACK
            ),
        )

    async def _compare(self, model: TrainedModel, examples: TrainingSet) -> tuple[bool, str]:
        """Return whether `model` is promoted, and why; both keep their own hyperparameters."""
        current = await self.current_version()
        old: Metrics | None = None
        new = model.metrics
        if current is not None:
            try:
                blob = await self._evaluators.blob(current.version)
                old = await self._evaluator.compare(blob, examples, seed=len(examples))
                new = await self._evaluator.compare(model.blob, examples, seed=len(examples))
            except EvaluatorUnreadable as error:
                log.warning("evaluator %d is replaced: %s", current.version, error)
        return promotion(new, old)

    async def _predict_all(
        self, version: EvaluatorVersion, model: bytes, report: ReportProgress
    ) -> None:
        total = max(1, (await self._embeddings.progress(self._stamp)).embedded)

        def report_predicted(done: int) -> None:
            message = f"predicted {done} of {total} tracks"
            fraction = 0.7 + 0.3 * min(1.0, done / total)
            report(TrainingProgress(TrainingPhase.PREDICTION, fraction, message))

        await self._prediction_writer.predict_all(version.version, model, report_predicted)


def _too_few(examples: int, missing_ratings: int) -> str:
    return (
        f"{missing_ratings} more rated and embedded tracks are needed for a first training; "
        f"there are {examples}"
    )


def promotion(new: Metrics, old: Metrics | None) -> tuple[bool, str]:
    """Return whether the new evaluator takes over from the old one, and why.

    Both were measured on the same held-out ratings; `None` means that there is nothing to
    compare with.
    """
    error = new.mean_absolute_error
    if old is None:
        return True, f"no evaluator to compare with; mean absolute error {error:.2f}"
    better = error <= old.mean_absolute_error
    return better, (
        f"{'not worse' if better else 'worse'}: mean absolute error {error:.3f} "
        f"(current evaluator {old.mean_absolute_error:.3f})"
    )


def _ignore(done: int) -> None:
    """Do not report progress."""


class PredictionWriter:
    """Predicts the ratings of all embedded tracks and stores them, batch by batch."""

    def __init__(
        self,
        embeddings: EmbeddingStore,
        evaluators: EvaluatorStore,
        evaluator: Evaluator,
        events: Events,
        stamp: EmbedderStamp,
    ) -> None:
        self._embeddings = embeddings
        self._evaluators = evaluators
        self._evaluator = evaluator
        self._events = events
        self._stamp = stamp

    async def predict_all(
        self, version: int, model: bytes, report: Callable[[int], None] = _ignore
    ) -> int:
        """Predict every embedded track; call `report` with the number done. Return the number."""
        batches = self._embeddings.track_features(self._stamp, batch_size=BATCH_SIZE)
        return await self._predict(version, model, batches, report)

    async def predict_missing(self, version: int, model: bytes) -> int:
        """Predict the tracks without a prediction by `version`. Return their number."""
        return await self._predict(version, model, self._missing(version), _ignore)

    async def _missing(self, version: int) -> AsyncIterator[TrackFeatures]:
        """Yield tracks without a prediction, until none are left or their predictions fail."""
        before = None
        while True:
            missing = await self._evaluators.unpredicted(version, self._stamp, BATCH_SIZE)
            if not missing or missing == before:
                return
            before = missing
            async for batch in self._embeddings.track_features(self._stamp, only=missing):
                yield batch

    async def _predict(
        self,
        version: int,
        model: bytes,
        batches: AsyncIterator[TrackFeatures],
        report: Callable[[int], None],
    ) -> int:
        done = 0
        async for batch in batches:
            mean, stddev = await self._evaluator.predict(model, batch)
            await self._evaluators.put_predictions(version, batch.track_ids, mean, stddev)
            done += len(batch)
            report(done)
        if done:
            self._events.publish(PredictionsUpdated(done))
        return done
