"""When the daemon trains by itself, and when it tries again after a failure.

The rule for retries holds for every training that the daemon starts: the first one, the nightly
one, and one that replaces an unreadable model. A training on request starts at once.
"""

import logging
from datetime import time

from anagnorisisd.clock import Clock
from anagnorisisd.config import schema
from anagnorisisd.domain.embedding import EmbedderStamp
from anagnorisisd.domain.evaluator import Evidence, Failures
from anagnorisisd.errors import StoreError
from anagnorisisd.runtime import daily_schedule
from anagnorisisd.runtime.daily_schedule import Zone
from anagnorisisd.storage.embeddings import EmbeddingStore
from anagnorisisd.storage.evaluators import EvaluatorStore
from anagnorisisd.storage.ratings import RatingStore

log = logging.getLogger(__name__)

MIN_EMBEDDED_SHARE = 0.9
"""The share of rated tracks that a new embedder must have embedded before its first training."""


class TrainingPolicy:
    """Decides from the database whether a training is due, and records how trainings ended."""

    def __init__(
        self,
        *,
        ratings: RatingStore,
        embeddings: EmbeddingStore,
        evaluators: EvaluatorStore,
        clock: Clock,
        config: schema.Training,
        stamp: EmbedderStamp,
    ) -> None:
        self._ratings = ratings
        self._embeddings = embeddings
        self._evaluators = evaluators
        self._clock = clock
        self.config = config
        self._stamp = stamp
        # Failures that the database did not accept: a full disk must not lead to endless retries.
        self._unrecorded = Failures()

    @property
    def time_of_day(self) -> time:
        """The time of the nightly training."""
        return time.fromisoformat(self.config.time)

    @property
    def zone(self) -> Zone:
        """The time zone of `time_of_day`; `None` for the system's."""
        return daily_schedule.zone_named(self.config.timezone)

    async def evidence(self) -> Evidence:
        """Return what there is to learn from now."""
        newest = await self._ratings.history(limit=1)
        return Evidence(
            newest_rating=newest[0].sequence if newest else 0,
            examples=await self._embeddings.example_count(self._stamp),
        )

    async def first_training_is_due(self) -> bool:
        """Return whether the embedder in use has enough rated tracks, but no evaluator yet."""
        current = await self._evaluators.current()
        if current is not None and current.stamp == self._stamp:
            return False
        examples = await self._embeddings.example_count(self._stamp)
        if examples < self.config.minimum_ratings:
            return False
        if current is None:
            return True
        # The previous embedder's predictions are used until most rated tracks are embedded again.
        rated, _ = await self._ratings.summary()
        if examples >= MIN_EMBEDDED_SHARE * rated:
            return True
        return not (await self._embeddings.progress(self._stamp)).pending

    async def nightly_training_is_due(self) -> bool:
        """Return whether the nightly time has passed since the last training, with new ratings.

        If the time has passed and there is nothing to learn, that is recorded as a training, so
        that the next check is in the next night.
        """
        last, now = await self._evaluators.last_training(), self._clock.now()
        if not daily_schedule.is_due(now, last, self.time_of_day, self.zone):
            return False
        current, evidence = await self._evaluators.current(), await self.evidence()
        if current is not None and current.stamp != self._stamp:
            if await self.first_training_is_due():
                return True
            reason = "most rated tracks have no embedding by the present embedder yet"
        elif last is None or evidence != await self._evaluators.last_evidence():
            return True
        else:
            reason = "nothing was rated since the last training"
        await self._evaluators.record_training(now, reason, await self._evaluators.last_evidence())
        return False

    async def next_training_at(self) -> float:
        """Return the time of the next retry or else of the next nightly training."""
        retry = await self.retry_at()
        if retry is not None:
            return retry
        return daily_schedule.next_due(self._clock.now(), self.time_of_day, self.zone)

    async def retry_at(self) -> float | None:
        """Return from when on the daemon may train again; `None` if the last training succeeded."""
        failures = await self.failures()
        if not failures.count:
            return None
        now = self._clock.now()
        if failures.failed_at > now:  # the clock was set back
            return now
        return daily_schedule.next_try(
            failures.count, failures.failed_at, self.time_of_day, self.zone
        )

    async def may_train(self) -> bool:
        """Return whether no training has failed, or it is time for a retry."""
        retry = await self.retry_at()
        return retry is None or retry <= self._clock.now()

    async def failures(self) -> Failures:
        """Return the failures since the last training that succeeded."""
        stored, unrecorded = await self._evaluators.failures(), self._unrecorded
        if not unrecorded.count:
            return stored
        return Failures(stored.count + unrecorded.count, unrecorded.failed_at, unrecorded.reason)

    async def record_success(self, began: float, outcome: str, evidence: Evidence) -> None:
        """Record a training that ended, promoted or not."""
        await self._evaluators.record_training(began, outcome, evidence)
        self._unrecorded = Failures()

    async def record_failure(self, error: Exception) -> None:
        """Record that a training failed now; in memory if the database fails too."""
        now, reason = self._clock.now(), str(error) or type(error).__name__
        try:
            await self._evaluators.record_failure(now, reason)
        except StoreError as store_error:
            log.error("the failure of a training cannot be recorded: %s", store_error)
            self._unrecorded = Failures(self._unrecorded.count + 1, now, reason)
