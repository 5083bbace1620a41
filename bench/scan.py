"""Scanning small files, compared with MPD's first update, and rescanning, compared with find.

The first scan reads tags and hashes the audio of every file; MPD's update reads tags. The rescan
finds no changes. `find`, printing size and time of every file, and a Python loop of scandir and
stat are run on the same tree, interleaved.
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
from bench import music_files
from tests.support.mpd import Mpd

FILES, FULL_FILES = (2_000, 20_000), (10_000, 100_000)
RUNS, FULL_RUNS = 5, 9
TIMEOUT_SECONDS = 900.0
MAX_MPD_RATIO, MAX_FIND_RATIO = 4, 3
METHOD_PREFIX, FIND, LOOP = "rescan", "find", "os.scandir loop"


def run(full: bool) -> None:
    """Print both tables, with a row for each size of the folder."""
    turns = FULL_RUNS if full else RUNS
    rows = [_measure(files, turns) for files in (FULL_FILES if full else FILES)]
    print("# Scan\n\n## First scan\n")
    print("| files | MPD's first update, s | first scan, s | relative | files per second |")
    print("|---|---|---|---|---|")
    for files, mpd, first, _ in rows:
        print(f"| {files:,} | {mpd:.1f} | {first:.1f} | {first / mpd:.1f} | {files / first:.0f} |")
    print(f"\nTarget: at most {MAX_MPD_RATIO} times MPD's.\n")
    print(f"## Rescan without changes, median of {turns} runs\n")
    print("| files | find, ms | os.scandir loop, relative | rescan, ms | rescan, relative |")
    print("|---|---|---|---|---|")
    for files, _, _, again in rows:
        find, loop, ours = (statistics.median(again[way]) for way in (FIND, LOOP, METHOD_PREFIX))
        print(
            f"| {files:,} | {1000 * find:.0f} | {loop / find:.1f} | {1000 * ours:.0f} "
            f"| {ours / find:.1f} |"
        )
    print(f"\nTarget: at most {MAX_FIND_RATIO} times find's.\n")


def _measure(files: int, turns: int) -> tuple[int, float, float, dict[str, list[float]]]:
    """Return files, seconds of MPD's first update and of ours, and seconds of each turn again."""
    with tempfile.TemporaryDirectory() as scratch:
        folder, music = Path(scratch), Path(scratch) / "music"
        music_files.write_tree(music, files)
        mpd = _mpd(folder / "mpd", music)
        first, again = asyncio.run(_ours(folder / "state", music, files, turns))
        return files, mpd, first, again


def _mpd(folder: Path, music: Path) -> float:
    server = Mpd(folder, music, extra='auto_update "no"')
    server.start()
    try:
        return _seconds(lambda: server.mpc("update", "--wait", seconds=TIMEOUT_SECONDS))
    finally:
        server.stop()


async def _ours(
    state: Path, music: Path, files: int, turns: int
) -> tuple[float, dict[str, list[float]]]:
    again: dict[str, list[float]] = {FIND: [], LOOP: [], METHOD_PREFIX: []}
    async with _library(state, music) as library:
        began = time.perf_counter()
        progress = await _scan(library)
        first = time.perf_counter() - began
        assert progress.added == files, progress
        for _ in range(turns):
            again[FIND].append(_seconds(lambda: _find(music)))
            again[LOOP].append(_seconds(lambda: _walk(music)))
            began = time.perf_counter()
            progress = await _scan(library)
            again[METHOD_PREFIX].append(time.perf_counter() - began)
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
