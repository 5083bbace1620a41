"""APScheduler: wakes the nightly training.

A job that is due while the machine sleeps or the daemon is down would be dropped or doubled by
any scheduler that trusts its own memory. So the job only *looks*; whether a training is due is
read from the database, and a look each minute notices what a sleeping timer could not.
"""

import asyncio
import datetime
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol

from anagnorisisd import clock
from anagnorisisd.runtime.daily_schedule import Zone


class Scheduler(Protocol):
    """Wakes somebody who then looks whether there is something to do."""

    async def run(self, at: datetime.time, zone: Zone, look: Callable[[], Awaitable[None]]) -> None:
        """Call `look` now, each day at `at`, and each minute, until cancelled.

        Never calls it while an earlier call goes on. What `look` raises ends this call.
        """
        ...


class ApScheduler:
    """Implements `Scheduler`."""

    def __init__(self, *, look_every_seconds: float = 60.0) -> None:
        self._look_every_seconds = look_every_seconds

    async def run(self, at: datetime.time, zone: Zone, look: Callable[[], Awaitable[None]]) -> None:
        """Call `look` now, each day at `at`, and each minute, until cancelled."""
        # It looks through every installed package for plugins, which takes some 40 ms of a start.
        from apscheduler.schedulers.asyncio import AsyncIOScheduler
        from apscheduler.triggers.cron import CronTrigger

        due = asyncio.Event()

        async def wake() -> None:  # a plain function would run in a thread, where it may not
            due.set()

        scheduler = AsyncIOScheduler(
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )
        nightly = CronTrigger(hour=at.hour, minute=at.minute, timezone=zone)
        scheduler.add_job(wake, nightly)
        scheduler.start()
        try:
            while True:
                due.clear()
                await look()
                wait = clock.coalesced_wait(time.monotonic(), self._look_every_seconds)
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await due.wait()
        finally:
            scheduler.shutdown(wait=False)
