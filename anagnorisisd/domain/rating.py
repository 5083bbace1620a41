"""Ratings: the listener's own numbers.

The history is append-only and the newest change counts. A *cleared* rating (`None`) is not 0.
"""

import math
from dataclasses import dataclass

from anagnorisisd.domain.track import TrackId
from anagnorisisd.errors import InvalidValue

LOWEST = 0.0
HIGHEST = 10.0
DEFAULT_MEAN = 5.0
"""The assumed mean rating of a listener who has not rated anything."""


@dataclass(frozen=True, slots=True)
class Rating:
    """One entry of the history; `value` is `None` where the rating was cleared.

    With `plays_only`, the entry says that plays were transferred to the track, or back by an undo;
    `value` is the rating at that time, which did not change.
    """

    sequence: int
    track_id: TrackId
    value: float | None
    rated_at: float
    source: str
    plays_only: bool = False


@dataclass(frozen=True, slots=True)
class RatingChange:
    """A new entry of the history, and the value that counted before it."""

    rating: Rating
    previous: float | None


@dataclass(frozen=True, slots=True)
class SyncedSticker:
    """A song's rating sticker when sticker and rating last agreed, and the rating then.

    `value` is `None` where there was no sticker. `entry` is the sequence of the rating in the
    history, 0 where there was none, and `None` where it is not known.
    """

    value: str | None
    entry: int | None = None


def check(value: float) -> float:
    """Return `value` if it is a rating, from 0 to 10; raise `InvalidValue` otherwise."""
    if not (math.isfinite(value) and LOWEST <= value <= HIGHEST):
        raise InvalidValue("rating", f"{value:g} is not between 0 and 10")
    return value + 0.0  # no negative zero


def check_delta(delta: float) -> float:
    """Return `delta` if a rating can be moved by it; raise `InvalidValue` otherwise."""
    if not (math.isfinite(delta) and -HIGHEST <= delta <= HIGHEST):
        raise InvalidValue("delta", f"{delta:g} is not between -10 and 10")
    return delta


def adjusted(current: float, delta: float) -> float:
    """Return `current` moved by `delta` and kept within 0 to 10.

    Raises:
        InvalidValue: `delta` is not a number between -10 and 10.
    """
    return min(HIGHEST, max(LOWEST, current + check_delta(delta)))
