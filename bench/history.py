"""Cost of a year of plays and ratings.

The same operations, interleaved, on two libraries of the same size: one without history, one with
50,000 plays and 5,000 ratings. They are in memory if possible, because the variance of a disk would
hide the difference.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random

from anagnorisisd.domain.play import Play, PlayOutcome
from anagnorisisd.domain.track import TrackId
from anagnorisisd.embedding.features.plan import STAMP
from anagnorisisd.picks import chooser
from anagnorisisd.picks.chooser import PickContext
from anagnorisisd.picks.guards import PickRules
from anagnorisisd.picks.weights import weigh
from anagnorisisd.storage.stores import Stores, open_stores
from anagnorisisd.storage.track_queries import TrackOrder
from bench import prefilled_state
from bench.prefilled_state import EPOCH, StateContents, track_id

TRACKS, FULL_TRACKS = 10_000, 100_000
PLAYS, RATINGS = 50_000, 5_000
RUNS, FULL_RUNS = 51, 101
MEMORY = Path("/dev/shm")

Ask = Callable[[Stores, int], Awaitable[object]]


def run(full: bool) -> None:
    """Print a row for each operation."""
    tracks, turns = (FULL_TRACKS, FULL_RUNS) if full else (TRACKS, RUNS)
    print(f"# History: {PLAYS:,} plays and {RATINGS:,} ratings of {tracks:,} tracks\n")
    print("| operation | without, ms | with, ms | ratio |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as scratch:
        folders = {"without": Path(scratch) / "without", "with": Path(scratch) / "with"}
        bare = StateContents(tracks, predictions=True)
        prefilled_state.fill(folders["without"], bare)
        full_contents = StateContents(tracks, predictions=True, plays=PLAYS, ratings=RATINGS)
        prefilled_state.fill(folders["with"], full_contents)
        took = asyncio.run(_run_interleaved(folders, turns))
    for what, of in took.items():
        without, having = (1000 * statistics.median(of[name]) for name in folders)
        print(f"| {what} | {without:.2f} | {having:.2f} | {having / without:.2f} |")
    print()


async def _run_interleaved(
    folders: Mapping[str, Path], turns: int
) -> dict[str, dict[str, list[float]]]:
    took: dict[str, dict[str, list[float]]] = {what: {"without": [], "with": []} for what in ASKED}
    async with AsyncExitStack() as stack:
        stores = {}
        for name, folder in folders.items():
            stores[name] = await open_stores(folder)
            stack.push_async_callback(stores[name].close)
        for turn in range(turns):
            for what, ask in ASKED.items():
                for name, of in stores.items():
                    began = time.perf_counter()
                    await ask(of, turn)
                    took[what][name].append(time.perf_counter() - began)
    return took


async def _rate(stores: Stores, turn: int) -> None:
    await stores.ratings.rate(TrackId(track_id(turn)), 7, at=EPOCH, source="bench")


async def _play(stores: Stores, turn: int) -> None:
    track = TrackId(track_id(turn))
    ended = EPOCH + turn * 300
    await stores.plays.append(Play(track, ended - 180, ended, 180, 200, PlayOutcome.FULL, "bench"))


async def _choose(stores: Stores, turn: int) -> None:
    weighted = weigh(await stores.library.candidates())
    recent = [play.track_id for play in await stores.plays.recent(10)]
    context = PickContext(EPOCH, recent=recent)
    chooser.choose(weighted, PickRules(artist_spread=3), context, 3, Random(turn))


async def _count(stores: Stores, _: int) -> None:
    await stores.library.counts(STAMP)


async def _list(stores: Stores, _: int) -> None:
    await stores.library.tracks(STAMP, order=TrackOrder.LAST_PLAYED, limit=100)


async def _look_back(stores: Stores, _: int) -> None:
    await stores.ratings.history(limit=100)


async def _open(stores: Stores, _: int) -> None:
    again = await open_stores(stores.database.path.parent)
    await again.close()


ASKED: Mapping[str, Ask] = {
    "opening and checking the database": _open,
    "a rating": _rate,
    "a play": _play,
    "reading all candidates and choosing three": _choose,
    "counting the library": _count,
    "listing the tracks played last": _list,
    "the latest ratings": _look_back,
}
