"""Schedulers in the hands of a test: by a fake clock, or look by look."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import time

from anagnorisisd.clock import Clock
from anagnorisisd.runtime.daily_schedule import Zone


class MinuteScheduler:
    """Implements `Scheduler` by the clock alone."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def run(self, at: time, zone: Zone, look: Callable[[], Awaitable[None]]) -> None:
        """Call `look` now and each minute."""
        while True:
            await look()
            await self._clock.sleep(60.0)


class HandScheduler:
    """Implements `Scheduler`; a test says when to look, and waits for the end."""

    def __init__(self) -> None:
        self._look: asyncio.Future[Callable[[], Awaitable[None]]] = asyncio.Future()

    async def run(self, at: time, zone: Zone, look: Callable[[], Awaitable[None]]) -> None:
        """Do nothing by itself."""
        self._look.set_result(look)
        await asyncio.Event().wait()

    async def look(self) -> None:
        """Look once, as soon as there is who does."""
        await (await self._look)()
