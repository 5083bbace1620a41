"""The map of a large library: time and memory of the first request, and of those after it.

A process of its own has the services of the daemon that are needed, so that its peak memory is that
of the map. The first request computes the axes in a worker and the positions of all tracks; the
others read ratings and predictions only, or nothing of the page but a tag's scores in addition.
"""

import asyncio
import multiprocessing
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import psutil

from anagnorisis.v1.library_pb2 import GetLibraryMapRequest
from anagnorisisd.clock import SystemClock
from anagnorisisd.embedding.musicnn.plan import STAMP
from anagnorisisd.embedding.sound_tags import SoundTagIndex
from anagnorisisd.report.library_map import LibraryMap, fit_in_worker
from anagnorisisd.rpc.map_stream import MapStream
from anagnorisisd.runtime import memory_tuning
from anagnorisisd.storage.stores import open_stores
from anagnorisisd.workers.pool import WorkerPool
from anagnorisisd.workers.readable_paths import ReadablePaths
from bench import prefilled_state
from bench.prefilled_state import StateContents

TRACKS, FULL_TRACKS = (10_000,), (10_000, 100_000)
RATINGS = 500
MEGABYTE = 2**20
STEPS = (("first", ""), ("again", ""), ("with a sound tag", "jazz"), ("with it again", "jazz"))


def run(full: bool) -> None:
    """Print a table for each size of the library."""
    print("# Map of the library, in the daemon's process\n")
    for tracks in FULL_TRACKS if full else TRACKS:
        contents = StateContents(
            tracks, vectors=True, predictions=True, ratings=RATINGS, stamp=STAMP
        )
        print(f"{tracks:,} tracks, {tracks * STAMP.dimension * 4 / MEGABYTE:.0f} MB of vectors:\n")
        print("| request | seconds | resident MB | peak MB | sent, MB |\n|---|---|---|---|---|")
        with tempfile.TemporaryDirectory() as scratch:
            prefilled_state.fill(Path(scratch), contents)
            context = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(1, mp_context=context) as process:
                print(process.submit(_measure, Path(scratch)).result(), flush=True)


def _measure(state: Path) -> str:
    memory_tuning.configure_malloc()
    return asyncio.run(_steps(state))


async def _steps(state: Path) -> str:
    stores = await open_stores(state)
    pool = WorkerPool(name="report", size=1, idle_seconds=5, readable_paths=ReadablePaths(None))
    clock, fit = SystemClock(), partial(fit_in_worker, pool)
    stream = MapStream(
        LibraryMap(stores.embeddings, STAMP, fit, clock),
        SoundTagIndex(stores.embeddings, STAMP, clock),
    )
    rows = [_row("before", 0.0, 0)]
    try:
        for name, tag in STEPS:
            began, sent = time.perf_counter(), 0
            async for message in stream.messages(GetLibraryMapRequest(sound_tag=tag)):
                sent += len(message.SerializeToString())
            rows.append(_row(name, time.perf_counter() - began, sent))
    finally:
        await pool.close()
        await stores.close()
    return "\n".join(rows) + "\n"


def _row(name: str, seconds: float, sent: int) -> str:
    resident = psutil.Process().memory_info().rss / MEGABYTE
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return f"| {name} | {seconds:.2f} | {resident:.0f} | {peak:.0f} | {sent / MEGABYTE:.1f} |"
