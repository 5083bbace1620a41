"""Plays: one stay of a track in the player, and how it is judged."""

from dataclasses import dataclass
from enum import StrEnum

from anagnorisisd.domain.track import TrackId


class Verdict(StrEnum):
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
    verdict: Verdict
    reason: str
