"""Hundreds of broken and hostile files meet a daemon; each gets its reason, in bounded everything.

As many good files lie among them, and every one of those is embedded.

`ANAGNORISIS_HOSTILE_FILES=600 pytest --timeout 3600 tests/e2e/test_hostile_files.py` makes as many.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from tests.support.broken_files import write_hostile_files
from tests.support.daemon import RunningDaemon, running_daemon
from tests.support.media import FORMATS, write_song

FILES = int(os.environ.get("ANAGNORISIS_HOSTILE_FILES", "22"))
SECONDS_PER_FILE = 2.0
SECONDS_AT_LEAST = 60.0
MAX_BYTES = 1 << 30
"""Of memory that is really used, by the daemon or any one of its workers."""

OUTCOMES = """
    SELECT f.path, coalesce(f.problem, x.reason, CASE WHEN e.id THEN 'embedded' END)
    FROM files f
    LEFT JOIN embeddings e ON e.track = f.track
    LEFT JOIN embedding_failures x ON x.track = f.track AND x.permanent
    WHERE f.present"""


@contextmanager
def measured(process: int) -> Iterator[dict[str, int]]:
    """Note the most memory that a process and its children used; by name."""
    peaks: dict[str, int] = {}
    done = threading.Event()

    def watch() -> None:
        parent = psutil.Process(process)
        while not done.wait(0.1):
            with suppress(psutil.Error):
                for one in [parent, *parent.children(recursive=True)]:
                    name = "daemon" if one == parent else "worker"
                    with suppress(psutil.Error):
                        peaks[name] = max(peaks.get(name, 0), one.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peaks
    finally:
        done.set()
        watcher.join()


def outcomes(daemon: RunningDaemon) -> dict[str, str | None]:
    with closing(sqlite3.connect(daemon.home / "state" / "anagnorisis.db")) as connection:
        return {os.fsdecode(path): outcome for path, outcome in connection.execute(OUTCOMES)}


def settled(daemon: RunningDaemon, names: list[str]) -> bool:
    found = outcomes(daemon)
    return found.keys() == set(names) and None not in found.values()


def write_good_files(folder: Path, count: int) -> list[str]:
    """Write `count` different songs, in all formats; return their names."""
    names = [f"{number:04} good.{FORMATS[number % len(FORMATS)]}" for number in range(count)]
    for number, name in enumerate(names):
        write_song(folder / name, seed=100 + number)
    return names


@pytest.mark.timeout(300 + 6 * FILES)
def test_every_file_gets_its_reason_and_every_good_one_is_embedded(tmp_path: Path) -> None:
    good = write_good_files(tmp_path / "music", FILES)
    names = [*good, *write_hostile_files(tmp_path / "music", FILES)]
    seconds = SECONDS_AT_LEAST + SECONDS_PER_FILE * len(names)
    began = time.monotonic()
    with running_daemon(tmp_path / "home", tmp_path / "music", tmp_path / "no-mpd") as daemon:
        daemon.status()
        with measured(daemon.process.pid) as peaks:
            daemon.until(lambda: settled(daemon, names), seconds)
        found = outcomes(daemon)

        assert daemon.status().library.pending == 0
        assert daemon.stop() == 0
        assert "Traceback" not in daemon.log.read_text()
    embedded = sum(outcome == "embedded" for outcome in found.values())
    for name, outcome in sorted(found.items()):
        print(f"{name}: {outcome}")
    print(f"{len(names)} files, {embedded} embedded, {time.monotonic() - began:.0f} s, {peaks}")
    assert {found[name] for name in good} == {"embedded"}
    assert max(peaks.values()) < MAX_BYTES
    assert len(good) < embedded < len(names)
