"""Costs of the daemon's operations at one size of the library."""

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TypeVar

import psutil

from anagnorisisd.clock import SystemClock
from anagnorisisd.domain.track import TrackId
from anagnorisisd.embedding.features.plan import STAMP
from anagnorisisd.events import Events
from anagnorisisd.picks import chooser
from anagnorisisd.picks.chooser import PickContext
from anagnorisisd.picks.guards import PickRules
from anagnorisisd.picks.weights import weigh
from anagnorisisd.storage.stores import Stores, open_stores
from anagnorisisd.taste.evaluator import WorkerEvaluator
from anagnorisisd.taste.models import hyperparameters, worker_tasks
from anagnorisisd.taste.models.gaussian_process import GaussianProcess
from anagnorisisd.taste.models.model import regularized_variance
from anagnorisisd.taste.nearest_tracks import NearestTracks
from anagnorisisd.taste.trainer import PredictionWriter
from anagnorisisd.workers.pool import WorkerPool
from bench.prefilled_state import EPOCH, StateContents, fill, track_id

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
    contents = StateContents(tracks, vectors=True, predictions=True, ratings=RATINGS, plays=PLAYS)
    database = fill(state, contents)
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
        chooser.choose(weigh(candidates), PickRules(), PickContext(EPOCH), PICKS, Random(0))
        pick_seconds = time.perf_counter() - began
        del candidates
        _, vectors_seconds = await _timed(_read_vectors(stores))
        near = NearestTracks(stores.embeddings, STAMP).nearest(TrackId(track_id(0)), 10)
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
    async for _ in stores.embeddings.track_features(STAMP):
        pass


async def _learn(stores: Stores) -> tuple[float, float]:
    """Return the seconds to take ratings in, and to predict everything anew, as after a rating.

    By a Gaussian process, whatever else would win: it costs the most.
    """
    examples = await stores.embeddings.training_set(STAMP)
    params = hyperparameters.prior_hyperparameters(1, regularized_variance(examples.ratings))
    settings = hyperparameters.as_settings(params)
    process = GaussianProcess()
    fitted = process.fit(settings, worker_tasks.examples(examples))
    model = worker_tasks.dump(process.kind, settings, fitted, examples)
    workers = WorkerPool(name="evaluator", size=1, idle_seconds=600)
    try:
        evaluator = WorkerEvaluator(workers)
        await evaluator.wake()
        model, learn_seconds = await _timed(evaluator.refit(model, examples))
        scoring = PredictionWriter(
            stores.embeddings, stores.evaluators, evaluator, Events(SystemClock()), STAMP
        )
        _, score_seconds = await _timed(scoring.predict_all(1, model))
    finally:
        await workers.close()
    return learn_seconds, score_seconds


async def _timed(work: Awaitable[T]) -> tuple[T, float]:
    began = time.perf_counter()
    result = await work
    return result, time.perf_counter() - began
