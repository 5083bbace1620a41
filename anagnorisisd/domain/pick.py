"""Candidates, and the picks chosen from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from anagnorisisd.domain.artist_names import ArtistCredits
from anagnorisisd.domain.player import SongId
from anagnorisisd.domain.track import TrackId

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Candidates:
    """The present tracks as columns of equal length `n`, ordered by track id.

    `track_ids` are 32-byte strings (`S32`). `rating`, `predicted_mean`, `predicted_stddev` and
    `duration_seconds` are NaN where unknown. `last_played_at` is unix seconds, `-inf` for tracks
    never played. `album` and `folder` hold signed codes: equal codes mean the same; 0 means
    unknown, or the music directory itself. The folders of the discs of an album count as one.
    `excluded` marks the tracks that the configuration excludes. `mean_rating` is the mean of all
    the listener's ratings.
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
    folder: NDArray[np.int64]
    excluded: Bools
    mean_rating: float

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


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a track has its weight and probability at one moment.

    `rating` is the effective rating, `rating_source` one of rating, predicted and mean. `guards`
    holds only the guards that lowered the weight, `relaxed` those that were not applied because
    they would have excluded every candidate. `rank` counts from 1 among `candidates` tracks.
    `wish_fits` has, for each wish of the steering, how well the track fits it, 0 to 1. Of a track
    that was picked as one of the `album_tracks` of an album, weight, probability, rank and
    candidates are those of the album.
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
    steering_factor: float = 1.0
    wish_fits: Mapping[str, float] = field(default_factory=dict)
    flow_factor: float = 1.0
    album_tracks: int = 0


@dataclass(frozen=True, slots=True)
class Pick:
    """A track chosen by the daemon, with the factors that led to it."""

    track_id: TrackId
    explanation: Explanation


@dataclass(frozen=True, slots=True)
class UpcomingPick:
    """A pick in the queue that has not started; without `explanation` it is no candidate now."""

    song_id: SongId
    track_id: TrackId
    explanation: Explanation | None
