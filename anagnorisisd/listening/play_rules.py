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

`playback_tracker` finds out how a playthrough ended, also with crossfade, and `SkipBurst` whether
it was left in a burst of skips.

What was played before the daemon observed it (`unobserved_seconds`) can prevent a skip, but does
not count towards a full play.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from math import inf

from anagnorisisd.domain.play import PlayOutcome

ROUNDING_SECONDS = 0.001
"""Added to a due time so that floating-point rounding does not make it too early."""


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


class SkipBurst:
    """Holds playthroughs back until it is known whether they belong to a burst of skips.

    A listener who leaves song after song is browsing, not judging. A song that was left counts as
    *browsed* when it is one of at least `browsing_skips` songs left in a row within
    `browsing_seconds`, and not the last of them. Only what follows can tell. So playthroughs that
    were left are held back for that long, or until one ends in another way.
    """

    def __init__(self, limits: Thresholds) -> None:
        self._limits = limits
        self._left: list[Playthrough] = []  # left in a row, and recent enough to matter
        self._released = 0  # so many of them were returned already

    def add(self, play: Playthrough) -> list[Playthrough]:
        """Take a playthrough; return those that are known now, in order."""
        if play.ending is not Ending.LEFT:
            return [*self.release_all(), play]
        known = self.release(play.ended_at)
        self._left.append(play)
        return known

    def release(self, now: float) -> list[Playthrough]:
        """Return the playthroughs that nothing after `now` can make part of a burst."""
        window = self._limits.browsing_seconds
        known = self._mark(sum(play.ended_at < now - window for play in self._left))
        # One that is held back may be in one burst with others that were returned already.
        outdated = sum(play.ended_at < now - 2 * window for play in self._left)
        self._left = self._left[outdated:]
        self._released -= outdated
        return known

    def release_all(self) -> list[Playthrough]:
        """Return all playthroughs that are held back: nothing can be added to their burst."""
        known = self._mark(len(self._left))
        self._left, self._released = [], 0
        return known

    def due(self) -> float:
        """Return from when on `release` returns something; `inf` if nothing is held back."""
        held = self._left[self._released :]
        if not held:
            return inf
        first = min(play.ended_at for play in held)
        return first + self._limits.browsing_seconds + ROUNDING_SECONDS

    def _mark(self, count: int) -> list[Playthrough]:
        """Return those of the first `count` that were not returned yet, with `browsing` set."""
        known = [
            replace(self._left[index], browsing=self._is_browsed(index))
            for index in range(self._released, count)
        ]
        self._released = max(self._released, count)
        return known

    def _is_browsed(self, index: int) -> bool:
        """Return whether a window of enough songs left in a row has this one, not as its last."""
        size = self._limits.browsing_skips
        return any(
            self._left[start + size - 1].ended_at - self._left[start].ended_at
            <= self._limits.browsing_seconds
            for start in range(max(0, index - size + 2), min(index, len(self._left) - size) + 1)
        )
