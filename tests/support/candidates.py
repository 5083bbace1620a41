"""Candidates for tests, as few words as possible: a row a track, columns by name."""

from collections.abc import Sequence

import numpy as np

from anagnorisisd.domain.artist_names import ArtistCredits
from anagnorisisd.domain.pick import Candidates
from anagnorisisd.domain.track import TrackId

DAY = 86_400.0
NOW = 1_750_000_000.0
NONE = float("nan")
NEVER = float("-inf")


def name(row: int) -> TrackId:
    """Return the id of the track in a row."""
    return TrackId(f"{row:032x}")


def candidates(
    count: int,
    *,
    rating: float | Sequence[float] = NONE,
    predicted: float | Sequence[float] = NONE,
    stddev: float | Sequence[float] = NONE,
    full_plays: float | Sequence[float] = 0.0,
    skips: float | Sequence[float] = 0.0,
    last_played_at: float | Sequence[float] = NEVER,
    duration_seconds: float | Sequence[float] = 200.0,
    artist: int | str | Sequence[int] | Sequence[str] = 0,
    album: int | Sequence[int] = 0,
    folder: int | Sequence[int] = 0,
    excluded: bool | Sequence[bool] = False,
    mean_rating: float = 5.0,
) -> Candidates:
    """Return `count` tracks; a single value stands for all of them.

    `artist` are tags or numbers that stand for such; 0 and an empty tag mean none.
    """

    def floats(values: float | Sequence[float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.full(count, values, dtype=np.float64)

    return Candidates(
        track_ids=np.array([name(row) for row in range(count)], dtype="S32"),
        rating=floats(rating),
        predicted_mean=floats(predicted),
        predicted_stddev=floats(stddev),
        full_plays=floats(full_plays),
        skips=floats(skips),
        last_played_at=floats(last_played_at),
        duration_seconds=floats(duration_seconds),
        artists=credits_of([artist] * count if isinstance(artist, int | str) else artist),
        album=np.full(count, album, dtype=np.int64),
        folder=np.full(count, folder, dtype=np.int64),
        excluded=np.full(count, excluded, dtype=bool),
        mean_rating=mean_rating,
    )


def credits_of(artist: Sequence[int | str]) -> ArtistCredits:
    """Return the credits of tracks with these artist tags, or numbers that stand for such."""
    tags = [str(each) if each else None for each in artist]
    return ArtistCredits.read(np.arange(len(tags), dtype=np.int32), tags)


def worked_example() -> Candidates:
    """Return the three tracks A, B and C of the documentation."""
    return candidates(
        3,
        rating=[8, 6, NONE],
        full_plays=[10, 5, 2],
        skips=[2, 3, 5],
        last_played_at=[NOW - 7 * DAY, NOW - 2 * DAY, NOW - 30 * DAY],
        mean_rating=7.0,
    )
