"""Talking to systemd: readiness, reloads, status and the watchdog, by the sd_notify protocol.

See sd_notify(3): one datagram of `NAME=value` lines to the socket named in `NOTIFY_SOCKET`.
Without that variable nobody listens and nothing is sent.
"""

import os
import socket
import time
from collections.abc import Mapping

READY = "READY=1"
STOPPING = "STOPPING=1"
WATCHDOG = "WATCHDOG=1"
LONGEST_WAIT_SECONDS = 1.0


class SystemdNotifier:
    """The service manager that started this process, if one did."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        address = variables.get("NOTIFY_SOCKET", "")
        # A leading @ stands for the zero byte of the abstract namespace.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._watchdog_usec = _watchdog_usec(variables)

    @property
    def watchdog_seconds(self) -> float | None:
        """How often to feed the watchdog, half its limit; `None` where it is not asked for."""
        return self._watchdog_usec / 2_000_000 if self._watchdog_usec else None

    def notify(self, *lines: str) -> None:
        """Send lines such as `READY`; a manager that is gone is not our error."""
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as datagram:
            # A manager that does not read must not stop us for ever.
            datagram.settimeout(LONGEST_WAIT_SECONDS)
            try:
                datagram.sendto("\n".join(lines).encode(), self._address)
            except OSError:
                return

    def notify_reloading(self) -> None:
        """Say that the configuration is read again; `READY` ends that."""
        self.notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")


def _watchdog_usec(variables: Mapping[str, str]) -> int:
    for_us = variables.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    text = variables.get("WATCHDOG_USEC", "")
    return int(text) if for_us and text.isdecimal() else 0
