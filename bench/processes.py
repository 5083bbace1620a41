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
"""Imports the largest third-party packages of the daemon."""

ALL_PACKAGES = f"""{PACKAGES}
import annotated_types, filelock, grpc_status.rpc_status, platformdirs, psutil, threadpoolctl
import grpc_health.v1.health_pb2_grpc, grpc_reflection.v1alpha.reflection
"""
"""Imports all third-party packages that the daemon imports; a test compares them."""

WATCHDOG_SECONDS = 60
"""As in the units."""

POLL_SECONDS = 0.0005
MEGABYTE = 2**20
SAMPLE_SECONDS = 0.25
"""Wake-ups in consecutive samples count as one."""

GRPC_THREADS = ("grpc_", "event_engine", "lifeguard", "timer_manager", "resolver")
"""Prefixes of the names of gRPC's threads, which wake up without any work to do."""


@dataclass(frozen=True)
class Cost:
    """Resident memory, wake-ups and CPU time of a process.

    Simultaneous wake-ups of several threads count once in `wakeups_per_minute`.
    """

    megabytes: float
    wakeups_per_minute: float
    thread_wakeups_per_minute: float
    grpc_wakeups_per_minute: float
    cpu_milliseconds_per_minute: float


def megabytes(pid: int) -> float:
    """Return the resident memory of a process."""
    return float(psutil.Process(pid).memory_info().rss) / MEGABYTE


def watch(pids: list[int], seconds: float) -> list[Cost]:
    """Measure several processes at the same time."""
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
    """Return the number of wake-ups of each process, without gRPC's threads."""
    moments: Counter[int] = Counter()
    last = {pid: _counted(pid)[0] for pid in pids}
    awake = dict.fromkeys(pids, False)
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        time.sleep(SAMPLE_SECONDS)
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
    """Yield (name, id) of each thread and its number of voluntary context switches."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError):
            lines = (thread / "status").read_text().splitlines()
            status = dict(line.split(":", 1) for line in lines if ":" in line)
            name = (status["Name"].strip(), thread.name)
            yield name, int(status["voluntary_ctxt_switches"])


@contextmanager
def managed(folder: Path) -> Iterator[Manager]:
    """Run daemons that are started in this context as systemd services, with a watchdog."""
    address = folder / "notify.sock"
    variables = {
        "NOTIFY_SOCKET": str(address),
        "WATCHDOG_USEC": str(WATCHDOG_SECONDS * 1_000_000),
    }
    with Manager(address) as manager, patch.dict(os.environ, variables):
        yield manager


def wait_until_ready(manager: Manager, seconds: float) -> float:
    """Wait for READY=1; return its time by `time.perf_counter`."""
    ends = time.perf_counter() + seconds
    while not any("READY" in message for message in list(manager.heard)):
        if time.perf_counter() > ends:
            raise SystemExit(f"the daemon was not ready within {seconds:g} seconds")
        time.sleep(POLL_SECONDS)
    manager.heard.clear()
    return time.perf_counter()
