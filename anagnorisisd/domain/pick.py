"""Choosing picks: guards, relaxation, and exact weighted sampling without replacement.

Guards multiply the weight. When together they leave nothing to pick, they are given up one at a
time in the order of `Guard` (the last one first), so that the queue never runs dry because of a
preference. What was given up is part of the explanation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from anagnorisisd.domain import score
from anagnorisisd.domain.score import Bools, Candidates, Floats
from anagnorisisd.domain.track import TrackId


class Guard(StrEnum):
    """The guards, the one kept longest first."""

    EXCLUDED = "excluded"
    DURATION = "duration"
    HOURS_BETWEEN_PLAYS = "hours_between_plays"
    ARTIST_SPREAD = "artist_spread"
    ALBUM_SPREAD = "album_spread"


@dataclass(frozen=True, slots=True)
class Rules:
    """The listener's wishes about sameness; zeros switch a guard off.

    `artist_spread` and `album_spread` say how many neighbouring tracks, played or queued, must
    be by someone else or from another album.
    """

    min_hours_between_plays: float = 0.0
    artist_spread: int = 0
    album_spread: int = 0
    min_seconds: float = 0.0
    max_seconds: float = 0.0
    explore: float = 0.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the picks will stand beside.

    `queued` are tracks in the queue, which are never picked again; `recent` are the tracks
    played or queued last, the nearest last.
    """

    now: float
    queued: Sequence[TrackId] = ()
    recent: Sequence[TrackId] = ()


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


@dataclass(frozen=True, slots=True)
class _Weighed:
    candidates: Candidates
    factors: score.Factors
    guards: Mapping[Guard, Floats]
    relaxed: tuple[Guard, ...]
    available: Bools
    weight: Floats

    def explain(self, row: int) -> Explanation:
        total = float(self.weight.sum())
        return Explanation(
            rating=float(self.factors.rating[row]),
            rating_source=self._rating_source(row),
            rating_factor=float(self.factors.rating_factor[row]),
            skip_factor=float(self.factors.skip_factor[row]),
            recency_factor=float(self.factors.recency_factor[row]),
            guards={
                guard.value: float(factor[row])
                for guard, factor in self.guards.items()
                if factor[row] < 1.0
            },
            relaxed=[guard.value for guard in self.relaxed],
            weight=float(self.weight[row]),
            probability=float(self.weight[row]) / total if total else 0.0,
            rank=int(np.count_nonzero(self.weight > self.weight[row])) + 1,
            candidates=int(np.count_nonzero(self.available)),
        )

    def _rating_source(self, row: int) -> str:
        if not np.isnan(self.candidates.rating[row]):
            return "rating"
        return "mean" if np.isnan(self.candidates.predicted_mean[row]) else "predicted"


def choose(
    candidates: Candidates,
    rules: Rules,
    surroundings: Surroundings,
    count: int,
    rng: np.random.Generator,
) -> list[Pick]:
    """Return up to `count` different picks, in the order in which they are to be played.

    Each pick is drawn with a probability proportional to its weight among the tracks that are
    left, given what was picked before it. Fewer are returned only when fewer tracks exist.
    """
    candidates = candidates.drawn(rules.explore, rng)
    factors = score.factors(candidates)
    queued, recent = list(surroundings.queued), list(surroundings.recent)
    picks: list[Pick] = []
    while len(picks) < count:
        weighed = _weigh(candidates, factors, rules, Surroundings(surroundings.now, queued, recent))
        if not weighed.available.any():
            break
        row = draw(weighed.weight, rng)
        track_id = candidates.track_id(row)
        picks.append(Pick(track_id, weighed.explain(row)))
        queued.append(track_id)
        recent.append(track_id)
    return picks


def explain(
    candidates: Candidates, rules: Rules, surroundings: Surroundings, track_id: TrackId
) -> Explanation | None:
    """Return why `track_id` has the chance it has now; `None` when it is not a candidate.

    Exploration is left out: the explanation shows the expected weight. A track that is queued
    has the weight and the probability 0.
    """
    row = candidates.row(track_id)
    if row is None:
        return None
    weighed = _weigh(candidates, score.factors(candidates), rules, surroundings)
    return weighed.explain(row)


def probabilities(candidates: Candidates, rules: Rules, surroundings: Surroundings) -> Floats:
    """Return the probability of each candidate, `[n]`, to be the next pick; they sum to 1."""
    weight = _weigh(candidates, score.factors(candidates), rules, surroundings).weight
    total = weight.sum()
    return weight / total if total else weight


def draw(weight: Floats, rng: np.random.Generator) -> int:
    """Return one index, drawn with a probability proportional to its weight.

    Raises:
        ValueError: no weight is above 0.
    """
    edges = np.cumsum(weight)
    if not (len(edges) and edges[-1] > 0):
        raise ValueError("nothing to draw from: no weight is above 0")
    # rng.random() is below 1, but the product may round up to the last edge.
    point = min(rng.random() * edges[-1], np.nextafter(edges[-1], 0))
    return int(np.searchsorted(edges, point, side="right"))


def _weigh(
    candidates: Candidates,
    factors: score.Factors,
    rules: Rules,
    surroundings: Surroundings,
) -> _Weighed:
    available = np.ones(len(candidates), dtype=bool)
    available[candidates.rows(surroundings.queued)] = False
    guards = _guards(candidates, rules, surroundings)
    base = factors.weight * available
    kept = dict(guards)
    while True:
        weight = base.copy()
        for factor in kept.values():
            weight *= factor
        if weight.any() or not kept:
            break
        kept.pop(max(kept, key=list(Guard).index))
    if not weight.any():
        # Every weight is zero: uniform, never "the first".
        weight = available.astype(np.float64)
    relaxed = tuple(guard for guard in guards if guard not in kept)
    return _Weighed(candidates, factors, kept, relaxed, available, weight)


def _guards(
    candidates: Candidates, rules: Rules, surroundings: Surroundings
) -> dict[Guard, Floats]:
    """Return the factor, `[n]`, of each guard that is switched on."""
    guards: dict[Guard, Floats] = {}
    if candidates.excluded.any():
        guards[Guard.EXCLUDED] = _unless(candidates.excluded)
    if rules.min_seconds or rules.max_seconds:
        seconds = candidates.duration_seconds
        too_long = (
            seconds > rules.max_seconds if rules.max_seconds else np.zeros(len(seconds), bool)
        )
        guards[Guard.DURATION] = _unless((seconds < rules.min_seconds) | too_long)
    if rules.min_hours_between_plays:
        since = surroundings.now - candidates.last_played_at
        guards[Guard.HOURS_BETWEEN_PLAYS] = _unless(since < rules.min_hours_between_plays * 3600)
    for guard, spread, codes in (
        (Guard.ARTIST_SPREAD, rules.artist_spread, candidates.artist),
        (Guard.ALBUM_SPREAD, rules.album_spread, candidates.album),
    ):
        if spread and surroundings.recent:
            near = codes[candidates.rows(tuple(surroundings.recent)[-spread:])]
            guards[guard] = _unless(np.isin(codes, near[near > 0]))
    return guards


def _unless(forbidden: NDArray[np.bool_]) -> Floats:
    return (~forbidden).astype(np.float64)
