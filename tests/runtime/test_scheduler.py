"""Checks by APScheduler."""

import asyncio
from datetime import UTC, datetime, time, timedelta

import pytest
from apscheduler.triggers.date import DateTrigger

from anagnorisisd.runtime.scheduler import ApScheduler


async def test_checks_repeat_without_overlapping() -> None:
    looks = 0
    busy = False
    enough = asyncio.Event()

    async def look() -> None:
        nonlocal looks, busy
        assert not busy
        busy = True
        await asyncio.sleep(0.03)
        busy = False
        looks += 1
        if looks == 4:
            enough.set()

    scheduler = ApScheduler(check_interval_seconds=0.01)
    task = asyncio.create_task(scheduler.run(time(3, 30), None, look))
    async with asyncio.timeout(10):
        await enough.wait()
    task.cancel()
    await asyncio.wait({task})

    assert task.cancelled()


async def test_nightly_check_runs_in_the_event_loop(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asyncio.get_running_loop().set_debug(True)  # It refuses to be touched from other threads.
    tonight = DateTrigger(datetime.now(UTC) + timedelta(seconds=0.1))
    monkeypatch.setattr("apscheduler.triggers.cron.CronTrigger", lambda **_: tonight)
    looks: asyncio.Queue[None] = asyncio.Queue()

    async def look() -> None:
        looks.put_nowait(None)

    task = asyncio.create_task(ApScheduler().run(time(3, 30), None, look))
    async with asyncio.timeout(10):
        await looks.get()
        await looks.get()
    task.cancel()
    await asyncio.wait({task})

    assert not [entry for entry in caplog.records if entry.levelname == "ERROR"]


async def test_exception_of_a_check_propagates() -> None:
    async def look() -> None:
        raise RuntimeError("the database is gone")

    with pytest.raises(RuntimeError, match="the database is gone"):
        await ApScheduler().run(time(3, 30), None, look)
