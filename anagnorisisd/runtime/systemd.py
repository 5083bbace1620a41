"""Notifications to systemd: readiness, reloads and the watchdog, see sd_notify(3).

A notification is a datagram of `NAME=value` lines to the socket named in `NOTIFY_SOCKET`. Without
that variable nothing is sent.

The watchdog is pinged while all of these make progress; without a ping for the unit's
`WatchdogSec`, systemd kills the daemon and starts it again.

| part                         | check                                             |
|------------------------------|---------------------------------------------------|
| the event loop               | the ping is sent from a task of it                |
| the database                 | it answers a query                                |
| the supervision of workers   | no worker pool has an overdue task                |
"""

import asyncio
import logging
import os
import socket
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress

from anagnorisisd.clock import Clock
from anagnorisisd.errors import StoreError

log = logging.getLogger(__name__)

READY = "READY=1"
STOPPING = "STOPPING=1"
WATCHDOG = "WATCHDOG=1"

SEND_TIMEOUT_SECONDS = 1.0
"""A service manager that does not read must not block the daemon."""

QUERY_TIMEOUT_SHARE = 0.75
"""The database's time to answer, as a share of the interval between pings."""


class SystemdNotifier:
    """Sends notifications to the service manager that started this process, if there is one."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        address = variables.get("NOTIFY_SOCKET", "")
        # A leading @ stands for the zero byte of the abstract namespace.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._watchdog_usec = _watchdog_usec(variables)

    @property
    def watchdog_seconds(self) -> float | None:
        """The interval between pings, half of `WatchdogSec`; `None` if there is no watchdog."""
        return self._watchdog_usec / 2_000_000 if self._watchdog_usec else None

    def notify(self, *lines: str) -> None:
        """Send lines such as `READY`; errors are ignored."""
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as datagram:
            datagram.settimeout(SEND_TIMEOUT_SECONDS)
            try:
                datagram.sendto("\n".join(lines).encode(), self._address)
            except OSError:
                return

    def notify_reloading(self) -> None:
        """Report the start of a reload; `READY` reports its end."""
        self.notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")


async def ping_watchdog(
    notifier: SystemdNotifier,
    query_database: Callable[[], Awaitable[object]],
    overdue_pools: Callable[[], Sequence[str]],
    clock: Clock,
) -> None:
    """Ping the watchdog, if there is one, until cancelled.

    `overdue_pools` returns the names of worker pools that have an overdue task.
    """
    seconds = notifier.watchdog_seconds
    logged = ""
    while seconds is not None:
        overdue = ", ".join(overdue_pools())
        if overdue and overdue != logged:
            log.error(
                "worker pool %s did not kill a timed-out task; withholding the watchdog ping",
                overdue,
            )
        logged = overdue
        # A broken database is no reason to end this task: systemd restarts the daemon.
        with suppress(TimeoutError, StoreError):
            async with asyncio.timeout(seconds * QUERY_TIMEOUT_SHARE):
                await query_database()
                if not overdue:
                    notifier.notify(WATCHDOG)
        await clock.rest(seconds)


def _watchdog_usec(variables: Mapping[str, str]) -> int:
    own_pid = str(os.getpid())
    is_own = variables.get("WATCHDOG_PID", own_pid) == own_pid
    text = variables.get("WATCHDOG_USEC", "")
    return int(text) if is_own and text.isdecimal() else 0
