"""Embedding with Dask workers compared with local processes, all on this computer.

This shows the overhead, not the speed-up of more computers: how much slower one worker is than one
local process, and the CPU time of daemon and scheduler per track, which limits how many workers
they can serve.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from anagnorisisd.config.schema import EmbedderChoice, Embedding, Executor
from anagnorisisd.embedding.dask.embedder import DaskEmbedder
from anagnorisisd.embedding.embedder import Embedder, EmbedderSettings
from anagnorisisd.embedding.registry import EmbedderSelector
from anagnorisisd.embedding.worker_embedder import WorkerEmbedder
from bench.music_files import songs
from tests.support.dask import free_port, scheduler, workers

WORKERS = (1, 2, 4)
LOCAL = "local, {} at once"
SONGS, FULL_SONGS = 8, 24
ROUNDS, FULL_ROUNDS = 3, 9


@dataclass(slots=True)
class Way:
    """Who embeds, the process of the scheduler if there is one, and what each round took."""

    embedder: Embedder
    scheduler: psutil.Process | None = None
    seconds: list[float] = field(default_factory=list)
    own: list[float] = field(default_factory=list)
    """Processor seconds of this process."""
    relayed: list[float] = field(default_factory=list)
    """Processor seconds of the scheduler."""


def run(full: bool) -> None:
    """Print the table; `full` takes more songs and rounds."""
    with tempfile.TemporaryDirectory() as scratch:
        asyncio.run(_measure(Path(scratch), full))


async def _measure(folder: Path, full: bool) -> None:
    music = folder / "music"
    music.mkdir()
    found = songs(music, FULL_SONGS if full else SONGS)
    music = Path(os.path.commonpath([path.parent for path in found]))
    async with AsyncExitStack() as stack:
        ways: dict[str, Way] = {}
        for count in WORKERS[:2]:
            ways[LOCAL.format(count)] = await stack.enter_async_context(_local(folder, count))
        for count in WORKERS:
            way = await stack.enter_async_context(_dask(folder, music, count))
            ways[f"Dask, {_counted(count)}, paths"] = way
        nowhere = folder / "not mounted"
        count = min(2, WORKERS[-1])
        way = await stack.enter_async_context(_dask(folder, music, count, nowhere))
        ways[f"Dask, {_counted(count)}, bytes"] = way
        for turn in range(1 + (FULL_ROUNDS if full else ROUNDS)):
            for way in ways.values():
                await _run_once(way, found, warm=turn == 0)
    _print(ways, found)


@asynccontextmanager
async def _local(folder: Path, count: int) -> AsyncIterator[Way]:
    config = _config(workers=count)
    plan = EmbedderSelector(EmbedderSettings(config, folder, folder)).plan()
    embedder = WorkerEmbedder(plan, idle_seconds=600, timeout_seconds=600)
    yield Way(embedder)
    await embedder.close()


@asynccontextmanager
async def _dask(
    folder: Path, music: Path, count: int, music_there: Path | None = None
) -> AsyncIterator[Way]:
    home = folder / f"dask {free_port()}"
    address = f"tcp://127.0.0.1:{free_port()}"
    config = _config(address=address, music_directory=music_there)
    plan = EmbedderSelector(EmbedderSettings(config, folder, folder)).plan()
    with scheduler(home, address) as relay, workers(home, address, count, 1):
        embedder = DaskEmbedder(plan, config, music)
        while embedder.executor.workers < count:
            await embedder.check_workers()
            await asyncio.sleep(0.1)
        yield Way(embedder, psutil.Process(relay.pid))
        await embedder.close()


def _counted(count: int) -> str:
    return "1 worker" if count == 1 else f"{count} workers"


def _config(workers: int = 0, **dask: object) -> Embedding:
    wishes = {"embedder": EmbedderChoice.FEATURES, "workers": workers, "idle_minutes": 60}
    executor = Executor.DASK if dask else Executor.LOCAL
    return Embedding.model_validate({**wishes, "executor": executor, "dask": dask})


async def _run_once(way: Way, found: list[Path], *, warm: bool) -> None:
    began, own, relayed = time.perf_counter(), time.process_time(), _spent(way.scheduler)
    await asyncio.gather(*(way.embedder.embed(str(path)) for path in found))
    if not warm:
        way.seconds.append((time.perf_counter() - began) / len(found))
        way.own.append((time.process_time() - own) / len(found))
        way.relayed.append((_spent(way.scheduler) - relayed) / len(found))


def _spent(process: psutil.Process | None) -> float:
    if process is None:
        return 0.0
    times = process.cpu_times()
    return float(times.user + times.system)


def _print(ways: Mapping[str, Way], found: list[Path]) -> None:
    megabytes = statistics.mean(path.stat().st_size for path in found) / 1e6
    print(f"# Executors\n\n{len(found)} songs of {megabytes:.1f} MB each on average, features\n")
    columns = ("executor", "tracks per minute", "relative to one local process",
               "daemon, ms per track", "scheduler, ms per track")  # fmt: skip
    print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
    alone = statistics.median(ways[LOCAL.format(1)].seconds)
    for name, way in ways.items():
        seconds = statistics.median(way.seconds)
        own, relayed = statistics.median(way.own), statistics.median(way.relayed)
        print(
            f"| {name} | {60 / seconds:.0f} | {alone / seconds:.2f} "
            f"| {1000 * own:.1f} | {1000 * relayed:.1f} |"
        )
    print()
