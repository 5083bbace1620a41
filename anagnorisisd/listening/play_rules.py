"""How a playthrough is judged."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from anagnorisisd.domain.play import PlayOutcome


class Ending(StrEnum):
    """How a song came to its end in the player."""

    NATURAL = "natural"
    LEFT = "left"
    STOPPED = "stopped"
    REMOVED = "removed"
    BROKEN = "broken"
    AWAY = "away"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What the listener's configuration says about full plays, skips and browsing."""

    full_play_fraction: float = 0.85
    skip_fraction: float = 0.5
    skip_after_seconds: float = 5.0
    browsing_skips: int = 3
    browsing_seconds: float = 20.0


@dataclass(frozen=True, slots=True)
class Playthrough:
    """How long a song was in the player, and how it ended; times in seconds of one clock."""

    uri: str
    started_at: float
    ended_at: float
    heard_seconds: float
    unseen_seconds: float
    duration_seconds: float | None
    ending: Ending
    browsing: bool = False

    @property
    def heard_fraction(self) -> float | None:
        """The part of the song that was heard; `None` for songs without a known end."""
        return self.heard_seconds / self.duration_seconds if self.duration_seconds else None

    @property
    def played_fraction(self) -> float | None:
        """The same, with what was played before we looked."""
        played = self.heard_seconds + self.unseen_seconds
        return played / self.duration_seconds if self.duration_seconds else None


Rule = Callable[[Playthrough, Thresholds], bool]

RULES: tuple[tuple[Rule, PlayOutcome, str], ...] = (
    (
        lambda stay, limits: (stay.heard_fraction or 0.0) >= limits.full_play_fraction,
        PlayOutcome.FULL,
        "heard nearly to the end",
    ),
    (lambda stay, _: stay.ending is Ending.NATURAL, PlayOutcome.FULL, "ended by itself"),
    (lambda stay, _: stay.ending is Ending.STOPPED, PlayOutcome.NEITHER, "playback was stopped"),
    (lambda stay, _: stay.ending is Ending.REMOVED, PlayOutcome.NEITHER, "removed from the queue"),
    (lambda stay, _: stay.ending is Ending.BROKEN, PlayOutcome.NEITHER, "could not be played on"),
    (lambda stay, _: stay.ending is Ending.AWAY, PlayOutcome.NEITHER, "the player went away"),
    (lambda stay, _: stay.duration_seconds is None, PlayOutcome.NEITHER, "has no known length"),
    (
        lambda stay, limits: stay.heard_seconds < limits.skip_after_seconds,
        PlayOutcome.NEITHER,
        "left too soon to tell",
    ),
    (
        lambda stay, limits: (stay.played_fraction or 0.0) >= limits.skip_fraction,
        PlayOutcome.NEITHER,
        "left after much of it",
    ),
    (lambda stay, _: stay.browsing, PlayOutcome.NEITHER, "left while browsing"),
    (lambda *_: True, PlayOutcome.SKIP, "left early"),
)
"""The first rule that applies decides."""


def judge(stay: Playthrough, limits: Thresholds) -> tuple[PlayOutcome, str]:
    """Return the outcome of a playthrough and the reason for it."""
    return next((word, reason) for applies, word, reason in RULES if applies(stay, limits))
