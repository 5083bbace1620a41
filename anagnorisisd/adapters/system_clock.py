"""The clock of the computer."""

import asyncio
import time


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
