"""Attempts: what came of trainings, and when one that failed may be tried again.

One rule for every training that the daemon starts by itself: the first, the nightly, and the one
that replaces a model. A training that the listener asks for is tried at once, and counts.
"""

import logging
from datetime import time

from anagnorisisd.clock import Clock
from anagnorisisd.domain.evaluator import Evidence, Failures
from anagnorisisd.errors import StoreError
from anagnorisisd.runtime import daily_schedule
from anagnorisisd.runtime.daily_schedule import Zone
from anagnorisisd.storage.evaluators import EvaluatorStore

log = logging.getLogger(__name__)


class Attempts:
    """The record of trainings, as far as the next one depends on it."""

    def __init__(self, evaluators: EvaluatorStore, clock: Clock) -> None:
        self._evaluators = evaluators
        self._clock = clock
        # A full disk must not lead to trying again and again.
        self._unrecorded = Failures()

    async def succeeded(self, began: float, outcome: str, evidence: Evidence) -> None:
        """Record a training that came to its end."""
        await self._evaluators.record_training(began, outcome, evidence)
        self._unrecorded = Failures()

    async def failed(self, error: Exception) -> None:
        """Record that a training failed now; in memory if the store does not take it."""
        now, reason = self._clock.now(), str(error) or type(error).__name__
        try:
            await self._evaluators.record_failure(now, reason)
        except StoreError as refused:
            log.error("the failure of a training cannot be recorded: %s", refused)
            self._unrecorded = Failures(self._unrecorded.count + 1, now, reason)

    async def failures(self) -> Failures:
        """Return the failures since the last training that did not fail."""
        stored, unrecorded = await self._evaluators.failures(), self._unrecorded
        if not unrecorded.count:
            return stored
        return Failures(stored.count + unrecorded.count, unrecorded.failed_at, unrecorded.reason)

    async def next_try(self, at: time, zone: Zone) -> float | None:
        """Return from when on a training may start by itself again; `None`: the last did not fail.

        `at` and `zone` say when the nightly training is.
        """
        failures = await self.failures()
        if not failures.count:
            return None
        now = self._clock.now()
        if failures.failed_at > now:  # the clock was set back
            return now
        return daily_schedule.next_try(failures.count, failures.failed_at, at, zone)
