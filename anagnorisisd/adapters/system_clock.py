"""The clock of the computer."""

import asyncio
import time

from anagnorisisd.domain import beat


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
        await asyncio.sleep(beat.shortened(time.monotonic(), at_most))
