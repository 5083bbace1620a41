"""Which of a rating and a sticker of MPD follows the other.

A sticker has no time. Its change is *newer* than the rating only if the daemon saw the sticker
before and after in one session with MPD, with no rating in between. Any other change is compared
with the last synced state: the text of the sticker, and the entry of the rating history that
counted then.

| `rating` sticker | newer | our rating since the last sync | action |
|---|---|---|---|
| equal to our rating | | | none |
| not a rating | | set | write our rating |
| not a rating | | not set | none |
| changed, a rating | yes | any | store it as the rating |
| changed, a rating | no | unchanged, or never set | store it as the rating |
| changed, a rating | no | set, or cleared | write our rating, or delete the sticker |
| unchanged | | set | write our rating |
| unchanged | | cleared | delete the sticker |
| unchanged | | never set: another track is at this path now | none |
| missing | yes | any | clear the rating |
| missing | no | any | write our rating |

`like` stickers (0 is hated, 1 neutral, 2 loved) are only read:

| `like` sticker | newer | our rating | action |
|---|---|---|---|
| changed to 0 or 2 | yes | any | store it as a rating |
| changed to 1, or missing | yes | came from the like | clear the rating |
| changed to 1, or missing | yes | from elsewhere, or none | none |
| found, 0 or 2 | no | none | store it as a rating |
| changed to 0 or 2 | no | unchanged since the last sync | store it as a rating |
| anything else | no | any | none |
"""

import math
from dataclasses import dataclass
from enum import StrEnum

from anagnorisisd.domain.rating import HIGHEST, LOWEST, SyncedSticker

MAX_REMOVED_AT_ONCE = 5
"""More stickers that disappear between two snapshots are a loss, not the listener's wish."""

LIKE_RATINGS = {"0": 2.0, "2": 8.0}
"""The ratings that like stickers stand for."""

NEUTRAL_LIKE = "1"


class SyncAction(StrEnum):
    """What to do about the sticker of one file."""

    RATE = "rate"  # store the sticker as the rating
    CLEAR = "clear"  # clear the rating, as the sticker was removed
    WRITE = "write"  # write the rating into the sticker
    DELETE = "delete"  # delete the sticker, as the rating was cleared
    AGREE = "agree"  # nothing but record that both are equal
    IGNORE = "ignore"  # nothing: the sticker is not a rating
    KEEP = "keep"  # nothing: the sticker is of another track, or says nothing new


@dataclass(frozen=True, slots=True)
class SyncState:
    """The sticker of one file, as it is and as it was at the last sync, and our rating.

    `entry` is the sequence of the track's newest entry in the rating history, 0 for none; a cleared
    rating has an entry and no value. `newer`: the sticker is known to be newer than that entry.
    """

    sticker: str | None
    synced: SyncedSticker | None
    rating: float | None
    entry: int = 0
    newer: bool = False


def sticker_text(rating: float) -> str:
    """Return the text of a sticker, rounded: other clients accept whole numbers only."""
    return str(math.floor(rating + 0.5))


def parse_rating(text: str) -> float | None:
    """Return the rating in a sticker, `None` if it is not a number from 0 to 10.

    Surrounding spaces and leading zeros are accepted.
    """
    try:
        value = float(text.strip())
    except ValueError:
        return None
    return value if LOWEST <= value <= HIGHEST else None


def equals(text: str | None, rating: float | None) -> bool:
    """Return whether a sticker has this rating, exact or rounded; or neither exists."""
    if text is None or rating is None:
        return text is None and rating is None
    return text == sticker_text(rating) or parse_rating(text) == rating


def may_be_removed(missing: int, total: int) -> bool:
    """Return whether stickers that disappeared at once may have been removed by the listener.

    `missing` of `total` stickers disappeared. A person removes one after the other: if many
    disappear at once, or all, then MPD lost them.
    """
    return 0 < missing <= MAX_REMOVED_AT_ONCE and (missing == 1 or missing < total)


def rating_action(state: SyncState) -> SyncAction:
    """Return the action for a `rating` sticker, by the first table."""
    sticker, rating = state.sticker, state.rating
    if equals(sticker, rating):
        return SyncAction.AGREE
    if sticker is None:
        return SyncAction.CLEAR if state.newer else SyncAction.WRITE
    rated = _rated_since_sync(state)
    if parse_rating(sticker) is None:
        overwrite = rating is not None and rated and state.synced is not None
        return SyncAction.WRITE if overwrite else SyncAction.IGNORE
    changed = state.synced is None or sticker != state.synced.value
    if state.newer or (changed and not rated):
        return SyncAction.RATE
    if rating is not None:
        return SyncAction.WRITE
    return SyncAction.DELETE if rated else SyncAction.KEEP


def like_action(state: SyncState, *, from_like: bool) -> SyncAction:
    """Return the action for a `like` sticker, by the second table.

    `from_like`: our rating came from a like sticker.
    """
    text = None if state.sticker is None else state.sticker.strip()
    value = None if text is None else LIKE_RATINGS.get(text)
    changed = state.synced is None or state.sticker != state.synced.value
    if state.newer:
        if value is not None:
            return SyncAction.RATE
        removed = text is None or text == NEUTRAL_LIKE
        clear = removed and from_like and state.rating is not None
        return SyncAction.CLEAR if clear else SyncAction.AGREE
    if text is None or not changed:
        return SyncAction.KEEP
    rating_unchanged = state.synced is not None and state.synced.entry == state.entry
    if value is not None and (state.rating is None or rating_unchanged):
        return SyncAction.RATE
    return SyncAction.AGREE


def _rated_since_sync(state: SyncState) -> bool:
    """Return whether our rating was set or cleared since the last sync."""
    if not state.entry:
        return False
    if state.synced is None:
        # When a rating was cleared is not known here: the sticker, which exists, is likely newer.
        return state.rating is not None
    if state.synced.entry is None:
        return not equals(state.synced.value, state.rating)
    return state.entry != state.synced.entry
