"""Latency of a rating: of the command, and inside a daemon under load.

The command is compared with the import of grpc, interleaved. `bench/load.py` describes the load.
One rating per second and client shows the latency, ten per second the behaviour at high load.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from anagnorisis.v1 import library_pb2
from bench import load
from bench.load import LoadResults
from tests.support.daemon import RunningDaemon, running_daemon

RUNS, FULL_RUNS = 15, 60
SONGS, FULL_SONGS = 250, 800
SECONDS, FULL_SECONDS = 10.0, 30.0
INTERVALS = (1.0, 0.1)
TARGET_SECONDS = 0.02
MAX_RATIO = 1.5

COMMAND = str(Path(sys.executable).with_name("anagnorisis"))
IMPORT = (sys.executable, "-c", "import grpc")
COLUMNS = ("interval", "ratings", "p50, ms", "p99, ms", "within 20 ms in the daemon",
           "fsync alone p50, ms", "p99, ms", "lost", "events", "scans", "to embed")  # fmt: skip


def run(full: bool) -> None:
    """Print both measurements; `full` takes more turns, songs and seconds."""
    print("# Ratings\n")
    with tempfile.TemporaryDirectory() as folder:
        music = Path(folder) / "music"
        load.songs(music, FULL_SONGS if full else SONGS)
        address = load.free_address()
        settings = f"metrics:\n  address: {address}\n"
        home = Path(folder) / "home"
        with running_daemon(home, music, Path(folder) / "no-mpd", settings) as daemon:
            daemon.until(lambda: daemon.status().library.tracks)
            _measure_busy(daemon, music, address, FULL_SECONDS if full else SECONDS)
            _measure_command(daemon, FULL_RUNS if full else RUNS)


def _measure_busy(daemon: RunningDaemon, music: Path, address: str, seconds: float) -> None:
    print(
        f"## {load.RATING_CLIENTS} clients rate, {load.EVENT_CLIENTS} stream events, "
        "scan and embedding\n"
    )
    print(f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|")
    counted = stored = 0
    quick = 0
    for pause in INTERVALS:
        seen = load.measured(daemon, music, seconds, pause)
        quick_by_now, counted_by_now = load.within(address, TARGET_SECONDS)
        share = (quick_by_now - quick) / (counted_by_now - counted)
        quick, counted = quick_by_now, counted_by_now
        _print_row(pause, seen, share, lost=len(seen.latencies) - (seen.stored - stored))
        stored = seen.stored
    print(f"\nTarget at {INTERVALS[0]:g} s: p99 below 20 ms, and no lost ratings.\n")


def _print_row(pause: float, seen: LoadResults, share: float, *, lost: int) -> None:
    ours, disks = _percentiles(seen.latencies), _percentiles(seen.disk)
    cells = (
        f"{pause:g} s", len(seen.latencies), *ours, f"{share:.1%}", *disks,
        lost, seen.events, seen.scans, seen.pending,
    )  # fmt: skip
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def _percentiles(seconds: Sequence[float]) -> tuple[str, str]:
    """Return median and 99th percentile in milliseconds."""
    hundredths = statistics.quantiles(seconds, n=100)
    return f"{hundredths[49] * 1000:.1f}", f"{hundredths[98] * 1000:.1f}"


def _measure_command(daemon: RunningDaemon, turns: int) -> None:
    uri = daemon.library.ListTracks(library_pb2.ListTracksRequest(page_size=1)).tracks[0].uri
    rate = (COMMAND, "rate", "8", uri, "--socket", str(daemon.socket))
    took: dict[Sequence[str], list[float]] = {IMPORT: [], rate: []}
    for _ in range(turns):
        for command, seconds in took.items():
            begun = time.perf_counter()
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
            seconds.append(time.perf_counter() - begun)
    print(f"## `anagnorisis rate 8`, {turns} interleaved runs\n")
    print("| | fastest, ms | median, ms |\n|---|---|---|")
    for name, command in (("python -c 'import grpc'", IMPORT), ("anagnorisis rate 8", rate)):
        fastest, median = min(took[command]), statistics.median(took[command])
        print(f"| `{name}` | {fastest * 1000:.0f} | {median * 1000:.0f} |")
    fastest = min(took[rate]) / min(took[IMPORT])
    median = statistics.median(took[rate]) / statistics.median(took[IMPORT])
    print(f"| ratio (at most {MAX_RATIO}) | {fastest:.2f} | {median:.2f} |\n")
