"""Time as an argument."""

import asyncio
import math
import time
from typing import Protocol

WAKE_INTERVAL_SECONDS = 30.0

NOW_SECONDS = 1.0
"""A beat that is nearer than this is the one that has just woken us."""


def coalesced_wait(now: float, at_most: float) -> float:
    """Return how many seconds to wait until the last beat within `at_most` of `now`.

    `now` is monotonic. Where there is no beat it is `at_most` itself.
    """
    last = math.floor((now + at_most + NOW_SECONDS) / WAKE_INTERVAL_SECONDS) * WAKE_INTERVAL_SECONDS
    wait = min(last - now, at_most)
    return wait if wait > NOW_SECONDS else at_most


class Clock(Protocol):
    """Tells the time and lets it pass; tests bring one that they move by hand."""

    def now(self) -> float:
        """Return unix seconds."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go backwards, from an arbitrary start."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Let `seconds` pass."""
        ...

    async def rest(self, at_most: float) -> None:
        """Let up to so many seconds pass, so that those who look now and then wake up together."""
        ...


class SystemClock:
    """Wall clock, monotonic clock, and real waiting."""

    def now(self) -> float:
        """Return unix seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds since an arbitrary start; they never go backwards."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Let `seconds` pass."""
        await asyncio.sleep(seconds)

    async def rest(self, at_most: float) -> None:
        """Wait for the last common beat within `at_most` seconds."""
        await asyncio.sleep(coalesced_wait(time.monotonic(), at_most))
