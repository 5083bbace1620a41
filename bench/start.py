"""Time from start to READY=1 and to the first response, by size of the library.

Starts are interleaved with an interpreter that imports the same third-party packages, so that both
see the same load.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from grpc_health.v1 import health_pb2, health_pb2_grpc

from bench import music_files, prefilled_state
from bench.prefilled_state import EMBEDDER
from bench.processes import PACKAGES, managed, wait_until_ready
from tests.support.daemon import RunningDaemon, running_daemon
from tests.support.manager import Manager

TRACKS, FULL_TRACKS = (1_000, 10_000), (1_000, 10_000, 100_000)
RUNS, FULL_RUNS = 8, 20
TIMEOUT_SECONDS = 60.0
PLAYS_PER_TRACK = 2
MAX_SECONDS = 1.0


def run(full: bool) -> None:
    """Print a row for each size of the library."""
    turns = FULL_RUNS if full else RUNS
    print(f"# Start, {turns} times each\n")
    columns = ("tracks", "ready, median s", "ready, p95 s", "answers, p95 s",
               "import of the packages, median s", "ready, relative")  # fmt: skip
    print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
    with tempfile.TemporaryDirectory() as scratch, managed(Path(scratch)) as manager:
        for tracks in FULL_TRACKS if full else TRACKS:
            _measure(Path(scratch) / str(tracks), tracks, turns, manager)
    print(f"\nTarget: the first response within {MAX_SECONDS:g} s at p95.\n")


def _measure(folder: Path, tracks: int, turns: int, manager: Manager) -> None:
    music = folder / "music"
    music_files.write_tree(music, tracks)
    plays = tracks * PLAYS_PER_TRACK
    contents = prefilled_state.StateContents(
        tracks, music, vectors=True, predictions=True, plays=plays
    )
    prefilled_state.fill(folder / "home" / "state", contents)
    ready, answered, imported = [], [], []
    for _ in range(turns):
        imported.append(_import())
        one, other = _start(folder / "home", music, manager)
        ready.append(one)
        answered.append(other)
    times = statistics.median(ready) / statistics.median(imported)
    print(
        f"| {tracks:,} | {statistics.median(ready):.2f} | {_p95(ready):.2f} "
        f"| {_p95(answered):.2f} | {statistics.median(imported):.2f} | {times:.1f} |"
    )


def _import() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", PACKAGES], check=True)
    return time.perf_counter() - began


def _start(home: Path, music: Path, manager: Manager) -> tuple[float, float]:
    """Start a daemon and kill it; return after how many seconds it was ready, and answered."""
    began = time.perf_counter()
    with running_daemon(home, music, home / "no-mpd", EMBEDDER) as daemon:
        ready = wait_until_ready(manager, TIMEOUT_SECONDS)
        _ask(daemon)
        answered = time.perf_counter()
    return ready - began, answered - began


def _ask(daemon: RunningDaemon) -> None:
    health = health_pb2_grpc.HealthStub(daemon.channel)
    health.Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT_SECONDS, wait_for_ready=True)


def _p95(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=20, method="inclusive")[-1]
