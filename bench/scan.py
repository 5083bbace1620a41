"""Scanning small files: the first time beside MPD's first update, and again beside find.

The first scan reads tags and hashes every file's audio; MPD's update reads tags. The rescan finds
nothing changed; beside it, what `find` takes to print size and time of every file, and a bare loop
of scandir and stat in Python. All take turns over the same tree.
"""

import asyncio
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from anagnorisisd.clock import SystemClock
from anagnorisisd.config.schema import Music
from anagnorisisd.events import Events
from anagnorisisd.library.change_importer import ScanProgress
from anagnorisisd.library.music_directory import MusicDirectory
from anagnorisisd.library.service import LibraryService
from anagnorisisd.library.watcher import NoWatcher
from anagnorisisd.storage.stores import open_stores
from anagnorisisd.workers.pool import WorkerPool
from bench import music_trees
from tests.support.mpd import Mpd

FILES, FULL_FILES = (2_000, 20_000), (10_000, 100_000)
TURNS, FULL_TURNS = 5, 9
PATIENCE_SECONDS = 900.0
MOST_TIMES_MPD, MOST_TIMES_FIND = 4, 3
OURS, FIND, BARE = "ours", "find", "a bare loop"


def run(full: bool) -> None:
    """Print both tables, with a row for each size of the folder."""
    turns = FULL_TURNS if full else TURNS
    rows = [_measure(files, turns) for files in (FULL_FILES if full else FILES)]
    print("# Scanning\n\n## The first time\n")
    print("| files | MPD's first update, s | ours, s | times MPD's | files a second |")
    print("|---|---|---|---|---|")
    for files, mpd, first, _ in rows:
        print(f"| {files:,} | {mpd:.1f} | {first:.1f} | {first / mpd:.1f} | {files / first:.0f} |")
    print(f"\nIt should take at most {MOST_TIMES_MPD} times as long as MPD's.\n")
    print(f"## Nothing changed, median of {turns} turns\n")
    print("| files | find, ms | a bare loop, times find's | ours, ms | ours, times find's |")
    print("|---|---|---|---|---|")
    for files, _, _, again in rows:
        find, bare, ours = (statistics.median(again[way]) for way in (FIND, BARE, OURS))
        print(
            f"| {files:,} | {1000 * find:.0f} | {bare / find:.1f} | {1000 * ours:.0f} "
            f"| {ours / find:.1f} |"
        )
    print(f"\nIt should take at most {MOST_TIMES_FIND} times as long as find.\n")


def _measure(files: int, turns: int) -> tuple[int, float, float, dict[str, list[float]]]:
    """Return files, seconds of MPD's first update and of ours, and seconds of each turn again."""
    with tempfile.TemporaryDirectory() as scratch:
        folder, music = Path(scratch), Path(scratch) / "music"
        music_trees.plant(music, files)
        mpd = _mpd(folder / "mpd", music)
        first, again = asyncio.run(_ours(folder / "state", music, files, turns))
        return files, mpd, first, again


def _mpd(folder: Path, music: Path) -> float:
    server = Mpd(folder, music, extra='auto_update "no"')
    server.start()
    try:
        return _seconds(lambda: server.mpc("update", "--wait", seconds=PATIENCE_SECONDS))
    finally:
        server.stop()


async def _ours(
    state: Path, music: Path, files: int, turns: int
) -> tuple[float, dict[str, list[float]]]:
    again: dict[str, list[float]] = {FIND: [], BARE: [], OURS: []}
    async with _library(state, music) as library:
        began = time.perf_counter()
        progress = await _scan(library)
        first = time.perf_counter() - began
        assert progress.added == files, progress
        for _ in range(turns):
            again[FIND].append(_seconds(lambda: _find(music)))
            again[BARE].append(_seconds(lambda: _walk(music)))
            began = time.perf_counter()
            progress = await _scan(library)
            again[OURS].append(time.perf_counter() - began)
            assert progress.unchanged == files, progress
    return first, again


@asynccontextmanager
async def _library(state: Path, music: Path) -> AsyncIterator[LibraryService]:
    stores = await open_stores(state)
    clock = SystemClock()
    config = Music()
    readers = WorkerPool(name="reading", size=len(os.sched_getaffinity(0)), idle_seconds=60)
    try:
        yield LibraryService(
            stores.library,
            MusicDirectory(music, config, readers),
            NoWatcher(),
            events=Events(clock),
            clock=clock,
            config=config,
        )
    finally:
        await readers.close()
        await stores.close()


async def _scan(library: LibraryService) -> ScanProgress:
    progress = ScanProgress()
    async for progress in library.scan():  # noqa: B007 - the last one is the result
        pass
    return progress


def _find(music: Path) -> None:
    command = ["find", str(music), "-type", "f", "-printf", "%s %T@\n"]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)


def _walk(music: Path) -> None:
    pending = [os.fsencode(music)]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                else:
                    entry.stat()


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
