"""Linear extrapolation of measured costs, and the size at which each reaches its limit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bench.scaling.costs import Costs

GIGABYTE = 1e9
MONTH_SECONDS = 30 * 86_400.0
CORES = 2


@dataclass(frozen=True, slots=True)
class Line:
    """A linear fit."""

    fixed: float
    each: float

    def at(self, tracks: float) -> float:
        """Return the value at so many tracks."""
        return self.fixed + self.each * tracks

    def reaches(self, limit: float) -> float:
        """Return at how many tracks the value is `limit`; infinite if it does not grow."""
        return max(0.0, (limit - self.fixed) / self.each) if self.each > 0 else float("inf")


@dataclass(frozen=True, slots=True)
class Need:
    """A cost that grows with the library, and its limit."""

    what: str
    line: Line
    limit: float
    unit: str

    def shown(self, tracks: float) -> str:
        """Return the value at so many tracks, with its unit."""
        return shown(self.line.at(tracks), self.unit)


def line(costs: Sequence[Costs], value: Callable[[Costs], float]) -> Line:
    """Return the least squares fit; slope and intercept are at least 0."""
    tracks = np.array([one.tracks for one in costs], float)
    values = np.array([value(one) for one in costs])
    each, fixed = np.polyfit(tracks, values, 1)
    if each < 0:
        return Line(float(values.mean()), 0.0)
    if fixed < 0:
        fixed, each = 0.0, float((tracks * values).sum() / (tracks**2).sum())
    return Line(float(fixed), float(each))


def needs(costs: Sequence[Costs], embed_seconds: float) -> list[Need]:
    """Return all costs of one daemon, that which reaches its limit first on top."""

    def through(value: Callable[[Costs], float]) -> Line:
        return line(costs, value)

    found = [
        Need("read candidates after a play or a rating",
             through(lambda one: one.candidates_seconds), 10.0, "s"),
        Need("memory for candidates", through(lambda one: one.candidates_bytes), GIGABYTE, "bytes"),
        Need("draw three picks", through(lambda one: one.pick_seconds), 1.0, "s"),
        Need("find similar tracks", through(lambda one: one.similar_seconds), 5.0, "s"),
        Need("predict all after a rating",
             through(lambda one: one.learn_seconds + one.score_seconds), 60.0, "s"),
        Need("database on disk",
             through(lambda one: one.disk_bytes), 50 * GIGABYTE, "bytes"),
        Need("first embedding, features, two cores",
             Line(0.0, embed_seconds / CORES), MONTH_SECONDS, "s"),
    ]  # fmt: skip
    return sorted(found, key=lambda need: need.line.reaches(need.limit))


def shown(value: float, unit: str) -> str:
    """Return a value as people read it: `4.2 GB`, `3 h`."""
    if unit == "bytes":
        return f"{value / GIGABYTE:,.1f} GB" if value >= GIGABYTE else f"{value / 1e6:,.0f} MB"
    for length, name in ((86_400, "days"), (3600, "h"), (60, "min")):
        if value >= 2 * length:
            return f"{value / length:,.1f} {name}"
    return f"{value:.1f} s" if value >= 1 else f"{1000 * value:.0f} ms"
