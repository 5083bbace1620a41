"""The weight of a track: how readily it is picked.

    rating_factor  = (max(0.1, R) / 10)²      R: rating, else predicted rating, else the mean
    skip_factor    = sigmoid((5 + full plays - skips) / 5)
    recency_factor = place by last play / number of tracks
    weight         = rating_factor x skip_factor x recency_factor

Everything works on whole columns: one row a track, no loop over tracks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from anagnorisisd.domain.chance import Chance
from anagnorisisd.domain.names import Credits
from anagnorisisd.domain.rating import HIGHEST, LOWEST
from anagnorisisd.domain.track import TrackId

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LEAST_RATING = 0.1
"""A rating of 0 still leaves a track a chance of one in ten thousand of the best."""

MOST_DIFFERENCES = 10_000
"""Between full plays and skips; beyond that a table of them is of no use."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """The present tracks as columns of equal length `n`, ordered by track id.

    `track_ids` are 32-byte strings (`S32`). `rating` and `predicted_mean` are NaN where there is
    none. `last_played_at` is unix seconds, `-inf` for tracks never played. `album` are signed
    codes: equal numbers mean the same one, 0 means unknown.
    """

    track_ids: NDArray[np.bytes_]
    rating: Floats
    predicted_mean: Floats
    predicted_stddev: Floats
    full_plays: Floats
    skips: Floats
    last_played_at: Floats
    duration_seconds: Floats
    artists: Credits
    album: NDArray[np.int64]
    excluded: Bools
    mean_rating: float
    worked_out: "list[Factors]" = field(default_factory=list, init=False, repr=False, compare=False)
    """The factors once they were asked for; candidates with other columns have other factors."""

    def __len__(self) -> int:
        return len(self.track_ids)

    def row(self, track_id: TrackId) -> int | None:
        """Return the row of a track, or `None` when it is not a candidate."""
        row = int(np.searchsorted(self.track_ids, np.bytes_(track_id.encode())))
        found = row < len(self) and self.track_ids[row] == track_id.encode()
        return row if found else None

    def rows(self, track_ids: Sequence[TrackId]) -> NDArray[np.int64]:
        """Return the rows of those `track_ids` that are candidates."""
        found = (self.row(track_id) for track_id in track_ids)
        return np.array([row for row in found if row is not None], dtype=np.int64)

    def track_id(self, row: int) -> TrackId:
        """Return the track of a row."""
        return TrackId(bytes(self.track_ids[row]).decode())

    def drawn(self, explore: float, rng: Chance) -> Self:
        """Return candidates whose predictions were drawn from their distributions.

        `explore` scales the standard deviation: 0 keeps the mean, 1 is full Thompson sampling.
        """
        if explore <= 0:
            return self
        # NumPy's own chance takes 7 MB, and few explore: nobody else has it loaded.
        many = np.random.default_rng(rng.getrandbits(64))
        noise = many.standard_normal(len(self)) * self.predicted_stddev * explore
        return replace(self, predicted_mean=np.clip(self.predicted_mean + noise, LOWEST, HIGHEST))


@dataclass(frozen=True, slots=True)
class Factors:
    """The factors of the weight, one row a track, before guards.

    `weight` is their product, `edges` its cumulative sum; `positive` says that no weight is 0.
    """

    rating: Floats
    rating_factor: Floats
    skip_factor: Floats
    recency_factor: Floats
    weight: Floats
    edges: Floats
    positive: bool


def factors(candidates: Candidates) -> Factors:
    """Return the factors of every candidate's weight; they are worked out once."""
    if not candidates.worked_out:
        candidates.worked_out.append(_factors(candidates))
    return candidates.worked_out[0]


def _factors(candidates: Candidates) -> Factors:
    rating = effective_rating(candidates)
    rating_factor = (np.maximum(LEAST_RATING, rating) / HIGHEST) ** 2
    skip_factor = skip(candidates.full_plays, candidates.skips)
    recency_factor = recency(candidates.last_played_at)
    weight = rating_factor * skip_factor * recency_factor
    return Factors(
        rating=rating,
        rating_factor=rating_factor,
        skip_factor=skip_factor,
        recency_factor=recency_factor,
        weight=weight,
        edges=np.cumsum(weight),
        positive=bool((weight > 0).all()),
    )


def effective_rating(candidates: Candidates) -> Floats:
    """Return the rating, else the predicted rating, else the mean of the listener's ratings."""
    guess = np.where(
        np.isnan(candidates.predicted_mean), candidates.mean_rating, candidates.predicted_mean
    )
    return np.where(np.isnan(candidates.rating), guess, candidates.rating)


def recency(last_played_at: Floats) -> Floats:
    """Return place / n, where the most recently played track has place 1.

    Tracks that tie share the largest place of their group; those never played (`-inf`) come
    last, so that they all have the factor 1.
    """
    count = len(last_played_at)
    if not count:
        return np.empty(0)
    played = np.flatnonzero(np.isfinite(last_played_at))
    factor = np.ones(count)
    if len(played):
        times = last_played_at[played]
        oldest_first = np.argsort(times)
        begins = np.diff(times[oldest_first], prepend=-np.inf) > 0
        # Those that tie are in the place of the first of them, the oldest.
        first = np.maximum.accumulate(np.where(begins, np.arange(len(times)), 0))
        factor[played[oldest_first]] = (len(times) - first) / count
    return factor


def skip(full_plays: Floats, skips: Floats) -> Floats:
    """Return sigmoid((5 + full plays - skips) / 5); worked out once for each difference."""
    differences = full_plays - skips
    if not len(differences):
        return np.empty(0)
    lowest, highest = differences.min(), differences.max()
    if highest - lowest > MOST_DIFFERENCES:
        return _sigmoid((5.0 + differences) / 5.0)
    of_each = _sigmoid((5.0 + np.arange(lowest, highest + 1)) / 5.0)
    factor: Floats = of_each[(differences - lowest).astype(np.intp)]
    return factor


def _sigmoid(x: Floats) -> Floats:
    # By the logarithm: no overflow at either end, and no zero where it is only small.
    return np.exp(-np.logaddexp(0.0, -x))
