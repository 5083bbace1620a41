"""Processes to measure: the daemon as a systemd service, and an interpreter as its baseline.

Measures their memory, CPU time and wake-ups.
"""

import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import psutil

from tests.support.manager import Manager

PACKAGES = """
import asyncio
import apscheduler.schedulers.asyncio, grpc.aio, mpd.asyncio, mutagen, numpy, pydantic
import ruamel.yaml, sqlite_utils, watchdog.observers
"""
"""Imports the largest third-party packages that the daemon stands on, and nothing of ours."""

ALL_PACKAGES = f"""{PACKAGES}
import annotated_types, filelock, grpc_status.rpc_status, platformdirs, psutil, threadpoolctl
import grpc_health.v1.health_pb2_grpc, grpc_reflection.v1alpha.reflection
"""
"""Imports all of those that the daemon imports; a test compares."""

WATCHDOG_SECONDS = 60
"""As in the units."""

POLL_SECONDS = 0.0005
MEGABYTE = 2**20
LOOK_SECONDS = 0.25
"""What happens in two such spans in a row counts as one moment."""

GRPC_THREADS = ("grpc_", "event_engine", "lifeguard", "timer_manager", "resolver")
"""How gRPC's own threads are named; nothing that we do keeps them from waking up."""


@dataclass(frozen=True)
class Cost:
    """Memory now; and wake-ups and milliseconds of CPU time of the last while.

    Threads that wake one another do so at the same moment, as far as the computer's sleep goes.
    """

    megabytes: float
    moments_a_minute: float
    wakes_a_minute: float
    grpc_wakes_a_minute: float
    milliseconds_a_minute: float


def megabytes(pid: int) -> float:
    """Return the resident memory of a process."""
    return float(psutil.Process(pid).memory_info().rss) / MEGABYTE


def watch(pids: list[int], seconds: float) -> list[Cost]:
    """Return what each process costs, watching all of them at once."""
    before = [_counted(pid) for pid in pids]
    moments = _moments(pids, seconds)
    after = [_counted(pid) for pid in pids]
    minutes = seconds / 60
    return [
        Cost(
            megabytes(pid),
            moments[pid] / minutes,
            *((new - old) / minutes for old, new in zip(*counts, strict=True)),
        )
        for pid, *counts in zip(pids, before, after, strict=True)
    ]


def _moments(pids: list[int], seconds: float) -> Counter[int]:
    """Watch for so long; return how often each process was woken, gRPC's own threads left out."""
    moments: Counter[int] = Counter()
    last = {pid: _counted(pid)[0] for pid in pids}
    awake = dict.fromkeys(pids, False)
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        time.sleep(LOOK_SECONDS)
        for pid in pids:
            wakes = _counted(pid)[0]
            moments[pid] += wakes > last[pid] and not awake[pid]
            awake[pid], last[pid] = wakes > last[pid], wakes
    return moments


def _counted(pid: int) -> tuple[int, int, float]:
    """Return all wake-ups so far, those of gRPC's threads, and milliseconds of CPU time."""
    wakes = dict(_wakes(pid))
    times = psutil.Process(pid).cpu_times()
    grpc = sum(count for name, count in wakes.items() if name[0].startswith(GRPC_THREADS))
    return sum(wakes.values()) - grpc, grpc, 1000 * (times.user + times.system)


def _wakes(pid: int) -> Iterator[tuple[tuple[str, str], int]]:
    """Yield name and number of each thread, and how often it has gone to sleep by itself."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError):
            lines = (thread / "status").read_text().splitlines()
            status = dict(line.split(":", 1) for line in lines if ":" in line)
            name = (status["Name"].strip(), thread.name)
            yield name, int(status["voluntary_ctxt_switches"])


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
