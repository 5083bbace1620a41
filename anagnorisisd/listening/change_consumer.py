"""A consumer of player changes: runs one step when woken, and again after a failure."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable

from anagnorisisd.clock import Clock
from anagnorisisd.errors import AnagnorisisError

log = logging.getLogger(__name__)

TICK_SECONDS = 60.0
"""Waits of at least this length end together with those of other tasks, to wake up less often."""

RETRY_SECONDS = 5.0
"""How long after a failure the step is run again."""

Step = Callable[[frozenset[str]], Awaitable[float]]
"""Takes the names of what changed since the last successful step. Returns in how many seconds to
run again although nothing changes; `inf` for never."""


class ChangeConsumer:
    """Runs one step at a time.

    Each consumer is a task of its own, so that one that fails or waits does not delay others.
    """

    def __init__(self, name: str, step: Step, clock: Clock) -> None:
        self._name = name
        self._step = step
        self._clock = clock
        self._changed: set[str] = set()
        self._woken = asyncio.Event()
        self._last_error: str | None = None

    def wake(self, changed: frozenset[str] = frozenset()) -> None:
        """Request a step; changes that arrive before it runs are passed to it together."""
        self._changed |= changed
        self._woken.set()

    async def run(self) -> None:
        """Run a step whenever woken or due, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            timer: asyncio.Task[None] | None = None
            while True:
                await self._woken.wait()
                self._woken.clear()
                if timer is not None:
                    timer.cancel()
                changed, self._changed = frozenset(self._changed), set()
                seconds = await self._attempt(changed)
                timer = tasks.create_task(self._wake_after(seconds)) if seconds < math.inf else None

    async def _attempt(self, changed: frozenset[str]) -> float:
        """Run the step. After any exception it is retried; the same error is logged once."""
        try:
            seconds = await self._step(changed)
        except Exception as error:
            self._changed |= changed
            if str(error) != self._last_error:
                expected = isinstance(error, AnagnorisisError)
                log.warning("%s failed; retrying: %s", self._name, error, exc_info=not expected)
            self._last_error = str(error)
            return RETRY_SECONDS
        self._last_error = None
        return seconds

    async def _wake_after(self, seconds: float) -> None:
        await (self._clock.sleep if seconds < TICK_SECONDS else self._clock.rest)(seconds)
        self._woken.set()
