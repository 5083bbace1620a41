"""Restarts of a failing service."""

import asyncio
import logging

import pytest

from anagnorisisd.errors import StoreError
from anagnorisisd.runtime.supervision import keep_running
from tests.fakes.clock import FakeClock


class Flaky:
    """Fails a number of times, then ends by itself."""

    def __init__(self, failures: int, error: Exception) -> None:
        self.failures = failures
        self.error = error
        self.starts = 0

    async def run(self) -> None:
        self.starts += 1
        if self.starts <= self.failures:
            raise self.error


async def test_failing_service_is_restarted_after_growing_delays() -> None:
    clock, part = FakeClock(), Flaky(3, StoreError("disk is full"))
    task = asyncio.create_task(keep_running("library", part.run, clock))

    starts = []
    for seconds in (0, 1, 2, 4):
        await clock.advance(seconds)
        starts.append(part.starts)

    assert starts == [1, 2, 3, 4]
    await task


async def test_repeated_failure_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    clock, part = FakeClock(), Flaky(3, StoreError("disk is full"))
    task = asyncio.create_task(keep_running("library", part.run, clock))

    await clock.advance(100)
    await task

    assert [record.message for record in caplog.records] == [
        "library failed and is restarted: disk is full"
    ]
    assert not caplog.records[0].exc_info


async def test_exceptions_of_groups_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    full = StoreError("disk is full")
    group = ExceptionGroup("inner", [full, ExceptionGroup("outer", [full, StoreError("no disk")])])
    clock, part = FakeClock(), Flaky(1, group)
    task = asyncio.create_task(keep_running("training", part.run, clock))

    await clock.advance(1)
    await task

    (record,) = caplog.records
    assert record.message == "training failed and is restarted: disk is full; no disk"
    assert not record.exc_info


async def test_unexpected_exception_is_logged_with_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock, part = FakeClock(), Flaky(1, ZeroDivisionError("oops"))
    task = asyncio.create_task(keep_running("library", part.run, clock))

    with caplog.at_level(logging.ERROR):
        await clock.advance(1)
    await task

    assert caplog.records[0].exc_info


async def test_cancellation_ends_the_service() -> None:
    task = asyncio.create_task(keep_running("forever", _forever, FakeClock()))
    await asyncio.sleep(0)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def _forever() -> None:
    await asyncio.Event().wait()
