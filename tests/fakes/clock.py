"""A clock that is moved by hand."""

import asyncio
import heapq


class FakeClock:
    """Starts at a fixed moment; `advance` lets sleepers wake in order."""

    def __init__(self, now: float = 1_750_000_000.0) -> None:
        self._now = now
        self._monotonic = 1_000.0
        self._sleepers: list[tuple[float, int, asyncio.Event]] = []
        self._count = 0

    def now(self) -> float:
        """Return unix seconds."""
        return self._now

    def monotonic(self) -> float:
        """Return seconds since an arbitrary start."""
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock was advanced by `seconds`; without a wait, let others run once."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken = asyncio.Event()
        self._count += 1
        heapq.heappush(self._sleepers, (self._monotonic + seconds, self._count, woken))
        await woken.wait()

    async def rest(self, at_most: float) -> None:
        """Wait until the clock was advanced by `at_most` seconds."""
        await self.sleep(at_most)

    @property
    def sleepers(self) -> int:
        """How many tasks are waiting for time to pass."""
        return len(self._sleepers)

    def jump(self, seconds: float) -> None:
        """Let time pass without waking anybody, for code that only reads the clock."""
        self._now += seconds
        self._monotonic += seconds

    def set_wall(self, seconds: float) -> None:
        """Set the wall clock by so many seconds, forward or back; no time passes."""
        self._now += seconds

    async def advance(self, seconds: float) -> None:
        """Let time pass, waking each sleeper at its moment."""
        target = self._monotonic + seconds
        await _settle()
        while self._sleepers and self._sleepers[0][0] <= target:
            due, _, woken = heapq.heappop(self._sleepers)
            self.jump(max(0.0, due - self._monotonic))
            woken.set()
            await _settle()
        self.jump(target - self._monotonic)
        await _settle()


async def _settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)
