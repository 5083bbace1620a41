"""Memory of the daemon and its workers, while embedding and when idle.

A real daemon with a few songs, once with features and once with a random MERT of the real size.
"""

import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from anagnorisisd.embedding.published_models import MERT
from bench.music_files import songs
from tests.support import mert
from tests.support.daemon import RunningDaemon, running_daemon
from tests.support.processes import worker_processes

SONGS, FULL_SONGS = 4, 16
IDLE_MINUTES = 0.1
TIMEOUT_SECONDS = 900.0
MEGABYTE = 2**20


def run(full: bool) -> None:
    """Print a row for each embedder; `full` takes more songs."""
    print("# Memory of daemon and workers, MB\n")
    print("| embedder | daemon | peak of each worker | daemon, idle | workers, idle |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        music, made = folder / "music", folder / "made"
        music.mkdir()
        made.mkdir()
        found = songs(made, FULL_SONGS if full else SONGS)
        for number, path in enumerate(found):
            shutil.copyfile(path, music / f"{number}{path.suffix}")
        mert.make_folder(folder / "models" / MERT.name, mert.REAL)
        for embedder in ("features", "musicnn", "mert"):
            settings = (
                f"embedding:\n  embedder: {embedder}\n  model_directory: {folder / 'models'}\n"
                f"  idle_minutes: {IDLE_MINUTES}\n"
            )
            home = folder / embedder
            with running_daemon(home, music, folder / "no-mpd", settings) as daemon:
                _measure(daemon, embedder, len(found))


def _measure(daemon: RunningDaemon, embedder: str, count: int) -> None:
    process = psutil.Process(daemon.process.pid)
    workers: dict[int, float] = {}

    def finished() -> bool:
        for worker in worker_processes(process.pid):
            workers[worker.pid] = max(workers.get(worker.pid, 0.0), _megabytes(worker))
        return daemon.status().library.embedded == count

    _wait(finished)
    busy = _megabytes(process)
    _wait(lambda: not worker_processes(process.pid))
    peaks = ", ".join(f"{peak:.0f}" for peak in sorted(workers.values(), reverse=True))
    print(f"| {embedder} | {busy:.0f} | {peaks} | {_megabytes(process):.0f} | 0 |")


def _megabytes(process: psutil.Process) -> float:
    with suppress(psutil.NoSuchProcess):
        return float(process.memory_info().rss) / MEGABYTE
    return 0.0


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("the daemon did not finish in time")
        time.sleep(0.1)
