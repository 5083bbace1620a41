"""Play rules: whether a playthrough counts as a full play, as a skip, or as neither.

| how it ended | share heard | outcome |
|---|---|---|
| in any way | `full_play_fraction` or more | full play |
| by itself | any | full play |
| playback stopped, entry removed, error, disconnected | less | neither |
| left by the listener | less than `skip_after_seconds` | neither |
| left by the listener in a burst of skips | less than `skip_fraction` | neither |
| left by the listener | less than `skip_fraction` | skip |
| left by the listener | between both fractions | neither |

`playback_tracker` finds out how a playthrough ended, also with crossfade, and `skip_burst` whether
it was left in a burst of skips.

What was played before the daemon observed it (`unobserved_seconds`) can prevent a skip, but does
not count towards a full play.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from anagnorisisd.domain.play import PlayOutcome


class Ending(StrEnum):
    """How a playthrough ended."""

    NATURAL = "natural"  # the song was played to its end
    LEFT = "left"  # the listener went to another song
    STOPPED = "stopped"
    REMOVED = "removed"  # the entry was removed from the queue
    ERROR = "error"
    DISCONNECTED = "disconnected"  # MPD could not be observed


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The limits between full plays, skips and browsing; `config.schema.Listening` has defaults."""

    full_play_fraction: float
    skip_fraction: float
    skip_after_seconds: float
    browsing_skips: int
    browsing_seconds: float


@dataclass(frozen=True, slots=True)
class Playthrough:
    """One stay of a song in the player. Times are monotonic seconds.

    `duration_seconds` is `None` for streams. `browsing` says that the song was left in a burst of
    skips.
    """

    uri: str
    started_at: float
    ended_at: float
    heard_seconds: float
    unobserved_seconds: float
    duration_seconds: float | None
    ending: Ending
    browsing: bool = False

    @property
    def heard_fraction(self) -> float:
        """The share of the song that was heard; 0 without a known duration."""
        return self.heard_seconds / self.duration_seconds if self.duration_seconds else 0.0

    @property
    def played_fraction(self) -> float:
        """The share that was heard, or played before the song was observed."""
        played = self.heard_seconds + self.unobserved_seconds
        return played / self.duration_seconds if self.duration_seconds else 0.0


Rule = Callable[[Playthrough, Thresholds], bool]

RULES: tuple[tuple[Rule, PlayOutcome, str], ...] = (
    (
        lambda play, limits: play.heard_fraction >= limits.full_play_fraction,
        PlayOutcome.FULL,
        "heard nearly to the end",
    ),
    (lambda play, _: play.ending is Ending.NATURAL, PlayOutcome.FULL, "ended by itself"),
    (lambda play, _: play.ending is Ending.STOPPED, PlayOutcome.NEITHER, "playback was stopped"),
    (lambda play, _: play.ending is Ending.REMOVED, PlayOutcome.NEITHER, "removed from the queue"),
    (lambda play, _: play.ending is Ending.ERROR, PlayOutcome.NEITHER, "playback error"),
    (lambda play, _: play.ending is Ending.DISCONNECTED, PlayOutcome.NEITHER, "MPD disconnected"),
    (lambda play, _: play.duration_seconds is None, PlayOutcome.NEITHER, "unknown duration"),
    (
        lambda play, limits: play.heard_seconds < limits.skip_after_seconds,
        PlayOutcome.NEITHER,
        "left within the first seconds",
    ),
    (
        lambda play, limits: play.played_fraction >= limits.skip_fraction,
        PlayOutcome.NEITHER,
        "left late",
    ),
    (lambda play, _: play.browsing, PlayOutcome.NEITHER, "left while browsing"),
    (lambda *_: True, PlayOutcome.SKIP, "left early"),
)
"""The first rule that applies decides."""


def judge(play: Playthrough, limits: Thresholds) -> tuple[PlayOutcome, str]:
    """Return the outcome of a playthrough and the reason for it."""
    return next((outcome, reason) for applies, outcome, reason in RULES if applies(play, limits))
