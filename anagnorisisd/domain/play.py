"""Plays: what the listener heard, as it is stored; `listening.play_rules` decides the outcome."""

from dataclasses import dataclass
from enum import StrEnum

from anagnorisisd.domain.track import TrackId


class PlayOutcome(StrEnum):
    """Whether a play counts for the track, against it, or not at all."""

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
