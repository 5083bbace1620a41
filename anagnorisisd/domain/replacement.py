"""Whether the track that took another one's place at a path is the same piece of music.

A better encoding of a piece, or one with another gain, has another audio hash, but lies where the
former one lay.

| durations | title and artist | the library had the new track before | the same piece |
|---|---|---|---|
| one is unknown, or further apart than two seconds | any | any | in doubt |
| within two seconds | one of them differs | any | in doubt |
| within two seconds | both are known and equal | any | yes |
| within two seconds | one of them is missing on a side | no | yes: path and length agree |
| within two seconds | one of them is missing on a side | yes | in doubt |

Albums are not compared: the same recording is on several.
"""

from dataclasses import dataclass

from anagnorisisd.domain import artist_names
from anagnorisisd.domain.rating import RatingChange
from anagnorisisd.domain.track import Tags, TrackId

TOLERANCE_SECONDS = 2.0
"""Encoders pad, and headers round: the same piece is not always of the same length."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What the files of two tracks at one path are compared by."""

    tags: Tags
    duration_seconds: float | None


@dataclass(frozen=True, slots=True)
class Replacement:
    """A track that took another one's place, and what was passed on to it.

    `same` says that it is evidently the same piece; `rated` that the former one has a rating.
    """

    before: TrackId
    now: TrackId
    same: bool
    rated: bool
    change: RatingChange | None = None
    plays: int = 0


def same_piece(before: Recording, now: Recording, *, known: bool) -> bool:
    """Tell whether both are evidently the same piece; `known`: the new track is not new."""
    if before.duration_seconds is None or now.duration_seconds is None:
        return False
    if abs(before.duration_seconds - now.duration_seconds) > TOLERANCE_SECONDS:
        return False
    titles = _agree(before.tags.title, now.tags.title)
    artists = _agree(before.tags.artist, now.tags.artist)
    if titles is False or artists is False:
        return False
    return (titles is True and artists is True) or not known


def _agree(before: str | None, now: str | None) -> bool | None:
    """Tell whether two tags are equal; `None` where one is missing."""
    if not before or not now:
        return None
    return artist_names.key(before) == artist_names.key(now)
