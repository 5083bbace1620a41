"""Plays and their outcomes.

| ending | heard | outcome |
|---|---|---|
| any | at least `full_play_fraction` of it | full |
| ended by itself | anything | full |
| stopped, removed, broken, player gone | less | neither |
| left by the listener | less than `skip_after_seconds` | neither |
| left by the listener, from amid a burst of such | less than `skip_fraction` of it | neither |
| left by the listener | less than `skip_fraction` of it | skip |
| left by the listener | everything between | neither |

Seconds played before the daemon connected (`unseen_seconds`) can prevent a skip, but do not count
towards a full play.
"""

from dataclasses import dataclass
from enum import StrEnum

from anagnorisisd.domain.track import TrackId


class PlayOutcome(StrEnum):
    """What a play says about the listener's liking."""

    FULL = "full"
    SKIP = "skip"
    NEITHER = "neither"


@dataclass(frozen=True, slots=True)
class Play:
    """A judged play. Times are unix seconds; `heard_seconds` leaves out pauses and seeks."""

    track_id: TrackId
    started_at: float
    ended_at: float
    heard_seconds: float
    duration_seconds: float | None
    outcome: PlayOutcome
    reason: str
