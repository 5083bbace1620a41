"""The watchdog is pinged only while database and worker pools make progress."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from anagnorisisd.errors import StoreError
from anagnorisisd.runtime.systemd import SystemdNotifier, ping_watchdog
from tests.fakes.clock import FakeClock
from tests.support.manager import Manager
from tests.support.until import until


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
    manager: Manager, store: Store, overdue: list[str], clock: FakeClock
) -> AsyncIterator[None]:
    ours = SystemdNotifier({"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "60000000"})
    task = asyncio.create_task(ping_watchdog(ours, store.answers, lambda: overdue, clock))
    try:
        await until(lambda: manager.fed == 1)
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def test_ping_while_all_is_well(manager: Manager, clock: FakeClock) -> None:
    async with feeding(manager, Store(), [], clock):
        await clock.advance(60)

        await until(lambda: manager.fed == 3)


async def test_no_ping_while_the_database_fails(manager: Manager, clock: FakeClock) -> None:
    store = Store()
    async with feeding(manager, store, [], clock):
        store.broken = True
        await clock.advance(600)
        store.broken = False
        await clock.advance(30)

        await until(lambda: manager.fed == 2)


async def test_no_ping_while_a_task_is_overdue(
    manager: Manager, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    overdue: list[str] = []
    async with feeding(manager, Store(), overdue, clock):
        overdue.append("reading")
        await clock.advance(600)
        overdue.clear()
        await clock.advance(30)

        await until(lambda: manager.fed == 2)
    assert [entry.message for entry in caplog.records] == [
        "worker pool reading did not kill a timed-out task; withholding the watchdog ping"
    ]
