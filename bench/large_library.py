"""Memory and time of the daemon's process with a large library, step by step.

Opens a generated database and does the work of a day with the daemon's services: compare files,
pick, train, and predict all tracks in a worker. The size of all embeddings, which are streamed, is
printed for comparison.
"""

import asyncio
import multiprocessing
import resource
import tempfile
import time
from collections.abc import AsyncIterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import psutil

from anagnorisisd.clock import SystemClock
from anagnorisisd.embedding.features.plan import STAMP
from anagnorisisd.embedding.sound_tags import SoundTagIndex
from anagnorisisd.events import Events
from anagnorisisd.picks import chooser
from anagnorisisd.picks.chooser import PickContext
from anagnorisisd.picks.guards import PickRules
from anagnorisisd.picks.weights import WeightedCandidates, weigh
from anagnorisisd.runtime import memory_tuning
from anagnorisisd.storage.stores import Stores, open_stores
from anagnorisisd.taste.evaluator import WorkerEvaluator
from anagnorisisd.taste.tag_preferences import TagPreferenceFinder
from anagnorisisd.taste.trainer import Trainer
from anagnorisisd.workers.pool import WorkerPool
from bench import prefilled_state
from bench.prefilled_state import EPOCH, StateContents

TRACKS, FULL_TRACKS = (10_000, 50_000), (100_000, 1_000_000)
RATINGS = 100
PLAYS = 50_000
COLUMNS = ("step", "seconds", "resident MB", "peak MB")
MAX_MEGABYTES = 1_000
MEGABYTE = 2**20


@dataclass(frozen=True)
class Step:
    """One step, and the memory of the process after it."""

    name: str
    seconds: float
    megabytes: float
    peak_megabytes: float


def run(full: bool) -> None:
    """Print a table for each size of the library."""
    print("# Large library, in the daemon's process\n")
    for tracks in FULL_TRACKS if full else TRACKS:
        with tempfile.TemporaryDirectory() as scratch:
            contents = StateContents(tracks, vectors=True, ratings=RATINGS, plays=PLAYS)
            size = prefilled_state.fill(Path(scratch), contents).stat().st_size
            context = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(1, mp_context=context) as process:
                steps = process.submit(_live, scratch).result()
        vectors = tracks * STAMP.dimension * 4
        print(f"## {tracks:,} tracks, {size / MEGABYTE:,.0f} MB stored\n")
        print(f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|")
        for step in steps:
            print(
                f"| {step.name} | {step.seconds:.2f} | {step.megabytes:.0f} "
                f"| {step.peak_megabytes:.0f} |"
            )
        print(
            f"\nAll embeddings: {vectors / MEGABYTE:,.0f} MB. Target: the process stays under "
            f"{MAX_MEGABYTES:,} MB at a million tracks.\n"
        )


def _live(state: str) -> list[Step]:
    memory_tuning.configure_malloc()
    return asyncio.run(_steps(Path(state)))


async def _steps(state: Path) -> list[Step]:
    steps: list[Step] = []

    @asynccontextmanager
    async def step(name: str) -> AsyncIterator[None]:
        began = time.perf_counter()
        yield
        seconds = time.perf_counter() - began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        steps.append(Step(name, seconds, psutil.Process().memory_info().rss / MEGABYTE, peak))

    async with step("import"):
        pass
    async with step("open and check the database"):
        stores = await open_stores(state)
    try:
        async with step("read all files, for a rescan"):
            await stores.library.present_files()
        async with step("read all candidates"):
            candidates = await stores.library.candidates()
        async with step("three picks, computing weights"):
            weighted = weigh(candidates)
            _choose(weighted)
        async with step("three more picks"):
            _choose(weighted)
        async with step(f"train on {RATINGS} ratings, predict all"):
            await _learn(stores)
        async with step("read all candidates again"):
            candidates = await stores.library.candidates()
    finally:
        await stores.close()
    return steps


def _choose(weighted: WeightedCandidates) -> None:
    chooser.choose(weighted, PickRules(), PickContext(EPOCH), 3, Random(0))


async def _learn(stores: Stores) -> None:
    clock = SystemClock()
    workers = WorkerPool(name="evaluator", size=1, idle_seconds=60)
    evaluator = WorkerEvaluator(workers)
    learning = Trainer(
        embeddings=stores.embeddings,
        evaluators=stores.evaluators,
        evaluator=evaluator,
        events=Events(clock),
        clock=clock,
        tag_preferences=TagPreferenceFinder(
            SoundTagIndex(stores.embeddings, STAMP, clock), stores.evaluators, evaluator
        ),
        stamp=STAMP,
        minimum_ratings=10,
    )
    try:
        await learning.train(lambda _: None)
    finally:
        await workers.close()
        memory_tuning.release_free_memory()
