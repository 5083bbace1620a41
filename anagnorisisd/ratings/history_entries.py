"""What the listener said and heard, on its way out of the daemon or into it."""

from dataclasses import dataclass
from enum import StrEnum

from anagnorisisd.domain.play import PlayOutcome
from anagnorisisd.domain.track import TrackId, Uri


@dataclass(frozen=True, slots=True)
class GivenRating:
    """A rating as it was given; `None` where it was cleared."""

    value: float | None


@dataclass(frozen=True, slots=True)
class JudgedPlay:
    """A play as it was judged."""

    outcome: PlayOutcome
    heard_seconds: float
    duration_seconds: float | None


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One thing said or heard.

    The track is that of `track_id`, else the one whose file lies at `uri`. `at` is unix seconds:
    when the rating was given or the play ended; `None` where that is not known.
    """

    track_id: TrackId | None
    uri: Uri
    at: float | None
    source: str
    content: GivenRating | JudgedPlay


class ImportOutcome(StrEnum):
    """What became of an entry, or would."""

    TAKEN = "taken"
    KNOWN = "known"
    LEFT_OUT = "left_out"


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What became of an entry, and if it was left out, why."""

    outcome: ImportOutcome
    reason: str = ""
