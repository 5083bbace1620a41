"""Memory, wake-ups and CPU time of the idle daemon during playback, library scanned and trained.

It runs as under systemd, with a watchdog. Compared at the same time: an interpreter with the same
third-party packages, one with the largest of them, one with an empty gRPC server, and mpd-sima.
Wake-ups are voluntary context switches of all threads; simultaneous ones wake the CPU once.
"""

import shutil
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench import music_files, prefilled_state
from bench.prefilled_state import EMBEDDER
from bench.processes import ALL_PACKAGES, PACKAGES, Cost, managed, watch
from tests.support.daemon import RunningDaemon, running_daemon
from tests.support.mpd import Mpd
from tests.support.processes import worker_processes

TRACKS, FULL_TRACKS = (1_000,), (1_000, 10_000)
SECONDS, FULL_SECONDS = 60.0, 120.0
RATINGS = 20
SONG_MINUTES = 30
AHEAD = 3
TIMEOUT_SECONDS = 900.0
SETTLE_SECONDS = 3.0
MAX_RATIO = 1.5

REST = "print(flush=True); input()"
SERVE = """
async def serve():
    server = grpc.aio.server()
    server.add_insecure_port("unix:{socket}")
    await server.start()
    print(flush=True)
    await server.wait_for_termination()
asyncio.run(serve())
"""
SIMA = """
[MPD]
host = {socket}
[sima]
internal = Random
queue_length = 3
"""

BASELINE, LARGEST, SERVING, SIMA_NAME = (
    "interpreter with the same packages",
    "interpreter with the nine largest",
    "the latter with a gRPC server",
    "mpd-sima",
)


def run(full: bool) -> None:
    """Print a table for each size of the library."""
    print("# Idle, during playback\n")
    for tracks in FULL_TRACKS if full else TRACKS:
        with tempfile.TemporaryDirectory() as scratch:
            _print(tracks, _measure(Path(scratch), tracks, FULL_SECONDS if full else SECONDS))


def _measure(folder: Path, tracks: int, seconds: float) -> dict[str, Cost]:
    music = folder / "music"
    music_files.write_tree(music, tracks)
    _write_long_song(music / "long.wav")
    contents = prefilled_state.StateContents(
        tracks + 1, music, vectors=True, ratings=RATINGS, plays=tracks
    )
    prefilled_state.fill(folder / "home" / "state", contents)
    server = Mpd(folder / "mpd", music)
    with ExitStack() as stack:
        server.start()
        stack.callback(server.stop)
        server.mpc("update", "--wait", seconds=TIMEOUT_SECONDS)
        stack.enter_context(managed(folder))
        daemon = stack.enter_context(
            running_daemon(folder / "home", music, server.socket, EMBEDDER)
        )
        pids = {"anagnorisisd": daemon.process.pid}
        pids[BASELINE] = stack.enter_context(_running([sys.executable, "-c", ALL_PACKAGES + REST]))
        pids[LARGEST] = stack.enter_context(_running([sys.executable, "-c", PACKAGES + REST]))
        serve = PACKAGES + SERVE.format(socket=folder / "grpc.sock")
        pids[SERVING] = stack.enter_context(_running([sys.executable, "-c", serve]))
        _wait_until_idle(daemon, tracks + 1)
        server.mpc("add", "long.wav")
        server.mpc("play")
        _wait(lambda: len(server.mpc("playlist").splitlines()) == 1 + AHEAD)
        if shutil.which("mpd-sima"):
            pids[SIMA_NAME] = stack.enter_context(_sima(folder, server))
        time.sleep(SETTLE_SECONDS)
        return dict(zip(pids, watch(list(pids.values()), seconds), strict=True))


def _print(tracks: int, costs: dict[str, Cost]) -> None:
    print(f"## {tracks:,} tracks\n")
    columns = ("process", "resident MB", "relative", "CPU wake-ups per minute",
               "thread wake-ups", "gRPC thread wake-ups", "CPU ms per minute")  # fmt: skip
    print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
    baseline = costs[BASELINE].megabytes
    for name, cost in costs.items():
        print(
            f"| {name} | {cost.megabytes:.0f} | {cost.megabytes / baseline:.2f} "
            f"| {cost.wakeups_per_minute:.1f} | {cost.thread_wakeups_per_minute:.0f} "
            f"| {cost.grpc_wakeups_per_minute:.0f} | {cost.cpu_milliseconds_per_minute:.0f} |"
        )
    times = costs["anagnorisisd"].megabytes / baseline
    print(f"\nResident memory: {times:.2f} times the baseline (target: at most {MAX_RATIO}).\n")


def _wait_until_idle(daemon: RunningDaemon, tracks: int) -> None:
    """Wait until all tracks are embedded, an evaluator is trained and workers have stopped."""
    daemon.until(lambda: daemon.status().library.embedded == tracks, TIMEOUT_SECONDS)
    daemon.until(lambda: daemon.status().evaluator.version > 0, TIMEOUT_SECONDS)
    _wait(lambda: not worker_processes(daemon.process.pid))


def _write_long_song(path: Path) -> None:
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8_000)
        out.writeframes(bytes(2 * 8_000 * 60 * SONG_MINUTES))


@contextmanager
def _running(command: list[str]) -> Iterator[int]:
    """Run a program that prints a line when it is ready, and yield its process id."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            yield process.pid
        finally:
            process.kill()


@contextmanager
def _sima(folder: Path, server: Mpd) -> Iterator[int]:
    config = folder / "sima.cfg"
    config.write_text(SIMA.format(socket=server.socket))
    command = ["mpd-sima", "--config", str(config), "--var-dir", str(folder)]
    with (
        (folder / "sima.log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as process,
    ):
        try:
            yield process.pid
        finally:
            process.kill()


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("the daemon did not become idle in time")
        time.sleep(0.2)
