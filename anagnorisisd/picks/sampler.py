"""The weights of all candidates at one moment, and drawing one of them.

Without guards a draw takes no pass over the tracks: the cumulative weights are the same for every
draw, and one that hits what is queued or picked already is repeated.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from anagnorisisd.domain.pick import Bools, Candidates, Explanation, Floats
from anagnorisisd.domain.track import TrackId
from anagnorisisd.picks import scoring
from anagnorisisd.picks.guards import Guard, GuardRules, spread_guards, standing_guards

Rows = NDArray[np.int64]

MOST_DRAWS = 64
"""Draws that may hit what is taken already before the weights are worked out without it."""

LEAST_LEFT = 1e-3
"""The share of all weights from which on a sum is had by subtraction."""


def _distinct(rows: Rows) -> Rows:
    """Return each row once, in order; `np.unique` would load NumPy's masked arrays for a few."""
    return np.array(sorted(set(rows.tolist())), dtype=np.int64)


def draw(weight: Floats, rng: Random) -> int:
    """Return one index, drawn with a probability proportional to its weight.

    Raises:
        ValueError: no weight is above 0.
    """
    return _drawn(np.cumsum(weight), rng)


def _drawn(edges: Floats, rng: Random) -> int:
    if not (len(edges) and edges[-1] > 0):
        raise ValueError("nothing to draw from: no weight is above 0")
    # rng.random() is below 1, but the product may round up to the last edge.
    point = min(rng.random() * edges[-1], np.nextafter(edges[-1], 0))
    return int(np.searchsorted(edges, point, side="right"))


class WeightedCandidates:
    """The candidates, with all that stays the same from one pick to the next."""

    def __init__(self, candidates: Candidates, rules: GuardRules, now: float) -> None:
        self.candidates = candidates
        self.factors = scoring.factors(candidates)
        self._rules = rules
        self._standing = standing_guards(candidates, rules, now)

    def beside(
        self,
        queued: Sequence[TrackId],
        recent: Sequence[TrackId],
        behind: Sequence[TrackId] = (),
    ) -> "Sampler":
        """Return the weights beside these tracks; `behind` counts while anything else is left."""
        taken = _distinct(self.candidates.rows([*queued, *behind]))
        if len(taken) == len(self.candidates):
            taken = _distinct(self.candidates.rows(queued))
        guards = self._standing | spread_guards(self.candidates, self._rules, recent)
        if not guards and self.factors.positive:
            return _UnguardedSampler(self, taken)
        return self._guarded(taken, guards)

    def _guarded(self, taken: Rows, guards: Mapping[Guard, Bools]) -> "_GuardedSampler":
        weight = self.factors.weight
        available = np.ones(len(self.candidates), dtype=bool)
        available[taken] = False
        eligible = available & (weight > 0)
        if not eligible.any():
            # Every weight is zero: uniform, never "the first".
            eligible, weight = available, np.ones(len(available))
        kept: dict[Guard, Bools] = {}
        for guard, allowed in guards.items():
            left = eligible & allowed
            if left.any():
                eligible, kept[guard] = left, allowed
        relaxed = tuple(guard for guard in guards if guard not in kept)
        weight = np.where(eligible, weight, 0.0)
        return _GuardedSampler(self, int(np.count_nonzero(available)), weight, kept, relaxed)

    def rating_source(self, row: int) -> str:
        """Return where the rating comes from that a track is weighed by."""
        if not np.isnan(self.candidates.rating[row]):
            return "rating"
        return "mean" if np.isnan(self.candidates.predicted_mean[row]) else "predicted"


class Sampler(Protocol):
    """The weights of one pick; `candidates` says how many tracks there are to pick from."""

    candidates: int

    def draw(self, rng: Random) -> int:
        """Return a row, drawn with a probability proportional to its weight."""
        ...

    def weights(self) -> Floats:
        """Return the weights, `[n]`."""
        ...

    def explain(self, row: int) -> Explanation:
        """Return why a row has the chance that it has."""
        ...


class _UnguardedSampler:
    """The weights where nothing but the tracks that are taken already is left out."""

    def __init__(self, pool: WeightedCandidates, taken: Rows) -> None:
        self.candidates = len(pool.candidates) - len(taken)
        self._pool = pool
        self._taken = taken

    def draw(self, rng: Random) -> int:
        for _ in range(MOST_DRAWS):
            row = _drawn(self._pool.factors.edges, rng)
            if row not in self._taken:
                return row
        # What is taken has nearly all of the weight.
        return draw(self.weights(), rng)

    def weights(self) -> Floats:
        weight = self._pool.factors.weight.copy()
        weight[self._taken] = 0.0
        return weight

    def _total(self, taken: float) -> float:
        """Return the sum of the weights that are left."""
        everything = float(self._pool.factors.edges[-1])
        left = everything - taken
        # A small difference of large sums is mostly rounding.
        return left if left > LEAST_LEFT * everything else float(self.weights().sum())

    def explain(self, row: int) -> Explanation:
        weights = self._pool.factors.weight
        weight = 0.0 if row in self._taken else float(weights[row])
        taken = weights[self._taken]
        total = self._total(float(taken.sum()))
        heavier = np.count_nonzero(weights > weight) - np.count_nonzero(taken > weight)
        return _explanation(
            self._pool,
            row,
            weight=weight,
            total=total,
            heavier=int(heavier),
            candidates=self.candidates,
        )


class _GuardedSampler:
    """The weights of one pick, `[n]`, and how the guards made them so."""

    def __init__(
        self,
        pool: WeightedCandidates,
        candidates: int,
        weight: Floats,
        guards: Mapping[Guard, Bools],
        relaxed: tuple[Guard, ...],
    ) -> None:
        self.candidates = candidates
        self._pool = pool
        self._weight = weight
        self._guards = guards
        self._relaxed = relaxed

    def draw(self, rng: Random) -> int:
        return draw(self._weight, rng)

    def weights(self) -> Floats:
        return self._weight

    def explain(self, row: int) -> Explanation:
        weight, total = float(self._weight[row]), float(self._weight.sum())
        heavier = int(np.count_nonzero(self._weight > weight))
        guards = {guard.value: 0.0 for guard, allowed in self._guards.items() if not allowed[row]}
        return replace(
            _explanation(
                self._pool,
                row,
                weight=weight,
                total=total,
                heavier=heavier,
                candidates=self.candidates,
            ),
            guards=guards,
            relaxed=[guard.value for guard in self._relaxed],
        )


def _explanation(
    pool: WeightedCandidates,
    row: int,
    *,
    weight: float,
    total: float,
    heavier: int,
    candidates: int,
) -> Explanation:
    """Return the explanation of a weight that no guard lowered."""
    factors = pool.factors
    return Explanation(
        rating=float(factors.rating[row]),
        rating_source=pool.rating_source(row),
        rating_factor=float(factors.rating_factor[row]),
        skip_factor=float(factors.skip_factor[row]),
        recency_factor=float(factors.recency_factor[row]),
        guards={},
        relaxed=[],
        weight=weight,
        probability=weight / total if weight else 0.0,
        rank=heavier + 1,
        candidates=candidates,
    )
