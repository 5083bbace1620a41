"""Starting the daemon as a service manager does, and noting when it says that it is ready."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from tests.support.manager import Manager

WATCHDOG_SECONDS = 60
"""As in the units."""

POLL_SECONDS = 0.0005


@contextmanager
def managed(folder: Path) -> Iterator[Manager]:
    """Let what is started within be a service: it says when it is ready, and has no screen."""
    address = folder / "notify.sock"
    variables = {
        "NOTIFY_SOCKET": str(address),
        "WATCHDOG_USEC": str(WATCHDOG_SECONDS * 1_000_000),
    }
    with Manager(address) as manager, patch.dict(os.environ, variables):
        yield manager


def wait_until_ready(manager: Manager, seconds: float) -> float:
    """Wait for READY=1 of what was started last; return when, by the performance counter."""
    ends = time.perf_counter() + seconds
    while not any("READY" in message for message in list(manager.heard)):
        if time.perf_counter() > ends:
            raise SystemExit(f"the daemon was not ready within {seconds:g} seconds")
        time.sleep(POLL_SECONDS)
    manager.heard.clear()
    return time.perf_counter()
