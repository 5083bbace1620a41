"""Ratings and the player's stickers: which of the two follows the other.

| sticker | our rating | then |
|---|---|---|
| says what we have | as it was, or changed | nothing |
| changed, readable | unchanged since they agreed | it is a rating |
| changed, readable | changed too | ours is written: its time is known, that of the sticker not |
| changed, readable | cleared | it is a rating |
| not a rating | any | it is left alone, until a rating is given here |
| vanished | unchanged | the rating is cleared, if the file is still there; else written again |
| vanished | changed | ours is written |
| unchanged | changed, or cleared | ours is written, or the sticker deleted |

"Changed" compares with what was last seen or written, so that our own writing never comes back
as a rating. The same rating given once more is a change, too.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

from anagnorisisd.domain.rating import HIGHEST, LOWEST


class Move(StrEnum):
    """What to do about one file."""

    RATE = "rate"  # the sticker is a rating
    CLEAR = "clear"  # the sticker was taken away, and with it the rating
    WRITE = "write"  # our rating goes into the sticker
    DELETE = "delete"  # our rating was cleared, the sticker follows
    AGREE = "agree"  # nothing, but remember that they agree
    IGNORE = "ignore"  # the sticker is not a rating


@dataclass(frozen=True, slots=True)
class Sides:
    """One file's sticker as it is and as it was last seen, and our rating of its track.

    `fresh` says that the rating was given since the last comparison, and not by the sticker.
    """

    sticker: str | None
    seen: str | None
    rating: float | None
    fresh: bool = False


def text_of(rating: float) -> str:
    """Return what a sticker says: other clients know whole numbers only, so it is rounded."""
    return str(math.floor(rating + 0.5))


def rating_of(text: str) -> float | None:
    """Return the rating in a sticker, or `None` when it is none on our scale.

    Spaces and leading zeros are taken as they are meant.
    """
    try:
        value = float(text.strip())
    except ValueError:
        return None
    return value if LOWEST <= value <= HIGHEST else None


def move(sides: Sides) -> Move:
    """Return what one file asks for; see the table."""
    sticker, rating = sides.sticker, sides.rating
    if rating is None if sticker is None else _says(sticker, rating):
        return Move.AGREE
    if sticker is not None and rating_of(sticker) is None:
        return Move.WRITE if sides.fresh and rating is not None else Move.IGNORE
    changed_there, changed_here = sticker != sides.seen, _changed_here(sides)
    if changed_there and sticker is not None and (rating is None or not changed_here):
        return Move.RATE
    if changed_there and not changed_here:
        return Move.CLEAR
    return Move.DELETE if rating is None else Move.WRITE


def _changed_here(sides: Sides) -> bool:
    """Whether our rating is no longer the one that was last agreed on."""
    if sides.fresh and sides.rating is not None:
        return True
    if sides.seen is None or rating_of(sides.seen) is None:
        return sides.rating is not None
    return not _says(sides.seen, sides.rating)


def _says(text: str, rating: float | None) -> bool:
    """Whether a sticker says this rating, exactly or rounded."""
    if rating is None:
        return False
    return text == text_of(rating) or rating_of(text) == rating
