"""Notifications to systemd, over a real socket."""

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from anagnorisisd.runtime import systemd
from anagnorisisd.runtime.systemd import SystemdNotifier


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(5)
        yield listening


def test_lines_are_sent_in_one_datagram(manager: socket.socket) -> None:
    ours = SystemdNotifier({"NOTIFY_SOCKET": manager.getsockname()})

    ours.notify(systemd.READY, systemd.WATCHDOG)

    assert manager.recv(100) == b"READY=1\nWATCHDOG=1"


def test_reload_is_sent_with_its_start(manager: socket.socket) -> None:
    before = time.monotonic_ns() // 1000

    SystemdNotifier({"NOTIFY_SOCKET": manager.getsockname()}).notify_reloading()

    word, since = manager.recv(100).decode().splitlines()
    assert word == "RELOADING=1"
    assert before <= int(since.removeprefix("MONOTONIC_USEC=")) <= time.monotonic_ns() // 1000


def test_abstract_socket() -> None:
    name = f"anagnorisis-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0{name}")
        listening.settimeout(5)

        SystemdNotifier({"NOTIFY_SOCKET": f"@{name}"}).notify(systemd.STOPPING)

        assert listening.recv(100) == b"STOPPING=1"


def test_missing_service_manager_is_ignored(tmp_path: Path) -> None:
    SystemdNotifier({}).notify(systemd.READY)
    SystemdNotifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).notify(systemd.READY)


@pytest.mark.parametrize(
    ("variables", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_watchdog_interval_is_half_the_limit(
    variables: dict[str, str], seconds: float | None
) -> None:
    assert SystemdNotifier(variables).watchdog_seconds == seconds
