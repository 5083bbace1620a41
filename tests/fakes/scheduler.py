"""A scheduler that looks each minute of a fake clock."""

from collections.abc import Awaitable, Callable
from datetime import time

from anagnorisisd.domain.schedule import Zone
from anagnorisisd.ports.clock import Clock


class MinuteScheduler:
    """Implements `ports.scheduler.Scheduler` by the clock alone."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def run(self, at: time, zone: Zone, look: Callable[[], Awaitable[None]]) -> None:
        """Call `look` now and each minute."""
        while True:
            await look()
            await self._clock.sleep(60.0)
