"""A service manager of one's own: what starts within is told where to say that it is ready."""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

WATCHDOG_SECONDS = 60
"""As in the units."""


class Manager:
    """Hears what services say, as systemd does."""

    def __init__(self, datagrams: socket.socket) -> None:
        self._datagrams = datagrams

    def ready(self, seconds: float) -> float:
        """Wait for READY=1 and return when, by the performance counter, it came."""
        ends = time.perf_counter() + seconds
        while (left := ends - time.perf_counter()) > 0:
            self._datagrams.settimeout(left)
            try:
                told = self._datagrams.recv(4096)
            except TimeoutError:
                break
            if b"READY=1" in told.splitlines():
                return time.perf_counter()
        raise SystemExit(f"the daemon was not ready within {seconds:g} seconds")


@contextmanager
def managed(folder: Path) -> Iterator[Manager]:
    """Let what is started within be a service: it says when it is ready, and has no screen."""
    address = folder / "notify.sock"
    variables = {
        "NOTIFY_SOCKET": str(address),
        "WATCHDOG_USEC": str(WATCHDOG_SECONDS * 1_000_000),
    }
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams,
        patch.dict(os.environ, variables),
    ):
        datagrams.bind(str(address))
        yield Manager(datagrams)
    address.unlink()
