"""APScheduler wakes who looks whether a training is due."""

import asyncio
from datetime import UTC, datetime, time, timedelta

import pytest
from apscheduler.triggers.date import DateTrigger

from anagnorisisd.runtime.scheduler import ApScheduler


async def test_it_looks_at_the_start_and_again_and_again_but_never_twice_at_once() -> None:
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

    scheduler = ApScheduler(look_every_seconds=0.01)
    task = asyncio.create_task(scheduler.run(time(3, 30), None, look))
    async with asyncio.timeout(10):
        await enough.wait()
    task.cancel()
    await asyncio.wait({task})

    assert task.cancelled()


async def test_the_nightly_look_is_woken_in_the_event_loop(
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


async def test_what_the_look_raises_is_heard() -> None:
    async def look() -> None:
        raise RuntimeError("the database is gone")

    with pytest.raises(RuntimeError, match="the database is gone"):
        await ApScheduler().run(time(3, 30), None, look)
