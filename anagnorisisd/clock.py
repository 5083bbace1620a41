"""The clock interface, and coalesced waits, after which periodic tasks wake up together."""

import asyncio
import math
import time
from typing import Protocol

WAKE_INTERVAL_SECONDS = 30.0

NOW_SECONDS = 1.0
"""A wake time closer than this is skipped: the caller was just woken by it."""


def coalesced_wait(now: float, at_most: float) -> float:
    """Return the seconds from `now` (monotonic) to the last shared wake time within `at_most`.

    Wake times are multiples of `WAKE_INTERVAL_SECONDS`. If none is in range, return `at_most`.
    """
    last = math.floor((now + at_most + NOW_SECONDS) / WAKE_INTERVAL_SECONDS) * WAKE_INTERVAL_SECONDS
    wait = min(last - now, at_most)
    return wait if wait > NOW_SECONDS else at_most


class Clock(Protocol):
    """Source of the time; tests use a clock that they advance by hand."""

    def now(self) -> float:
        """Return unix seconds."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go backwards, from an arbitrary start."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait `seconds`."""
        ...

    async def rest(self, at_most: float) -> None:
        """Wait up to `at_most` seconds, until a wake time that other periodic tasks share."""
        ...


class SystemClock:
    """Wall clock, monotonic clock, and real waiting."""

    def now(self) -> float:
        """Return unix seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds that never go backwards, from an arbitrary start."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait `seconds`."""
        await asyncio.sleep(seconds)

    async def rest(self, at_most: float) -> None:
        """Wait until the last shared wake time within `at_most` seconds."""
        await asyncio.sleep(coalesced_wait(time.monotonic(), at_most))
