"""Training of the evaluator: a refit after each rating, a full training each night.

| event                            | consequence                                                 |
|----------------------------------|-------------------------------------------------------------|
| a track is rated                 | the evaluator is refitted and predicts all tracks again     |
| a track is embedded              | its rating is predicted                                     |
| there are enough ratings         | a first training                                            |
| the nightly time has passed      | a training, if there are new ratings or embeddings          |
| the model cannot be read         | a training                                                  |
| the embedder was changed         | a training, once it has embedded most rated tracks          |
| a training failed                | retries at growing intervals (`training_policy`)            |

Events only wake the scheduler. It reads from the database what is to be done, so the next start
continues after a crash between any two steps.
"""

import asyncio
import logging
from collections.abc import AsyncIterator

from anagnorisisd.clock import Clock
from anagnorisisd.config import schema
from anagnorisisd.domain.embedding import EmbedderStamp
from anagnorisisd.domain.evaluator import (
    EvaluatorVersion,
    Evidence,
    TrainingProgress,
    TrainingResult,
    TrainingStatus,
)
from anagnorisisd.embedding.sound_tags import SoundTagIndex
from anagnorisisd.errors import AnagnorisisError, EvaluatorUnreadable, PreconditionFailed
from anagnorisisd.events import EvaluatorPromoted, Events, TrackRated, TracksEmbedded
from anagnorisisd.runtime.scheduler import Scheduler
from anagnorisisd.storage.embeddings import EmbeddingStore
from anagnorisisd.storage.evaluators import EvaluatorStore
from anagnorisisd.storage.ratings import RatingStore
from anagnorisisd.taste.evaluator import Evaluator
from anagnorisisd.taste.explanations import Explanations
from anagnorisisd.taste.tag_preferences import TagPreferenceFinder
from anagnorisisd.taste.trainer import ReportProgress, Trainer
from anagnorisisd.taste.training_policy import TrainingPolicy
from anagnorisisd.taste.training_queue import TrainingQueue

log = logging.getLogger(__name__)


class TrainingScheduler:
    """Keeps the current evaluator up to date with the ratings."""

    def __init__(
        self,
        *,
        ratings: RatingStore,
        embeddings: EmbeddingStore,
        evaluators: EvaluatorStore,
        evaluator: Evaluator,
        scheduler: Scheduler,
        events: Events,
        clock: Clock,
        config: schema.Training,
        sound_tags: SoundTagIndex,
        stamp: EmbedderStamp,
    ) -> None:
        self._evaluators = evaluators
        self._evaluator = evaluator
        self._scheduler = scheduler
        self._events = events
        self._clock = clock
        self._stamp = stamp
        self._policy = TrainingPolicy(
            ratings=ratings,
            embeddings=embeddings,
            evaluators=evaluators,
            clock=clock,
            config=config,
            stamp=stamp,
        )
        self._trainer = Trainer(
            embeddings=embeddings,
            evaluators=evaluators,
            evaluator=evaluator,
            events=events,
            clock=clock,
            tag_preferences=TagPreferenceFinder(sound_tags, evaluators, evaluator),
            stamp=stamp,
            minimum_ratings=config.minimum_ratings,
        )
        self.explanations = Explanations(
            ratings=ratings,
            embeddings=embeddings,
            evaluators=evaluators,
            evaluator=evaluator,
            sound_tags=sound_tags,
            stamp=stamp,
        )
        self._training_lock = asyncio.Lock()
        self._queue = TrainingQueue(
            evidence=self._policy.evidence,
            train=self._train,
            failed=self._policy.record_failure,
            training_lock=self._training_lock,
        )
        self._wake = asyncio.Event()
        self._rated = True  # ratings before the start may not be learnt yet

    def reconfigure(self, config: schema.Training) -> None:
        """Apply the time of the nightly training and the minimum number of ratings.

        The scheduler keeps its nightly time; its check each minute uses the new one.
        """
        self._policy.config = config
        self._trainer.minimum_ratings = config.minimum_ratings
        self._wake.set()  # a first training may be due now

    async def run(self) -> None:
        """Refit, predict and train when due, until cancelled."""
        self._wake.set()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._listen())
                group.create_task(self._react())
                group.create_task(
                    self._scheduler.run(
                        self._policy.time_of_day, self._policy.zone, self._train_if_due
                    )
                )
        finally:
            await self._queue.close()

    async def train(self) -> AsyncIterator[TrainingProgress]:
        """Train with all ratings stored before, and yield the progress up to the result.

        Callers may share a training; it continues when one of them stops iterating.
        """
        followed = await self._queue.request()
        async for progress in followed.follow():
            yield progress

    async def follow(self) -> AsyncIterator[TrainingProgress]:
        """Yield the progress of the training that is running, from its start up to the result.

        Raises:
            PreconditionFailed: no training is running.
        """
        followed = self._queue.newest
        if followed is None:
            raise PreconditionFailed("no training is running")
        async for progress in followed.follow():
            yield progress

    async def status(self) -> TrainingStatus:
        """Return the state of the evaluator, and when the next training is."""
        examples = (await self._policy.evidence()).examples
        return TrainingStatus(
            evaluator=await self._evaluators.current(),
            examples=examples,
            needed=max(0, self._policy.config.minimum_ratings - examples),
            training=self._queue.busy,
            last_training_at=await self._evaluators.last_training(),
            next_training_at=await self._policy.next_training_at(),
            failures=await self._policy.failures(),
        )

    async def rollback(self, version: int) -> EvaluatorVersion:
        """Make an earlier evaluator current, and refit it to all ratings.

        Raises:
            InvalidValue: there is no such version.
            PreconditionFailed: it was made for another embedder, or is no longer kept.
        """
        async with self._training_lock:
            earlier = await self._evaluators.version(version)
            if earlier.stamp != self._stamp:
                raise PreconditionFailed(
                    f"evaluator {version} was made for the embedder {earlier.stamp}, "
                    f"which is not the present one, {self._stamp}"
                )
            if not await self._evaluators.blob(version):
                raise PreconditionFailed(f"the model of evaluator {version} is no longer kept")
            current = await self._evaluators.make_current(version)
            self._events.publish(EvaluatorPromoted(version))
            await self._trainer.refit()
            return current

    async def _listen(self) -> None:
        with self._events.subscribe() as news:
            async for announcement in news:
                if announcement.missed or isinstance(announcement.event, TrackRated):
                    self._rated = True
                    self._wake.set()
                elif isinstance(announcement.event, TracksEmbedded):
                    self._wake.set()

    async def _react(self) -> None:
        while True:
            await self._wake.wait()
            delay_seconds = self._policy.config.learn_after_seconds
            woken = self._clock.monotonic()
            if await self._trainer.current_version() is not None:
                await self._evaluator.wake()
            # Wait a moment: ratings and embeddings tend to come in groups.
            await self._clock.sleep(max(0.0, woken + delay_seconds - self._clock.monotonic()))
            self._wake.clear()
            await self._catch_up()

    async def _catch_up(self) -> None:
        if await self._policy.first_training_is_due():
            await self._train_by_itself()
            return
        rated, self._rated = self._rated, False
        try:
            async with self._training_lock:
                if rated:
                    await self._trainer.refit()
                else:
                    await self._trainer.predict_missing()
        except EvaluatorUnreadable as error:
            await self._train_by_itself(f"training a new evaluator: {error}")
        except BaseException:
            self._rated = self._rated or rated  # not learnt yet
            raise

    async def _train_if_due(self) -> None:
        """Train if a retry or the nightly training is due; called each minute."""
        failed = (await self._policy.failures()).count
        if failed or await self._policy.nightly_training_is_due():
            await self._train_by_itself()

    async def _train_by_itself(self, reason: str = "") -> None:
        """Train, unless a training failed and it is too early for a retry."""
        if not await self._policy.may_train():
            return
        if reason:
            log.warning("%s", reason)
        try:
            async for progress in self.train():
                log.debug("training: %s", progress.message)
        except Exception as error:
            # It is recorded, and the doctor reports it.
            expected = isinstance(error, AnagnorisisError)
            log.error("training failed, will be retried: %s", error, exc_info=not expected)

    async def _train(self, report: ReportProgress, evidence: Evidence) -> TrainingResult:
        began = self._clock.now()
        result = await self._trainer.train(report)
        await self._policy.record_success(began, result.reason, evidence)
        return result
