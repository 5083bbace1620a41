"""A pick and its explanation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from anagnorisisd.domain.track import TrackId


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a track has the chance that it has, at the moment of choosing.

    `guards` holds only the guards that lowered the weight, `relaxed` those that were given up.
    `rank` counts from 1 among `candidates` tracks.
    """

    rating: float
    rating_source: str
    rating_factor: float
    skip_factor: float
    recency_factor: float
    guards: Mapping[str, float]
    relaxed: Sequence[str]
    weight: float
    probability: float
    rank: int
    candidates: int


@dataclass(frozen=True, slots=True)
class Pick:
    """A track chosen by the daemon, with the factors that led to it."""

    track_id: TrackId
    explanation: Explanation
