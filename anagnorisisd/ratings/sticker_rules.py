"""Ratings and the player's stickers: which of the two follows the other.

A sticker carries no time. Its change is known to be the listener's newest word (*live*) only if it
was seen before and after in one session with the player, and no rating was given here since. What
changed at another time is compared with what both sides agreed on last, and with the entry of the
rating history that counted then.

| sticker | live | our rating since they agreed | then |
|---|---|---|---|
| says what we have | | | nothing |
| is no rating | | given | ours is written |
| is no rating | | not given | it is left alone |
| changed, a rating | yes | any | it is a rating |
| changed, a rating | no | as it was, or never given | it is a rating |
| changed, a rating | no | given, or cleared | ours is written, or the sticker deleted |
| as it was | | given | ours is written |
| as it was | | cleared | the sticker is deleted |
| as it was | | never given: another track took the path | it is left alone |
| vanished | yes | any | the rating is cleared |
| vanished | no | any | ours is written again |

`like` stickers (0 is hated, 1 neutral, 2 loved) are only read:

| like | live | our rating | then |
|---|---|---|---|
| changed to 0 or 2 | yes | any | it is a rating |
| changed to 1, or vanished | yes | came from the like | the rating is cleared |
| changed to 1, or vanished | yes | came from elsewhere, or none | nothing |
| found 0 or 2 | no | none | it is a rating |
| changed to 0 or 2 | no | as it was when the like was last seen | it is a rating |
| anything else | no | any | nothing |
"""

import math
from dataclasses import dataclass
from enum import StrEnum

from anagnorisisd.domain.rating import HIGHEST, LOWEST, SyncedSticker

FEW = 5
"""At most so many stickers that vanish between two readings are taken for the listener's word."""

LIKES = {"0": 2.0, "2": 8.0}
"""The likes that are ratings."""

NEUTRAL = "1"


class SyncAction(StrEnum):
    """What to do about one file."""

    RATE = "rate"  # the sticker is a rating
    CLEAR = "clear"  # the sticker was taken away, and with it the rating
    WRITE = "write"  # our rating goes into the sticker
    DELETE = "delete"  # our rating was cleared, the sticker follows
    AGREE = "agree"  # nothing, but remember that they agree
    IGNORE = "ignore"  # the sticker is not a rating
    KEEP = "keep"  # nothing: the sticker belongs to another track, or says nothing new


@dataclass(frozen=True, slots=True)
class SyncState:
    """One file's sticker as it is and as it was last seen, and our rating of its track.

    `entry` is the sequence of the track's newest entry in the history, 0 for none; a cleared
    rating has an entry and no value.
    """

    sticker: str | None
    seen: SyncedSticker | None
    rating: float | None
    entry: int = 0
    live: bool = False


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


def says(text: str | None, rating: float | None) -> bool:
    """Return whether a sticker says this rating, exactly or rounded; none says no rating."""
    if text is None or rating is None:
        return text is None and rating is None
    return text == text_of(rating) or rating_of(text) == rating


def are_cleared(vanished: int, known: int) -> bool:
    """Return whether stickers that vanished between two readings may be the listener's word.

    A person takes away one after the other. Many at once, or all that there were, are a loss.
    """
    return 0 < vanished <= FEW and (vanished == 1 or vanished < known)


def sync_action(sides: SyncState) -> SyncAction:
    """Return what one file's `rating` sticker asks for; see the table."""
    sticker, rating = sides.sticker, sides.rating
    if says(sticker, rating):
        return SyncAction.AGREE
    if sticker is None:
        return SyncAction.CLEAR if sides.live else SyncAction.WRITE
    given = _given_here(sides)
    if rating_of(sticker) is None:
        overwritten = rating is not None and given and sides.seen is not None
        return SyncAction.WRITE if overwritten else SyncAction.IGNORE
    changed = sides.seen is None or sticker != sides.seen.value
    if sides.live or (changed and not given):
        return SyncAction.RATE
    if rating is not None:
        return SyncAction.WRITE
    return SyncAction.DELETE if given else SyncAction.KEEP


def like_move(sides: SyncState, *, from_like: bool) -> SyncAction:
    """Return what one file's `like` sticker asks for; `from_like`: our rating came from one."""
    text = None if sides.sticker is None else sides.sticker.strip()
    value = None if text is None else LIKES.get(text)
    changed = sides.seen is None or sides.sticker != sides.seen.value
    if sides.live:
        if value is not None:
            return SyncAction.RATE
        taken_away = text is None or text == NEUTRAL
        return (
            SyncAction.CLEAR
            if taken_away and from_like and sides.rating is not None
            else SyncAction.AGREE
        )
    if text is None or not changed:
        return SyncAction.KEEP
    unchanged_here = sides.seen is not None and sides.seen.entry == sides.entry
    if value is not None and (sides.rating is None or unchanged_here):
        return SyncAction.RATE
    return SyncAction.AGREE


def _given_here(sides: SyncState) -> bool:
    """Whether a rating was given or cleared here since both sides agreed."""
    if not sides.entry:
        return False
    if sides.seen is None:
        # Nothing tells when a rating was cleared: the sticker, which is there, is rather newer.
        return sides.rating is not None
    if sides.seen.entry is None:
        return not says(sides.seen.value, sides.rating)
    return sides.entry != sides.seen.entry
