"""A sticker of MPD as it was last seen."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Seen:
    """A file's sticker when both sides agreed last, and which rating of its track counted then.

    `value` is `None` where there was no sticker. `entry` is the sequence of the rating in the
    history, 0 where there was none, and `None` where it is not known.
    """

    value: str | None
    entry: int | None = None
