"""What `picks.flow` does: how alike neighbours sound, and what it costs in ratings and variety.

Picks are drawn one after the other, each is played before the next is drawn, and all tracks have
random ratings. With `ANAGNORISIS_BENCH_STATE`, the tracks are those embedded in that state
directory of the daemon; else they are synthetic: styles of Gaussian vectors.
"""

import asyncio
import os
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray

from anagnorisisd.domain.artist_names import ArtistCredits
from anagnorisisd.domain.embedding import EmbedderStamp
from anagnorisisd.domain.evaluator import Vectors
from anagnorisisd.domain.pick import Candidates, Floats
from anagnorisisd.picks import chooser, weights
from anagnorisisd.picks.chooser import PickContext
from anagnorisisd.picks.guards import PickRules
from anagnorisisd.steering.sound_map import COMPONENTS, SoundMap

FLOWS = (0.0, 0.5, 0.75, 1.0)
PICKS, RATED_PICKS = 1000, 500
SMALL = 200
SESSIONS, FULL_SESSIONS = 3, 20
SYNTHETIC, STYLES, SPREAD = 400, 12, 2.0
NOW, SECONDS_PER_SONG = 1.8e9, 240.0


def run(full: bool) -> None:
    """Print a table for the whole library and one for 200 of its tracks."""
    state = os.environ.get("ANAGNORISIS_BENCH_STATE")
    track_ids, sound = asyncio.run(_stored(Path(state))) if state else _synthetic()
    sessions = FULL_SESSIONS if full else SESSIONS
    kind = "embedded" if state else "synthetic"
    print(f"## Flow: {PICKS:,} picks, each played, of {kind} tracks\n")
    for count in sorted({len(track_ids), min(SMALL, len(track_ids))}, reverse=True):
        _print_table(track_ids, sound, count, sessions)


def _print_table(track_ids: NDArray[np.bytes_], sound: Vectors, count: int, sessions: int) -> None:
    print(f"| {count} tracks; flow | similarity | mean rating | different tracks | most plays |")
    print("|---|---|---|---|---|")
    for flow in FLOWS:
        figures = [_figures(track_ids, sound, count, flow, seed) for seed in range(sessions)]
        similarity, rating, different, most = np.mean(figures, axis=0)
        print(f"| {flow:g} | {similarity:.2f} | {rating:.2f} | {different:.0f} | {most:.0f} |")
    print(flush=True)


def _figures(
    track_ids: NDArray[np.bytes_], sound: Vectors, count: int, flow: float, seed: int
) -> tuple[float, float, int, int]:
    """Return similarity of neighbours, mean rating, different tracks, and plays of the commonest.

    The rating is that of the first 500 picks: in a small library all tracks are played in the end.
    """
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.choice(len(track_ids), count, replace=False))
    rating = rng.integers(0, 11, count).astype(np.float64)
    picked = _session(_library(track_ids[rows], rating), sound[rows], flow, seed)
    vectors = sound[rows][picked]
    return (
        float((vectors[1:] * vectors[:-1]).sum(axis=1).mean()),
        float(rating[picked[:RATED_PICKS]].mean()),
        len(set(picked)),
        int(np.bincount(picked).max()),
    )


def _session(library: Candidates, sound: Vectors, flow: float, seed: int) -> list[int]:
    """Return the rows of picks, of which each was played before the next was drawn."""
    rng, last_played = Random(seed), np.full(len(library), -np.inf)
    rules, picked = PickRules(flow=flow), list[int]()
    for number in range(PICKS):
        weighted = weights.weigh(replace(library, last_played_at=last_played))
        recent = [library.track_id(row) for row in picked[-1:]]
        (pick,) = chooser.choose(
            replace(weighted, sound=sound), rules, PickContext(NOW, queued=recent, recent=recent),
            1, rng,
        )  # fmt: skip
        picked.append(library.row(pick.track_id) or 0)
        last_played[picked[-1]] = NOW + SECONDS_PER_SONG * number
    return picked


def _library(track_ids: NDArray[np.bytes_], rating: Floats) -> Candidates:
    """Return tracks that were never played, with these ratings."""
    count = len(rating)
    unknown = np.full(count, np.nan)
    return Candidates(
        track_ids=track_ids,
        rating=rating,
        predicted_mean=unknown,
        predicted_stddev=unknown,
        full_plays=np.zeros(count),
        skips=np.zeros(count),
        last_played_at=np.full(count, -np.inf),
        duration_seconds=unknown,
        artists=ArtistCredits.read(np.zeros(count, np.int32), [None]),
        album=np.zeros(count, np.int64),
        folder=np.zeros(count, np.int64),
        excluded=np.zeros(count, dtype=bool),
        mean_rating=5.0,
    )


async def _stored(state: Path) -> tuple[NDArray[np.bytes_], Vectors]:
    """Return the ids of the embedded tracks of a state directory, and what flow compares."""
    from anagnorisisd.storage.stores import open_stores

    stores = await open_stores(state)
    try:
        query = "SELECT name, version, dimension FROM embedders ORDER BY id DESC LIMIT 1"
        stamp = EmbedderStamp(*await stores.database.read(lambda db: db.execute(query).fetchone()))
        candidates = await stores.library.candidates()
        sound = await SoundMap(stores.embeddings, stamp).vectors(candidates)
    finally:
        await stores.close()
    embedded = sound.any(axis=1)
    return candidates.track_ids[embedded], sound[embedded]


def _synthetic() -> tuple[NDArray[np.bytes_], Vectors]:
    rng = np.random.default_rng(0)
    styles = rng.normal(size=(STYLES, COMPONENTS))
    noise = SPREAD * rng.normal(size=(SYNTHETIC, COMPONENTS))
    vectors = styles[np.arange(SYNTHETIC) % STYLES] + noise
    sound = np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)
    return np.array([f"{row:032x}" for row in range(SYNTHETIC)], "S32"), sound
