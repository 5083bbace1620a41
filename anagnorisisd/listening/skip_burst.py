"""Bursts of skips: a listener who leaves song after song is browsing, not judging.

A song that was left counts as *browsed* when it is one of at least `browsing_skips` songs left in
a row within `browsing_seconds`, and not the last of them. Only what follows can tell. So
playthroughs that were left are held back for that long, or until one ends in another way.
"""

from dataclasses import replace
from math import inf

from anagnorisisd.listening.play_rules import Ending, Playthrough, Thresholds

ROUNDING_SECONDS = 0.001
"""Added to a due time so that floating-point rounding does not make it too early."""


class SkipBurst:
    """Holds playthroughs back until it is known whether they belong to a burst."""

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
