"""The watchdog is fed as long as everything makes progress, and not a moment longer."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from anagnorisisd.errors import StoreError
from anagnorisisd.runtime import watchdog
from anagnorisisd.runtime.systemd_notify import SystemdNotifier
from tests.fakes.clock import FakeClock
from tests.support.manager import Manager
from tests.support.until import until


class Pool:
    """Worker processes whose supervisor a test can break."""

    name = "reading"

    def __init__(self) -> None:
        self.late = False

    def has_overdue_task(self) -> bool:
        return self.late


class Store:
    """A store that a test can break."""

    def __init__(self) -> None:
        self.broken = False

    async def answers(self) -> None:
        if self.broken:
            raise StoreError("the disk is gone")


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    with Manager(tmp_path / "notify") as listening:
        yield listening


@asynccontextmanager
async def feeding(
    manager: Manager, store: Store, pool: Pool, clock: FakeClock
) -> AsyncIterator[None]:
    ours = SystemdNotifier({"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "60000000"})
    task = asyncio.create_task(watchdog.feed(ours, store.answers, [pool], clock))
    try:
        await until(lambda: manager.fed == 1)
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def test_all_is_well(manager: Manager, clock: FakeClock) -> None:
    async with feeding(manager, Store(), Pool(), clock):
        await clock.advance(60)

        await until(lambda: manager.fed == 3)


async def test_a_store_that_does_not_answer_starves_it(manager: Manager, clock: FakeClock) -> None:
    store = Store()
    async with feeding(manager, store, Pool(), clock):
        store.broken = True
        await clock.advance(600)
        store.broken = False
        await clock.advance(30)

        await until(lambda: manager.fed == 2)


async def test_workers_that_nobody_ends_starve_it_and_that_is_said_once(
    manager: Manager, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    pool = Pool()
    async with feeding(manager, Store(), pool, clock):
        pool.late = True
        await clock.advance(600)
        pool.late = False
        await clock.advance(30)

        await until(lambda: manager.fed == 2)
    assert [entry.message for entry in caplog.records] == [
        "worker pool reading did not kill a timed-out task; withholding the watchdog ping"
    ]
