"""What the daemon's own parts cost at one size of the library, each measured in a fresh process."""

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TypeVar

import psutil

from anagnorisisd.adapters.evaluator import WorkerEvaluator
from anagnorisisd.adapters.sqlite.stores import Stores, open_stores
from anagnorisisd.adapters.system_clock import SystemClock
from anagnorisisd.adapters.workers import WorkerPool
from anagnorisisd.domain import pick
from anagnorisisd.domain.guards import Rules
from anagnorisisd.domain.pick import Surroundings
from anagnorisisd.domain.track import TrackId
from anagnorisisd.ml.evaluator import likelihood, tasks
from anagnorisisd.ml.evaluator.candidate import spread
from anagnorisisd.ml.evaluator.process import Process
from anagnorisisd.ml.features import STAMP
from anagnorisisd.services.events import Events
from anagnorisisd.services.taste.scoring import Scoring
from anagnorisisd.services.taste.similar import Similar
from bench.stocked import EPOCH, Stock, fill, track_id

T = TypeVar("T")

RATINGS, PLAYS = 100, 5_000
PICKS = 3


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds and bytes at so many tracks; a field is `None` where it was not measured."""

    tracks: int
    disk_bytes: float
    candidates_seconds: float
    candidates_bytes: float
    pick_seconds: float
    vectors_seconds: float
    similar_seconds: float
    learn_seconds: float
    score_seconds: float


def measure(folder: str, tracks: int) -> Costs:
    """Fill a state directory below `folder` with so many tracks, and measure."""
    state = Path(folder) / str(tracks)
    stock = Stock(tracks, vectors=True, predictions=True, ratings=RATINGS, plays=PLAYS)
    database = fill(state, stock)
    costs = asyncio.run(_measure(state, tracks, database.stat().st_size))
    for path in state.iterdir():
        path.unlink()
    return costs


async def _measure(state: Path, tracks: int, disk_bytes: int) -> Costs:
    stores = await open_stores(state)
    try:
        process = psutil.Process()
        before = process.memory_info().rss
        candidates, candidates_seconds = await _timed(stores.library.candidates())
        held = process.memory_info().rss - before
        began = time.perf_counter()
        pick.choose(candidates, Rules(), Surroundings(EPOCH), PICKS, Random(0))
        pick_seconds = time.perf_counter() - began
        del candidates
        _, vectors_seconds = await _timed(_read_vectors(stores))
        near = Similar(stores.embeddings, STAMP).nearest(TrackId(track_id(0)), 10)
        _, similar_seconds = await _timed(near)
        learn_seconds, score_seconds = await _learn(stores)
    finally:
        await stores.close()
    return Costs(
        tracks=tracks,
        disk_bytes=disk_bytes,
        candidates_seconds=candidates_seconds,
        candidates_bytes=held,
        pick_seconds=pick_seconds,
        vectors_seconds=vectors_seconds,
        similar_seconds=similar_seconds,
        learn_seconds=learn_seconds,
        score_seconds=score_seconds,
    )


async def _read_vectors(stores: Stores) -> None:
    async for _ in stores.embeddings.described(STAMP):
        pass


async def _learn(stores: Stores) -> tuple[float, float]:
    """Return the seconds to take ratings in, and to predict everything anew, as after a rating.

    By a Gaussian process, whatever else would win: it costs the most.
    """
    examples = await stores.embeddings.training_set(STAMP)
    settings = likelihood.supposed(spread(examples.ratings)).as_settings()
    process = Process()
    fitted = process.fit(settings, tasks.examples(examples))
    model = tasks.dump(process.kind, settings, fitted, examples)
    workers = WorkerPool(name="evaluator", size=1, idle_seconds=600)
    try:
        evaluator = WorkerEvaluator(workers)
        await evaluator.wake()
        model, learn_seconds = await _timed(evaluator.learn(model, examples))
        scoring = Scoring(
            stores.embeddings, stores.evaluators, evaluator, Events(SystemClock()), STAMP
        )
        _, score_seconds = await _timed(scoring.everything(1, model))
    finally:
        await workers.close()
    return learn_seconds, score_seconds


async def _timed(work: Awaitable[T]) -> tuple[T, float]:
    began = time.perf_counter()
    result = await work
    return result, time.perf_counter() - began
