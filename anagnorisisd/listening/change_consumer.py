"""One consumer of the player's changes: it takes a step when woken, and again after a failure."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable

from anagnorisisd.clock import Clock
from anagnorisisd.errors import AnagnorisisError

log = logging.getLogger(__name__)

TICK_SECONDS = 60.0
"""From so long a pause on, the clock may wake several sleepers together."""

RETRY_SECONDS = 5.0
"""How soon after a failure the step is tried again."""

Step = Callable[[frozenset[str]], Awaitable[float]]
"""Takes what changed since the last step that succeeded, and returns in how many seconds to take
the next one although nothing changes; `inf` for not at all."""


class Consumer:
    """Runs one step at a time.

    Each consumer has a task of its own, so that one that fails or waits does not hold up another.
    """

    def __init__(self, name: str, step: Step, clock: Clock) -> None:
        self._name = name
        self._step = step
        self._clock = clock
        self._changed: set[str] = set()
        self._woken = asyncio.Event()
        self._said: str | None = None

    def wake(self, changed: frozenset[str] = frozenset()) -> None:
        """Have the step taken soon; changes that come meanwhile are handed over together."""
        self._changed |= changed
        self._woken.set()

    async def run(self) -> None:
        """Take a step whenever woken or due, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            waiting: asyncio.Task[None] | None = None
            while True:
                await self._woken.wait()
                self._woken.clear()
                if waiting is not None:
                    waiting.cancel()
                changed, self._changed = frozenset(self._changed), set()
                seconds = await self._attempt(changed)
                due = seconds < math.inf
                waiting = tasks.create_task(self._wake_after(seconds)) if due else None

    async def _attempt(self, changed: frozenset[str]) -> float:
        """Take the step; a failure, also one nobody thought of, is said once and tried again."""
        try:
            seconds = await self._step(changed)
        except Exception as error:
            self._changed |= changed
            if str(error) != self._said:
                expected = isinstance(error, AnagnorisisError)
                log.warning(
                    "%s failed and is tried again: %s", self._name, error, exc_info=not expected
                )
            self._said = str(error)
            return RETRY_SECONDS
        self._said = None
        return seconds

    async def _wake_after(self, seconds: float) -> None:
        await (self._clock.sleep if seconds < TICK_SECONDS else self._clock.rest)(seconds)
        self._woken.set()
