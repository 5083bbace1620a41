"""Time from a rating until new predictions of the whole library are stored.

The daemon's services with a real database and worker. *Warm* means that the worker still runs after
an earlier rating, *cold* that it has stopped.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import psutil

from anagnorisisd.clock import SystemClock
from anagnorisisd.config import schema
from anagnorisisd.domain.track import TrackId, Uri
from anagnorisisd.embedding.sound_tags import SoundTagIndex
from anagnorisisd.events import Events, PredictionsUpdated
from anagnorisisd.ratings.service import RatingService
from anagnorisisd.runtime.scheduler import ApScheduler
from anagnorisisd.storage.stores import Stores, open_stores
from anagnorisisd.taste.evaluator import WorkerEvaluator
from anagnorisisd.taste.training_scheduler import TrainingScheduler
from anagnorisisd.workers.pool import WorkerPool
from bench.simulated_listeners import LISTENERS, Library, synthetic_library
from tests.support.library import scanned, track_id
from tests.support.until import until

DIMENSION = 768
RATED = 500
TRACKS, FULL_TRACKS = (10_000,), (10_000, 100_000)
TIMES = 5
TIMEOUT_SECONDS, SOON_SECONDS = 300.0, 1.0


def run(full: bool) -> None:
    """Print a row for each number of tracks; `full` takes 100,000 too."""
    print(f"# Learning latency: {RATED} ratings, embeddings of {DIMENSION}\n")
    print("Seconds from a rating to stored predictions of all tracks: median (maximum) of five.\n")
    print("| tracks | worker warm | worker cold | full training |")
    print("|---|---|---|---|")
    for tracks in FULL_TRACKS if full else TRACKS:
        with tempfile.TemporaryDirectory() as scratch:
            asyncio.run(_row(Path(scratch), tracks))


async def _row(state: Path, tracks: int) -> None:
    stores = await open_stores(state)
    try:
        rng = np.random.default_rng(0)
        library = synthetic_library(tracks, DIMENSION, rng)
        ids = await _filled(stores, library)
        given = LISTENERS["sound and artists"].rate(library, rng)[rng.permutation(tracks)]
        for track, rating in zip(ids[:RATED], given, strict=False):
            await stores.ratings.rate(track, float(rating), at=time.time(), source="bench")
        async with _learner(stores, library) as (training, _):
            began = time.perf_counter()
            async for _ in training.train():
                pass
            trained = time.perf_counter() - began
        warm = await _times(stores, library, ids, leaves=False)
        cold = await _times(stores, library, ids, leaves=True)
    finally:
        await stores.close()
    print(f"| {tracks} | {_seconds(warm)} | {_seconds(cold)} | {trained:.1f} s |", flush=True)


async def _filled(stores: Stores, library: Library) -> list[TrackId]:
    """Store the library, and return the ids of its tracks in an order drawn by lot."""
    uris = library.tracks.uris
    files = [scanned(uri, tags=tags) for uri, tags in zip(uris, library.tracks.tags, strict=True)]
    ids = [track_id(Uri(uri)) for uri in uris]
    stamp = library.stamp
    for start in range(0, len(ids), 1000):
        rows = slice(start, start + 1000)
        await stores.library.store_files(files[rows], time.time())
        vectors = dict(zip(ids[rows], library.tracks.vectors[rows], strict=True))
        await stores.embeddings.put(stamp, vectors)
    return [ids[row] for row in np.random.default_rng(1).permutation(len(ids))]


async def _times(
    stores: Stores, library: Library, ids: list[TrackId], *, leaves: bool
) -> list[float]:
    """Return the seconds of some ratings, between which the worker `leaves` or stays."""
    idle = SOON_SECONDS if leaves else TIMEOUT_SECONDS
    async with _learner(stores, library, idle) as (training, events):
        # Others may have left children behind, such as multiprocessing's resource tracker.
        others = set(psutil.Process().children())
        life = asyncio.create_task(training.run())
        found = []
        try:
            for track in ids[: TIMES + 1]:
                found.append(await _until_learnt(stores, events, track))
                if leaves:
                    await until(
                        lambda: set(psutil.Process().children()) <= others,
                        seconds=TIMEOUT_SECONDS,
                    )
        finally:
            life.cancel()
            await asyncio.wait({life})
    return found[1:]  # the first reads all vectors for their means, once in the daemon's life


async def _until_learnt(stores: Stores, events: Events, track: TrackId) -> float:
    """Rate a track anew and return the seconds until everything is predicted anew."""
    before = (await stores.ratings.current())[track].value or 0.0
    ratings = RatingService(stores.ratings, events, SystemClock())
    with events.subscribe() as news:
        began = time.perf_counter()
        await ratings.rate(track, (before + 5) % 10, source="bench")
        async with asyncio.timeout(TIMEOUT_SECONDS):
            async for announcement in news:
                if isinstance(announcement.event, PredictionsUpdated):
                    return time.perf_counter() - began
    raise AssertionError("the news ended")


@asynccontextmanager
async def _learner(
    stores: Stores, library: Library, idle_seconds: float = TIMEOUT_SECONDS
) -> AsyncIterator[tuple[TrainingScheduler, Events]]:
    events = Events(SystemClock())
    pool = WorkerPool(name="evaluator", size=1, idle_seconds=idle_seconds)
    training = TrainingScheduler(
        ratings=stores.ratings,
        embeddings=stores.embeddings,
        evaluators=stores.evaluators,
        evaluator=WorkerEvaluator(pool),
        scheduler=ApScheduler(),
        events=events,
        clock=SystemClock(),
        config=schema.Training(),
        sound_tags=SoundTagIndex(stores.embeddings, library.stamp, SystemClock()),
        stamp=library.stamp,
    )
    try:
        yield training, events
    finally:
        await pool.close()


def _seconds(found: list[float]) -> str:
    return f"{statistics.median(found):.2f} ({max(found):.2f}) s"
