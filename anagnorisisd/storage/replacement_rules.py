"""Rules that decide whether a track and its replacement at a path are the same piece of music.

If a file is encoded again or its gain is changed, the audio hash changes, the path does not.

| durations | title and artist | the library had the new track before | same piece |
|---|---|---|---|
| one is unknown, or more than two seconds apart | any | any | unknown |
| within two seconds | one of them differs | any | unknown |
| within two seconds | both are known and equal | any | yes |
| within two seconds | one of them is missing in either track | no | yes: path and duration agree |
| within two seconds | one of them is missing in either track | yes | unknown |

Albums are not compared: the same recording may be on several.
"""

from dataclasses import dataclass

from anagnorisisd.domain import artist_names
from anagnorisisd.domain.rating import RatingChange
from anagnorisisd.domain.track import Tags, TrackId

TOLERANCE_SECONDS = 2.0
"""Encoders add padding and headers round durations, so they differ for the same piece."""


@dataclass(frozen=True, slots=True)
class Recording:
    """The properties by which two tracks are compared."""

    tags: Tags
    duration_seconds: float | None


@dataclass(frozen=True, slots=True)
class Replacement:
    """A track `now` that replaced the track `before` at a path, and what was transferred.

    `same` is whether both are the same piece, `rated` whether the replaced track has a rating.
    `change` is the transferred rating, `plays` the number of transferred plays.
    """

    before: TrackId
    now: TrackId
    same: bool
    rated: bool
    change: RatingChange | None = None
    plays: int = 0


def same_piece(before: Recording, now: Recording, *, known: bool) -> bool:
    """Return whether both are certainly the same piece.

    `known` is whether the library already had the track `now`, at another path.
    """
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
    """Return whether two tags are equal; `None` if one is missing."""
    if not before or not now:
        return None
    return artist_names.key(before) == artist_names.key(now)
