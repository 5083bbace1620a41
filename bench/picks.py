"""Picking from a large library, compared with a list of Python records, and updating candidates.

The baseline is the original project's method: one object per track, a loop over all of them, and a
weighted choice. Both are first checked to give the same probabilities. After a rating or a play the
daemon computes all weights again.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import exp
from pathlib import Path
from random import Random

import numpy as np

from anagnorisisd.domain.artist_names import ArtistCredits
from anagnorisisd.domain.pick import Candidates, Pick
from anagnorisisd.domain.steering import SteeringFactors
from anagnorisisd.picks import chooser
from anagnorisisd.picks.chooser import PickContext
from anagnorisisd.picks.guards import PickRules
from anagnorisisd.picks.weights import WeightedCandidates, weigh
from anagnorisisd.steering import fit
from anagnorisisd.storage.stores import open_stores
from bench import prefilled_state
from bench.prefilled_state import EPOCH, track_id

TRACKS, FULL_TRACKS = (10_000, 100_000), (10_000, 100_000, 1_000_000)
COUNT = 3
RUNS = 7
MIN_SPEED_UP = 250
FEW = 10
UPDATE_COLUMNS = ("tracks", "read all, s", "µs per track", "update after a rating, ms")
COLUMNS = ("tracks", "records, ms", "daemon, ms", "speed-up",
           "daemon after a change, ms", "ns per track", "daemon with spread, ms",
           "daemon steered, ms", "steered after a change, ms")  # fmt: skip
SPREAD = PickRules(artist_spread=3, album_spread=1)


@dataclass
class Record:
    """A track as an object, as a row of an object-relational mapper is."""

    track_id: str
    rating: float | None
    predicted: float | None
    full_plays: int
    skips: int
    last_played: float | None


def run(full: bool) -> None:
    """Print both tables, a row for each size."""
    sizes = FULL_TRACKS if full else TRACKS
    print(f"# Picks\n\n## Choosing {COUNT}, median of {RUNS} turns\n")
    print(f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|")
    for tracks in sizes:
        _measure_picks(tracks)
    print(f"\nTarget: a speed-up of {MIN_SPEED_UP}.\n")
    print("## Updating candidates\n")
    print(f"| {' | '.join(UPDATE_COLUMNS)} |\n{'|---' * len(UPDATE_COLUMNS)}|")
    for tracks in sizes:
        with tempfile.TemporaryDirectory() as scratch:
            contents = prefilled_state.StateContents(
                tracks, predictions=True, ratings=tracks // 10, plays=tracks // 2
            )
            prefilled_state.fill(Path(scratch), contents)
            asyncio.run(_measure_updates(Path(scratch), tracks))
    print()


def _measure_picks(tracks: int) -> None:
    columns = _columns(tracks)
    records = _records(columns)
    weighted = weigh(columns)
    wanted = chooser.probabilities(weighted, PickRules(), PickContext(EPOCH))
    np.testing.assert_allclose(_chances(records), wanted, rtol=1e-9)
    rng, many = Random(0), np.random.default_rng(0)
    steering = _steering(tracks)
    steered_weights = weigh(columns, steering)
    slow, fast, anew, spread, steered, steered_anew = [], [], [], [], [], []
    recent = [columns.track_id(row) for row in range(0, tracks, tracks // 5)]
    context = PickContext(EPOCH, recent=recent)
    for _ in range(RUNS):
        slow.append(_seconds(lambda: _chosen_records(records, many)))
        fast.append(_seconds(lambda: _chosen(weighted, rng)))
        spread.append(_seconds(lambda: chooser.choose(weighted, SPREAD, context, COUNT, rng)))
        anew.append(_seconds(lambda: _chosen(weigh(columns), rng)))
        steered.append(_seconds(lambda: _chosen(steered_weights, rng)))
        steered_anew.append(_seconds(lambda: _chosen(weigh(columns, steering), rng)))
    records_s, ours_s, anew_s, spread_s = map(statistics.median, (slow, fast, anew, spread))
    steered_s, steered_anew_s = map(statistics.median, (steered, steered_anew))
    print(
        f"| {tracks:,} | {1000 * records_s:.1f} | {1000 * ours_s:.2f} "
        f"| {records_s / ours_s:.0f} | {1000 * anew_s:.1f} | {1e9 * anew_s / tracks:.0f} "
        f"| {1000 * spread_s:.1f} | {1000 * steered_s:.2f} | {1000 * steered_anew_s:.1f} |"
    )


def _chosen(weighted: WeightedCandidates, rng: Random) -> list[Pick]:
    return chooser.choose(weighted, PickRules(), PickContext(EPOCH), COUNT, rng)


def _steering(tracks: int) -> SteeringFactors:
    """Return the factors of a wish that each track fits differently."""
    fits = fit.place(np.random.default_rng(1).random(tracks))
    return SteeringFactors(fit.wanted_factor(fits, 1.0), {"jazz": fits}, {})


def _columns(tracks: int) -> Candidates:
    """Return a library of which a tenth is rated, the rest predicted, and half was played."""
    rng = np.random.default_rng(tracks)
    ids = np.array(sorted(track_id(number) for number in range(tracks)), dtype="S32")
    rated, played = rng.random(tracks) < 0.1, rng.random(tracks) < 0.5
    return Candidates(
        track_ids=ids,
        rating=np.where(rated, rng.integers(0, 11, tracks), np.nan),
        predicted_mean=rng.uniform(0, 10, tracks),
        predicted_stddev=np.full(tracks, 1.5),
        full_plays=np.where(played, rng.poisson(3.0, tracks), 0.0),
        skips=np.where(played, rng.poisson(1.0, tracks), 0.0),
        last_played_at=np.where(played, EPOCH - rng.permutation(tracks), -np.inf),
        duration_seconds=np.full(tracks, 200.0),
        artists=_credits(tracks),
        album=np.arange(tracks) // 10 + 1,
        folder=np.arange(tracks) // 10 + 1,
        excluded=np.zeros(tracks, dtype=bool),
        mean_rating=5.0,
    )


def _credits(tracks: int) -> ArtistCredits:
    """Return the credits of artists with 40 tracks each, of which every tenth has a guest."""
    count = tracks // 40 + 1
    tags = [f"Artist {number}" for number in range(count)]
    tags += [f"{tag} feat. Artist {number // 2}" for number, tag in enumerate(tags)]
    of_track = np.arange(tracks) // 40 + np.where(np.arange(tracks) % 10, 0, count)
    return ArtistCredits.read(of_track.astype(np.int32), tags)


def _records(columns: Candidates) -> list[Record]:
    def known(value: float) -> float | None:
        return value if np.isfinite(value) else None

    rows = zip(
        columns.track_ids.tolist(), columns.rating.tolist(), columns.predicted_mean.tolist(),
        columns.full_plays.tolist(), columns.skips.tolist(), columns.last_played_at.tolist(),
        strict=True,
    )  # fmt: skip
    return [
        Record(name.decode(), known(rating), known(mean), int(full), int(skips), known(last))
        for name, rating, mean, full, skips, last in rows
    ]


def _chosen_records(records: list[Record], rng: np.random.Generator) -> list[Record]:
    """Return picks, each drawn from all records that are left."""
    chances = _chances(records)
    rows = rng.choice(len(records), COUNT, replace=False, p=chances)
    return [records[row] for row in rows]


def _chances(records: list[Record]) -> list[float]:
    played = [record for record in records if record.last_played is not None]
    played.sort(key=lambda record: record.last_played or 0.0, reverse=True)
    place = {record.track_id: number for number, record in enumerate(played, start=1)}
    weights = []
    for record in records:
        opinion = record.rating if record.rating is not None else record.predicted
        rating_factor = (max(0.1, 5.0 if opinion is None else opinion) / 10) ** 2
        skip_factor = 1 / (1 + exp(-(5 + record.full_plays - record.skips) / 5))
        recency_factor = place.get(record.track_id, len(records)) / len(records)
        weights.append(rating_factor * skip_factor * recency_factor)
    total = sum(weights)
    return [weight / total for weight in weights]


async def _measure_updates(state: Path, tracks: int) -> None:
    """Print what it takes to read all candidates, and to follow the rating of one."""
    stores = await open_stores(state)
    try:
        began = time.perf_counter()
        candidates = await stores.library.candidates()
        read = time.perf_counter() - began
        followed = []
        for row in range(FEW):
            rated = candidates.track_id(row)
            await stores.ratings.rate(rated, 7, at=EPOCH, source="bench")
            began = time.perf_counter()
            candidates = await stores.library.refreshed(candidates, [rated])
            followed.append(time.perf_counter() - began)
            assert candidates.rating[row] == 7
    finally:
        await stores.close()
    follow = 1000 * statistics.median(followed)
    print(f"| {tracks:,} | {read:.2f} | {1e6 * read / tracks:.1f} | {follow:.1f} |")


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
