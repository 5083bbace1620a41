"""APScheduler: wakes the nightly training.

A job that is due while the machine sleeps or the daemon is down would be dropped or doubled by
any scheduler that trusts its own memory. So the job only *looks*; whether a training is due is
read from the database, and a look each minute notices what a sleeping timer could not.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import time

from anagnorisisd.domain.schedule import Zone


class ApScheduler:
    """Implements `ports.scheduler.Scheduler`."""

    def __init__(self, *, look_every_seconds: float = 60.0) -> None:
        self._look_every_seconds = look_every_seconds

    async def run(self, at: time, zone: Zone, look: Callable[[], Awaitable[None]]) -> None:
        """Call `look` now, each day at `at`, and each minute, until cancelled."""
        # It looks through every installed package for plugins, which takes some 40 ms of a start.
        from apscheduler.schedulers.asyncio import AsyncIOScheduler
        from apscheduler.triggers.cron import CronTrigger
        from apscheduler.triggers.interval import IntervalTrigger

        wanted = asyncio.Event()
        wanted.set()
        scheduler = AsyncIOScheduler(
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )
        nightly = CronTrigger(hour=at.hour, minute=at.minute, timezone=zone)
        scheduler.add_job(wanted.set, nightly)
        scheduler.add_job(wanted.set, IntervalTrigger(seconds=self._look_every_seconds))
        scheduler.start()
        try:
            while True:
                await wanted.wait()
                wanted.clear()
                await look()
        finally:
            scheduler.shutdown(wait=False)
