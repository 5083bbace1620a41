"""Bursts of songs left one after the other: the listener is looking for something.

A song that was left is *browsed* when at least `browsing_skips` songs left in a row within
`browsing_seconds` include it, and it is not the last of them. Since only what follows can tell,
stays that were left are held back for that long; anything else that happens settles them.
"""

from dataclasses import replace
from math import inf

from anagnorisisd.listening.play_rules import Ending, Playthrough, Thresholds

MOMENT_SECONDS = 0.001
"""Later than a limit, by whichever rounding."""


class SkipBurst:
    """Holds stays back until it is known whether they were part of a burst."""

    def __init__(self, limits: Thresholds) -> None:
        self._limits = limits
        self._row: list[Playthrough] = []  # stays left in a row, recent enough to matter
        self._given_out = 0  # how many of them were returned already

    def take(self, stay: Playthrough) -> list[Playthrough]:
        """Return what `stay` settles, in order: earlier stays, or itself too."""
        if stay.ending is not Ending.LEFT:
            return [*self.settle(), stay]
        settled = self.until(stay.ended_at)
        self._row.append(stay)
        return settled

    def until(self, now: float) -> list[Playthrough]:
        """Return the stays that nothing after `now` can make part of a burst."""
        window = self._limits.browsing_seconds
        settled = self._give_out(sum(stay.ended_at < now - window for stay in self._row))
        # A stay still held back may be in one burst with stays given out already.
        forgotten = sum(stay.ended_at < now - 2 * window for stay in self._row)
        self._row = self._row[forgotten:]
        self._given_out -= forgotten
        return settled

    def due(self) -> float:
        """Return from when on `until` returns something that is held back; else `inf`."""
        held = self._row[self._given_out :]
        if not held:
            return inf
        return min(stay.ended_at for stay in held) + self._limits.browsing_seconds + MOMENT_SECONDS

    def settle(self) -> list[Playthrough]:
        """Return everything that is held back: the row has ended."""
        settled = self._give_out(len(self._row))
        self._row, self._given_out = [], 0
        return settled

    def _give_out(self, count: int) -> list[Playthrough]:
        settled = [self._marked(index) for index in range(self._given_out, count)]
        self._given_out = max(self._given_out, count)
        return settled

    def _marked(self, index: int) -> Playthrough:
        return replace(self._row[index], browsing=self._is_browsed(index))

    def _is_browsed(self, index: int) -> bool:
        """Whether a window of enough stays in a row holds this one, not as its last."""
        size = self._limits.browsing_skips
        return any(
            self._row[start + size - 1].ended_at - self._row[start].ended_at
            <= self._limits.browsing_seconds
            for start in range(max(0, index - size + 2), min(index, len(self._row) - size) + 1)
        )
