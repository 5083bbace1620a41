"""The scheduler that triggers the nightly training, by APScheduler.

A scheduler that relies on its own state would drop or repeat a job that is due while the computer
sleeps or the daemon is stopped. So it only triggers a check; whether a training is due is read from
the database. A check each minute finds what a timer missed during sleep.
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
    """Calls a check at a time of day and each minute."""

    async def run(
        self, at: datetime.time, zone: Zone, check: Callable[[], Awaitable[None]]
    ) -> None:
        """Call `check` now, each day at `at`, and each minute, until cancelled.

        Calls do not overlap. An exception of `check` ends this call.
        """
        ...


class ApScheduler:
    """Implements `Scheduler`."""

    def __init__(self, *, check_interval_seconds: float = 60.0) -> None:
        self._check_interval_seconds = check_interval_seconds

    async def run(
        self, at: datetime.time, zone: Zone, check: Callable[[], Awaitable[None]]
    ) -> None:
        """Call `check` now, each day at `at`, and each minute, until cancelled."""
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
                await check()
                wait = clock.coalesced_wait(time.monotonic(), self._check_interval_seconds)
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await due.wait()
        finally:
            scheduler.shutdown(wait=False)
