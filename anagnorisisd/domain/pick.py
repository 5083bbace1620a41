"""Candidates, and the picks chosen from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Self

import numpy as np
from numpy.typing import NDArray

from anagnorisisd.domain.artist_names import ArtistCredits
from anagnorisisd.domain.rating import HIGHEST, LOWEST
from anagnorisisd.domain.track import TrackId

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


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
    artists: ArtistCredits
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

    def drawn(self, explore: float, rng: Random) -> Self:
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


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a track has the chance that it has, at the moment of choosing.

    `guards` holds only the guards that lowered the weight, `relaxed` those that were given up.
    `rank` counts from 1 among `candidates` tracks.
    """

    rating: float
    rating_source: str
    rating_factor: float
    skip_factor: float
    recency_factor: float
    guards: Mapping[str, float]
    relaxed: Sequence[str]
    weight: float
    probability: float
    rank: int
    candidates: int


@dataclass(frozen=True, slots=True)
class Pick:
    """A track chosen by the daemon, with the factors that led to it."""

    track_id: TrackId
    explanation: Explanation
