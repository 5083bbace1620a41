"""Which tracks the published playlists hold, best first.

| name         | tracks                                                                          |
|--------------|---------------------------------------------------------------------------------|
| `Favourites` | rated 8 or more; then unrated ones that are predicted surely: mean minus standard |
|              | deviation of at least 7                                                         |
| `Promising`  | never rated, played or skipped, by their predicted rating                       |
| `Forgotten`  | rated 8 or more and not played for 90 days, the longest ago first               |
| `To rate`    | unrated ones whose ratings would improve predictions most                       |
| `New`        | added within 30 days, by their effective rating                                 |
| `Tag jazz`   | those that have this sound tag, by their effective rating                       |

A number after the name, as in `Favourites 100`, is the greatest length; the default is 50. Tracks
that the configuration excludes from picks are in none of them.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from anagnorisisd.domain.pick import Candidates, Floats
from anagnorisisd.domain.track import TrackId

FAVOURITES, PROMISING, FORGOTTEN, TO_RATE, NEW = (
    "Favourites", "Promising", "Forgotten", "To rate", "New"
)  # fmt: skip
TAG = "Tag "

DEFAULT_LENGTH = 50
FAVOURITE_RATING = 8.0
SURE_PREDICTION = 7.0
FORGOTTEN_DAYS = 90
NEW_DAYS = 30
NEVER_DAYS = 1e6
DAY_SECONDS = 86_400.0

SELECTION = re.compile(r"(?P<name>.*?)(?: (?P<length>\d{1,4}))?")


@dataclass(frozen=True, slots=True)
class Selection:
    """A published playlist: what it holds, and its greatest length."""

    name: str
    length: int = DEFAULT_LENGTH

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an item of `picks.playlists`, which the schema has checked."""
        found = SELECTION.fullmatch(text)
        assert found is not None
        return cls(found["name"], int(found["length"] or DEFAULT_LENGTH))

    @property
    def tag(self) -> str | None:
        """The sound tag, if it is a playlist of one."""
        return self.name.removeprefix(TAG) if self.name.startswith(TAG) else None


def select(
    selection: Selection,
    candidates: Candidates,
    now: float,
    *,
    added_at: Mapping[TrackId, float],
    tagged: Collection[TrackId],
) -> list[TrackId]:
    """Return the tracks of a playlist other than `To rate`, best first.

    `now` and the values of `added_at` are unix seconds; `tagged` are the tracks with the tag of the
    selection.
    """
    rated = ~np.isnan(candidates.rating)
    predicted = ~np.isnan(candidates.predicted_mean) & ~rated
    sure = candidates.predicted_mean - candidates.predicted_stddev
    ages_days = (now - candidates.last_played_at) / DAY_SECONDS
    effective = _effective_rating(candidates)
    match selection.name:
        case "Favourites":
            loved = rated & (candidates.rating >= FAVOURITE_RATING)
            chosen = loved | (predicted & (sure >= SURE_PREDICTION))
            # Rated ones first, whatever is predicted of others.
            order = np.where(loved, candidates.rating + 100.0, sure)
        case "Promising":
            heard = (candidates.full_plays + candidates.skips > 0) | (ages_days < np.inf)
            chosen, order = predicted & ~heard, candidates.predicted_mean
        case "Forgotten":
            loved = rated & (candidates.rating >= FAVOURITE_RATING)
            # Of those that were never played, the best first.
            longest_ago = np.minimum(ages_days, NEVER_DAYS)
            chosen = loved & (ages_days >= FORGOTTEN_DAYS)
            order = longest_ago + np.where(ages_days > NEVER_DAYS, effective, 0.0)
        case "New":
            times = _column(candidates, added_at)
            chosen, order = now - times <= NEW_DAYS * DAY_SECONDS, effective
        case _:
            chosen = np.zeros(len(candidates), dtype=bool)
            chosen[candidates.rows(list(tagged))] = True
            order = effective
    rows = np.flatnonzero(chosen & ~candidates.excluded)
    # Stable, so that equal ones do not change places from one day to the next.
    best = rows[np.argsort(-order[rows], kind="stable")][: selection.length]
    return [candidates.track_id(int(row)) for row in best]


def _effective_rating(candidates: Candidates) -> Floats:
    predicted = np.where(
        np.isnan(candidates.predicted_mean), candidates.mean_rating, candidates.predicted_mean
    )
    return np.where(np.isnan(candidates.rating), predicted, candidates.rating)


def _column(candidates: Candidates, values: Mapping[TrackId, float]) -> NDArray[np.float64]:
    """Return a column with the values of tracks, `-inf` for those that have none."""
    column = np.full(len(candidates), -np.inf)
    for track_id, value in values.items():
        row = candidates.row(track_id)
        if row is not None:
            column[row] = value
    return column
