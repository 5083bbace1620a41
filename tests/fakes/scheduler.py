"""Fake schedulers: by a fake clock, or triggered by the test."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import time

from anagnorisisd.clock import Clock
from anagnorisisd.runtime.daily_schedule import Zone


class MinuteScheduler:
    """Implements `Scheduler` by the clock alone."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def run(self, at: time, zone: Zone, check: Callable[[], Awaitable[None]]) -> None:
        """Call `check` now and each minute."""
        while True:
            await check()
            await self._clock.sleep(60.0)


class HandScheduler:
    """Implements `Scheduler`; the test triggers each check and waits for its end."""

    def __init__(self) -> None:
        self._check: asyncio.Future[Callable[[], Awaitable[None]]] = asyncio.Future()

    async def run(self, at: time, zone: Zone, check: Callable[[], Awaitable[None]]) -> None:
        """Wait for the test to trigger checks."""
        self._check.set_result(check)
        await asyncio.Event().wait()

    async def check(self) -> None:
        """Run one check, as soon as the scheduler runs."""
        await (await self._check)()
