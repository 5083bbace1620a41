"""Weighted sampling of one candidate, with and without guards.

Without guards, drawing does not pass over all tracks: the cumulative weights are the same for
every draw, and a draw of an unavailable track is rejected and repeated.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from anagnorisisd.domain.pick import Bools, Explanation, Floats
from anagnorisisd.domain.track import TrackId
from anagnorisisd.picks.guards import Guard, PickRules, spread_guards, track_guards
from anagnorisisd.picks.weights import WeightedCandidates, flow_factor

Rows = NDArray[np.int64]

MAX_REJECTIONS = 64
"""After so many draws of unavailable tracks, the weights are recomputed without those."""

MIN_REMAINING_SHARE = 1e-3
"""A total is computed by subtraction only if at least this share of all weights remains."""


def draw(weight: Floats, rng: Random) -> int:
    """Return an index, drawn with a probability proportional to its weight.

    Raises:
        ValueError: no weight is above 0.
    """
    return _draw(np.cumsum(weight), rng)


def _draw(cumulative_weight: Floats, rng: Random) -> int:
    if not (len(cumulative_weight) and cumulative_weight[-1] > 0):
        raise ValueError("nothing to draw from: no weight is above 0")
    total = cumulative_weight[-1]
    # rng.random() is below 1, but the product may be rounded up to the total.
    point = min(rng.random() * total, np.nextafter(total, 0))
    return int(np.searchsorted(cumulative_weight, point, side="right"))


class GuardedCandidates:
    """Scored candidates and the guards that stay the same from one pick to the next."""

    def __init__(
        self,
        weighted: WeightedCandidates,
        rules: PickRules,
        now: float,
        removed: Sequence[TrackId] = (),
    ) -> None:
        self._weighted = weighted
        self._candidates = weighted.candidates
        self._rules = rules
        self._track_guards = track_guards(weighted.candidates, rules, now, removed)

    def sampler(
        self, queued: Sequence[TrackId], recent: Sequence[TrackId], played: Sequence[TrackId] = ()
    ) -> "Sampler":
        """Return the sampler of the next pick; the arguments are those of `PickContext`."""
        unavailable = _unique(self._candidates.rows([*queued, *played]))
        if len(unavailable) == len(self._candidates):
            unavailable = _unique(self._candidates.rows(queued))
        guards = self._track_guards | spread_guards(self._candidates, self._rules, recent)
        flow = self._flow(recent)
        if not guards and flow is None and self._weighted.factors.all_positive:
            return _UnguardedSampler(self._weighted, unavailable)
        return self._guarded(unavailable, guards, flow)

    def _flow(self, recent: Sequence[TrackId]) -> Floats | None:
        """Return the flow factors after the last of the recent tracks."""
        sound = self._weighted.sound
        if not (self._rules.flow and recent) or sound is None:
            return None
        previous = self._candidates.row(recent[-1])
        return None if previous is None else flow_factor(sound, sound[previous], self._rules.flow)

    def _guarded(
        self, unavailable: Rows, guards: Mapping[Guard, Bools], flow: Floats | None
    ) -> "_GuardedSampler":
        weight = self._weighted.factors.weight
        if flow is not None:
            weight = weight * flow
        available = np.ones(len(weight), dtype=bool)
        available[unavailable] = False
        eligible = available & (weight > 0)
        if not eligible.any():
            # All weights are 0: every available track gets the same weight.
            eligible, weight = available, np.ones(len(available))
        applied: dict[Guard, Bools] = {}
        for guard, allowed in guards.items():
            remaining = eligible & allowed
            if remaining.any():
                eligible, applied[guard] = remaining, allowed
        relaxed = [guard for guard in guards if guard not in applied]
        weight = np.where(eligible, weight, 0.0)
        count = int(np.count_nonzero(available))
        return _GuardedSampler(
            self._weighted, count, weight, guards=applied, relaxed=relaxed, flow=flow
        )


def _unique(rows: Rows) -> Rows:
    # np.unique would load numpy.ma for a few rows.
    return np.array(sorted(set(rows.tolist())), dtype=np.int64)


class Sampler(Protocol):
    """The weights from which one pick is drawn."""

    available: int
    """How many tracks can be picked."""

    def draw(self, rng: Random) -> int:
        """Return a row, drawn with a probability proportional to its weight."""
        ...

    def weights(self) -> Floats:
        """Return the weights, `[n]`."""
        ...

    def explain(self, row: int) -> Explanation:
        """Return why a row has its weight and probability."""
        ...


class _UnguardedSampler:
    """All candidates except a few unavailable ones; every weight is positive."""

    def __init__(self, weighted: WeightedCandidates, unavailable: Rows) -> None:
        self.available = len(weighted.candidates) - len(unavailable)
        self._weighted = weighted
        self._unavailable = unavailable

    def draw(self, rng: Random) -> int:
        for _ in range(MAX_REJECTIONS):
            row = _draw(self._weighted.factors.cumulative_weight, rng)
            if row not in self._unavailable:
                return row
        # The unavailable tracks have nearly all of the weight.
        return draw(self.weights(), rng)

    def weights(self) -> Floats:
        weight = self._weighted.factors.weight.copy()
        weight[self._unavailable] = 0.0
        return weight

    def explain(self, row: int) -> Explanation:
        weights = self._weighted.factors.weight
        unavailable = weights[self._unavailable]
        weight = 0.0 if row in self._unavailable else float(weights[row])
        heavier = np.count_nonzero(weights > weight) - np.count_nonzero(unavailable > weight)
        return explain_unguarded(
            self._weighted,
            row,
            weight=weight,
            total=self._total(float(unavailable.sum())),
            heavier=int(heavier),
            available=self.available,
        )

    def _total(self, unavailable: float) -> float:
        """Return the sum of the weights that can be drawn."""
        everything = float(self._weighted.factors.cumulative_weight[-1])
        remaining = everything - unavailable
        # A small difference of large sums is mostly rounding error.
        precise = remaining > MIN_REMAINING_SHARE * everything
        return remaining if precise else float(self.weights().sum())


class _GuardedSampler:
    """All candidates; those that are unavailable or that a guard excludes have weight 0."""

    def __init__(
        self,
        weighted: WeightedCandidates,
        available: int,
        weight: Floats,
        *,
        guards: Mapping[Guard, Bools],
        relaxed: Sequence[Guard],
        flow: Floats | None,
    ) -> None:
        self.available = available
        self._weighted = weighted
        self._weight = weight
        self._guards = guards
        self._relaxed = relaxed
        self._flow = flow

    def draw(self, rng: Random) -> int:
        return draw(self._weight, rng)

    def weights(self) -> Floats:
        return self._weight

    def explain(self, row: int) -> Explanation:
        weight = float(self._weight[row])
        unguarded = explain_unguarded(
            self._weighted,
            row,
            weight=weight,
            total=float(self._weight.sum()),
            heavier=int(np.count_nonzero(self._weight > weight)),
            available=self.available,
        )
        return replace(
            unguarded,
            guards={
                guard.value: 0.0 for guard, allowed in self._guards.items() if not allowed[row]
            },
            relaxed=[guard.value for guard in self._relaxed],
            flow_factor=1.0 if self._flow is None else float(self._flow[row]),
        )


def explain_unguarded(
    weighted: WeightedCandidates,
    row: int,
    *,
    weight: float,
    total: float,
    heavier: int,
    available: int,
) -> Explanation:
    """Return the explanation of a weight that no guard lowered."""
    factors, steering = weighted.factors, weighted.steering
    return Explanation(
        rating=float(factors.rating[row]),
        rating_source=weighted.rating_source(row),
        rating_factor=float(factors.rating_factor[row]),
        skip_factor=float(factors.skip_factor[row]),
        recency_factor=float(factors.recency_factor[row]),
        guards={},
        relaxed=[],
        weight=weight,
        probability=weight / total if weight else 0.0,
        rank=heavier + 1,
        candidates=available,
        steering_factor=1.0 if steering is None else float(steering.factor[row]),
        wish_fits={} if steering is None else steering.fits_of(row),
    )
