"""Fixtures that tests of every kind share."""

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from threadpoolctl import threadpool_limits

from anagnorisisd.storage.stores import Stores, open_stores
from tests.fakes.clock import FakeClock

# How long an example takes says more about the machine than about the code.
settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The same examples each time: a change must not fail by what it has nothing to do with.
settings.register_profile("ci", settings.get_profile("tests"), derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "tests"))


@pytest.fixture(scope="session", autouse=True)
def one_thread_for_linear_algebra() -> None:
    """As in the workers: on busy cores, small matrices take ten times as long with more."""
    threadpool_limits(1)


@pytest.fixture(scope="session", autouse=True)
def ctrl_c_is_not_ignored() -> None:
    """A shell ignores SIGINT in what it starts with `&`, and child processes inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def clock() -> FakeClock:
    """A clock that is moved by hand."""
    return FakeClock()


@pytest.fixture
async def stores(tmp_path: Path) -> AsyncIterator[Stores]:
    """The stores over a real database of their own."""
    opened = await open_stores(tmp_path / "state")
    yield opened
    await opened.close()
