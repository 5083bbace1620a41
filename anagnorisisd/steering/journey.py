"""A journey: tracks that lead from one to another in even steps of sound, weighted by taste.

A track lies at

    r = angle to the start / (angle to the start + angle to the end)

on the way, and off it by the ratio of that sum to the angle between the ends. The places s of the
steps are even from the track nearest to the start to the one nearest to the end: among hundreds of
dimensions, even the nearest tracks are a good part of the way off. For each step, the track is
chosen for which

    -((r - s) / SPACING)² - detour / DETOUR + TASTE × ln(taste)

is largest, `taste` being its weight's share of the largest one. No track comes twice, and no artist
twice in a row, unless no others are left.
"""

from collections.abc import Sequence

import numpy as np

from anagnorisisd.domain.artist_names import ArtistCredits
from anagnorisisd.domain.evaluator import Vectors
from anagnorisisd.domain.pick import Bools, Floats

SPACING = 0.04
"""How far from its place on the way a track counts as well as one without taste."""

DETOUR = 0.25
TASTE = 0.5
MIN_TASTE = 1e-3


def angles(vectors: Vectors, row: int) -> Floats:
    """Return the angle of each vector, `[n, k]` of length 1, to that of a row, `[n]`, 0 to π."""
    cosine = (vectors @ vectors[row]).astype(np.float64)
    return np.asarray(np.arccos(np.clip(cosine, -1.0, 1.0)), np.float64)


def plan(
    vectors: Vectors,
    weight: Floats,
    artists: ArtistCredits,
    *,
    start: int,
    end: int,
    count: int,
    allowed: Bools,
) -> list[int]:
    """Return up to `count` rows, from `start` to `end`, both included.

    `weight` is that of picks, `[n]`. Only `allowed` tracks that have a vector are between the ends.
    """
    from_start, to_end = angles(vectors, start), angles(vectors, end)
    whole = max(float(from_start[end]), 1e-6)
    place = from_start / np.maximum(from_start + to_end, 1e-9)
    detour = (from_start + to_end) / whole - 1.0
    taste = np.maximum(weight / max(float(weight.max(initial=0.0)), 1e-300), MIN_TASTE)
    constant = TASTE * np.log(taste) - detour / DETOUR
    free = allowed & vectors.any(axis=1)
    free[[start, end]] = False
    if not free.any():
        return [start, end]
    rows = [start]
    steps = np.linspace(place[free].min(), place[free].max(), max(0, count - 2))
    for step, share in enumerate(steps, start=1):
        score = constant - ((place - share) / SPACING) ** 2
        other_artist = [_other_artist(artists, [rows[-1]])]
        if step == count - 2:
            other_artist.insert(0, _other_artist(artists, [rows[-1], end]))
        row = _best(score, free, other_artist)
        if row is None:
            break
        rows.append(row)
        free[row] = False
    return [*rows, end]


def _other_artist(artists: ArtistCredits, rows: Sequence[int]) -> Bools:
    """Return which tracks share no artist with those of the rows."""
    return ~artists.sharing(np.array(rows, dtype=np.int64))


def _best(score: Floats, free: Bools, preferences: Sequence[Bools]) -> int | None:
    """Return the free row with the largest score, by the first preference that leaves any."""
    for preferred in preferences:
        if (free & preferred).any():
            return int(np.argmax(np.where(free & preferred, score, -np.inf)))
    return int(np.argmax(np.where(free, score, -np.inf))) if free.any() else None
