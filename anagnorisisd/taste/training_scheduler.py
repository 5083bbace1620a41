"""Training: learning from the listener's ratings, at once a little and each night in full.

| what happens                     | what follows                                            |
|----------------------------------|---------------------------------------------------------|
| a track is rated                 | the evaluator learns it, and predicts everything anew   |
| a track is embedded              | it is predicted                                         |
| the first ratings are there      | a first training                                        |
| the nightly moment has passed    | a training, if there is more to learn from than then    |
| the model cannot be read         | a training                                              |
| the embedder is another one      | a training, once most rated tracks have its embeddings  |
| a training failed                | it is tried again, less and less often (`attempts`)     |

Events only wake; what there is to do is read from the stores, so that a crash between any two
steps is made up for at the next start.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import time
from zoneinfo import ZoneInfo

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
from anagnorisisd.errors import (
    AnagnorisisError,
    EvaluatorUnreadable,
    PreconditionFailed,
)
from anagnorisisd.events import EvaluatorPromoted, Events, TrackRated, TracksEmbedded
from anagnorisisd.runtime import daily_schedule
from anagnorisisd.runtime.daily_schedule import Zone
from anagnorisisd.runtime.scheduler import Scheduler
from anagnorisisd.storage.embeddings import EmbeddingStore
from anagnorisisd.storage.evaluators import EvaluatorStore
from anagnorisisd.storage.ratings import RatingStore
from anagnorisisd.taste.evaluator import Evaluator
from anagnorisisd.taste.explanations import Explanations
from anagnorisisd.taste.trainer import Say, Trainer
from anagnorisisd.taste.training_attempts import Attempts
from anagnorisisd.taste.training_queue import TrainingQueue

log = logging.getLogger(__name__)

MIN_EMBEDDED_SHARE = 0.9


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
        stamp: EmbedderStamp,
    ) -> None:
        self._ratings = ratings
        self._embeddings = embeddings
        self._evaluators = evaluators
        self._evaluator = evaluator
        self._scheduler = scheduler
        self._events = events
        self._clock = clock
        self._config = config
        self._stamp = stamp
        self._trainer = Trainer(
            embeddings=embeddings,
            evaluators=evaluators,
            evaluator=evaluator,
            events=events,
            clock=clock,
            stamp=stamp,
            minimum_ratings=config.minimum_ratings,
        )
        self.curiosity = Explanations(
            ratings=ratings,
            embeddings=embeddings,
            evaluators=evaluators,
            evaluator=evaluator,
            stamp=stamp,
        )
        self._attempts = Attempts(evaluators, clock)
        self._training_lock = asyncio.Lock()
        self._queue = TrainingQueue(
            evidence=self._evidence,
            train=self._train,
            failed=self._attempts.failed,
            training_lock=self._training_lock,
        )
        self._wake = asyncio.Event()
        self._rated = True  # what was rated before the start may not have been learnt

    def reconfigure(self, config: schema.Training) -> None:
        """Train at another time or from another number of ratings from now on.

        The scheduler still wakes at the time it began with; it is its look each minute that finds
        the new one.
        """
        self._config = config
        self._trainer.minimum_ratings = config.minimum_ratings
        self._wake.set()  # a first training may be due now

    @property
    def _at(self) -> time:
        return time.fromisoformat(self._config.time)

    @property
    def _zone(self) -> Zone:
        return ZoneInfo(self._config.timezone) if self._config.timezone else None

    async def run(self) -> None:
        """Learn, predict and train whenever there is reason to, until cancelled."""
        self._wake.set()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._listen())
                group.create_task(self._react())
                group.create_task(self._scheduler.run(self._at, self._zone, self._train_if_due))
        finally:
            await self._queue.close()

    async def train(self) -> AsyncIterator[TrainingProgress]:
        """Follow a training that learns from every rating stored before, to its result.

        It may be shared with other callers, and goes on when this one leaves.
        """
        followed = await self._queue.request()
        async for progress in followed.follow():
            yield progress

    async def status(self) -> TrainingStatus:
        """Return what is learnt, and when more will be."""
        examples = await self._embeddings.example_count(self._stamp)
        nightly = daily_schedule.next_due(self._clock.now(), self._at, self._zone)
        next_try = await self._attempts.next_try(self._at, self._zone)
        return TrainingStatus(
            evaluator=await self._evaluators.current(),
            examples=examples,
            needed=max(0, self._config.minimum_ratings - examples),
            training=self._queue.busy,
            last_training_at=await self._evaluators.last_training(),
            next_training_at=nightly if next_try is None else next_try,
            failures=await self._attempts.failures(),
        )

    async def rollback(self, version: int) -> EvaluatorVersion:
        """Make an earlier evaluator current; it learns today's ratings with its own settings.

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
            await self._trainer.learn()
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
            delay_seconds = self._config.learn_after_seconds
            woken = self._clock.monotonic()
            if await self._trainer.current_version() is not None:
                await self._evaluator.wake()
            # A moment's delay_seconds: ratings and embeddings tend to come in groups.
            await self._clock.sleep(max(0.0, woken + delay_seconds - self._clock.monotonic()))
            self._wake.clear()
            await self._catch_up()

    async def _catch_up(self) -> None:
        if await self._first_training_is_due():
            await self._train_unasked()
            return
        rated, self._rated = self._rated, False
        try:
            async with self._training_lock:
                if rated:
                    await self._trainer.learn()
                else:
                    await self._trainer.predict_missing()
        except EvaluatorUnreadable as error:
            await self._train_unasked(f"training a new evaluator: {error}")
        except BaseException:
            self._rated = self._rated or rated  # it is still to be learnt
            raise

    async def _first_training_is_due(self) -> bool:
        if await self._trainer.current_version() is not None:
            return False
        examples = await self._embeddings.example_count(self._stamp)
        if examples < self._config.minimum_ratings:
            return False
        if await self._evaluators.current() is None:
            return True
        # The old embedder's predictions are in use until most of the evidence has come over.
        rated, _ = await self._ratings.summary()
        if examples >= MIN_EMBEDDED_SHARE * rated:
            return True
        return not (await self._embeddings.progress(self._stamp)).pending

    async def _train_if_due(self) -> None:
        """Train if it is time to: called each minute."""
        if (await self._attempts.failures()).count or await self._nightly_training_is_due():
            await self._train_unasked()

    async def _nightly_training_is_due(self) -> bool:
        last, now = await self._evaluators.last_training(), self._clock.now()
        if not daily_schedule.is_due(now, last, self._at, self._zone):
            return False
        current, evidence = await self._evaluators.current(), await self._evidence()
        if current is not None and current.stamp != self._stamp:
            if await self._first_training_is_due():
                return True
            lack = "most rated tracks have no embedding by the present embedder yet"
        elif last is None or evidence != await self._evaluators.learnt():
            return True
        else:
            lack = "nothing was rated since the last training"
        # So it is not looked at again before the next night.
        await self._evaluators.record_training(now, lack, await self._evaluators.learnt())
        return False

    async def _train_unasked(self, reason: str = "") -> None:
        """Train, unless a training failed so lately that it is not time to try again."""
        next_try = await self._attempts.next_try(self._at, self._zone)
        if next_try is not None and next_try > self._clock.now():
            return
        if reason:
            log.warning("%s", reason)
        try:
            async for progress in self.train():
                log.debug("training: %s", progress.message)
        except Exception as error:
            # It is on record, where the doctor finds it.
            expected = isinstance(error, AnagnorisisError)
            log.error("training failed, will be retried: %s", error, exc_info=not expected)

    async def _evidence(self) -> Evidence:
        newest = await self._ratings.history(limit=1)
        return Evidence(
            newest_rating=newest[0].sequence if newest else 0,
            examples=await self._embeddings.example_count(self._stamp),
        )

    async def _train(self, say: Say, evidence: Evidence) -> TrainingResult:
        began = self._clock.now()
        result = await self._trainer.train(say)
        await self._attempts.succeeded(began, result.reason, evidence)
        return result
