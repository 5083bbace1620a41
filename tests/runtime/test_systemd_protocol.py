"""Notifications and the watchdog, over a real socket; log lines as the journal reads them."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from anagnorisisd.runtime import systemd_notify
from anagnorisisd.runtime.systemd_notify import SystemdNotifier


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(5)
        yield listening


def test_the_manager_hears_that_the_daemon_is_ready(manager: socket.socket) -> None:
    ours = SystemdNotifier({"NOTIFY_SOCKET": manager.getsockname()})

    ours.notify(systemd_notify.READY, systemd_notify.WATCHDOG)

    assert manager.recv(100) == b"READY=1\nWATCHDOG=1"


def test_a_reload_tells_when_it_began(manager: socket.socket) -> None:
    before = time.monotonic_ns() // 1000

    SystemdNotifier({"NOTIFY_SOCKET": manager.getsockname()}).notify_reloading()

    word, since = manager.recv(100).decode().splitlines()
    assert word == "RELOADING=1"
    assert before <= int(since.removeprefix("MONOTONIC_USEC=")) <= time.monotonic_ns() // 1000


def test_an_abstract_socket_works_too() -> None:
    name = f"anagnorisis-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0{name}")
        listening.settimeout(5)

        SystemdNotifier({"NOTIFY_SOCKET": f"@{name}"}).notify(systemd_notify.STOPPING)

        assert listening.recv(100) == b"STOPPING=1"


def test_nobody_listening_is_not_an_error(tmp_path: Path) -> None:
    SystemdNotifier({}).notify(systemd_notify.READY)
    SystemdNotifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).notify(systemd_notify.READY)


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
def test_the_watchdog_is_fed_at_half_its_limit_if_it_is_ours(
    variables: dict[str, str], seconds: float | None
) -> None:
    assert SystemdNotifier(variables).watchdog_seconds == seconds


def logged(level: str, form: str, script: str) -> list[str]:
    start = (
        "import os; from anagnorisisd.runtime import log_setup; "
        "from anagnorisisd.config.schema import Log; import logging; "
        f"log_setup.start(Log(level={level!r}, format={form!r}), os.environ); "
        "log=logging.getLogger('x')"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"{start}\n{script}"], capture_output=True, text=True, check=True
    )
    return done.stderr.splitlines()


def test_a_line_of_json_is_an_object_with_everything() -> None:
    script = "try: 1/0\nexcept ZeroDivisionError: log.exception('%s\\n%s', 'one', 'two')"

    (line,) = logged("info", "json", script)

    said = json.loads(line)
    assert datetime.fromisoformat(said.pop("time")).tzinfo is UTC
    assert said.pop("traceback").endswith("ZeroDivisionError: division by zero")
    assert said == {"level": "error", "part": "x", "message": "one\ntwo"}


def test_every_line_for_the_journal_has_its_priority() -> None:
    script = "log.warning('w')\ntry: 1/0\nexcept ZeroDivisionError: log.exception('e')"

    lines = logged("info", "journal", script)

    assert lines[:2] == ["<4>w", "<3>e"]
    assert all(line.startswith("<3>") for line in lines[1:])
    assert lines[-1] == "<3>ZeroDivisionError: division by zero"


def test_people_get_time_and_level_and_only_what_they_asked_for() -> None:
    lines = logged("warning", "auto", "log.info('i'); log.warning('w')")

    assert len(lines) == 1
    assert lines[0].split()[1:] == ["WARNING", "w"]


def test_libraries_stay_quiet_even_when_we_talk() -> None:
    assert logged("debug", "text", "logging.getLogger('grpc').info('x')") == []


def test_a_redirected_log_is_not_taken_for_the_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "8:1234")

    assert "WARNING" in logged("info", "auto", "log.warning('w')")[0]


def test_the_journal_is_recognised(tmp_path: Path) -> None:
    with (tmp_path / "stream").open("w") as stream:
        found = os.fstat(stream.fileno())
        subprocess.run(
            [
                sys.executable,
                "-c",
                "import os, logging; from anagnorisisd.runtime import log_setup; "
                "from anagnorisisd.config.schema import Log; log_setup.start(Log(), os.environ); "
                "logging.warning('w')",
            ],
            env={**os.environ, "JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"},
            stderr=stream,
            check=True,
        )

    assert (tmp_path / "stream").read_text() == "<4>w\n"
