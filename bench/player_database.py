"""Comparing the library with MPD's database, compared with MPD's update of unchanged files.

Both run in turn, on the same files. The comparison reads the names of all songs from MPD, as after
each change of MPD's database; after a change of the library alone, they are known. A process of its
own has the services of the daemon that are needed, so that its peak memory is that of the
comparison.
"""

import asyncio
import multiprocessing
import resource
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from anagnorisisd.clock import SystemClock
from anagnorisisd.config import schema
from anagnorisisd.events import Events
from anagnorisisd.library.player_database import PlayerDatabase
from anagnorisisd.mpd.player import MpdPlayer
from anagnorisisd.runtime import memory_tuning
from anagnorisisd.storage.stores import open_stores
from bench import music_files, prefilled_state
from tests.support.mpd import Mpd
from tests.support.until import until

SONGS, FULL_SONGS = (2_000, 20_000), (10_000, 100_000)
RUNS, FULL_RUNS = 5, 9
TIMEOUT_SECONDS = 900.0
MEGABYTE = 2**20
COLUMNS = ("songs", "MPD's update, s", "comparison, s", "relative", "CPU of the daemon, s",
           "CPU of MPD, s", "library changed, s", "resident before, MB", "peak, MB")  # fmt: skip


@dataclass
class Costs:
    """Seconds of each turn, and megabytes of the process."""

    update: list[float] = field(default_factory=list)
    comparison: list[float] = field(default_factory=list)
    daemon_cpu: list[float] = field(default_factory=list)
    mpd_cpu: list[float] = field(default_factory=list)
    library_changed: list[float] = field(default_factory=list)
    megabytes_before: float = 0.0
    peak_megabytes: float = 0.0


def run(full: bool) -> None:
    """Print a row for each size of the database."""
    turns = FULL_RUNS if full else RUNS
    print(f"# Comparison with MPD's database, median of {turns} runs\n")
    print(f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|")
    for songs in FULL_SONGS if full else SONGS:
        with tempfile.TemporaryDirectory() as scratch:
            costs = _measure(Path(scratch), songs, turns)
        update, comparison, daemon_cpu, mpd_cpu, changed = map(
            statistics.median,
            (costs.update, costs.comparison, costs.daemon_cpu, costs.mpd_cpu,
             costs.library_changed),
        )  # fmt: skip
        print(
            f"| {songs:,} | {update:.2f} | {comparison:.2f} | {comparison / update:.2f} "
            f"| {daemon_cpu:.2f} | {mpd_cpu:.2f} | {changed:.2f} "
            f"| {costs.megabytes_before:.0f} | {costs.peak_megabytes:.0f} |",
            flush=True,
        )
    print("\nTarget: at most the time of MPD's update.\n")


def _measure(folder: Path, songs: int, turns: int) -> Costs:
    music = folder / "music"
    music_files.write_tree(music, songs)
    prefilled_state.fill(folder / "state", prefilled_state.StateContents(songs, music))
    server = Mpd(folder / "mpd", music, extra='auto_update "no"')
    server.start()
    try:
        server.mpc("update", "--wait", seconds=TIMEOUT_SECONDS)
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=context) as process:
            return process.submit(_compare, folder, server.socket, server.pid, turns).result()
    finally:
        server.stop()


def _compare(folder: Path, socket: Path, mpd_pid: int, turns: int) -> Costs:
    memory_tuning.configure_malloc()
    return asyncio.run(_compare_in_turns(folder, socket, mpd_pid, turns))


async def _compare_in_turns(folder: Path, socket: Path, mpd_pid: int, turns: int) -> Costs:
    clock, music = SystemClock(), folder / "music"
    client = Mpd(socket.parent, music)
    player = MpdPlayer(schema.Mpd(address=str(socket)), music, "", clock)
    watching = asyncio.create_task(_watch(player))
    stores = await open_stores(folder / "state")
    try:
        await until(lambda: player.link().connected)
        database = PlayerDatabase(stores.library, player, music.joinpath, Events(clock), clock)
        costs = Costs(megabytes_before=psutil.Process().memory_info().rss / MEGABYTE)
        for _ in range(turns):
            began = time.perf_counter()
            await asyncio.to_thread(client.mpc, "update", "--wait", seconds=TIMEOUT_SECONDS)
            costs.update.append(time.perf_counter() - began)
            database.notice(frozenset({"database"}))
            own, theirs = psutil.Process(), psutil.Process(mpd_pid)
            before = [_cpu_seconds(own), _cpu_seconds(theirs)]
            costs.comparison.append(await _seconds(database.compare))
            costs.daemon_cpu.append(_cpu_seconds(own) - before[0])
            costs.mpd_cpu.append(_cpu_seconds(theirs) - before[1])
            costs.library_changed.append(await _seconds(database.compare))
        if database.unlisted.tracks:
            raise SystemExit(f"MPD does not list {database.unlisted.tracks} songs")
        costs.peak_megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return costs
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        await stores.close()


async def _watch(player: MpdPlayer) -> None:
    async for _ in player.changes():
        pass


async def _seconds(work: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
