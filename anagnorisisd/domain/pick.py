"""Choosing picks: guards, relaxation, and exact weighted sampling without replacement.

Guards multiply the weight. They are applied in the order of `Guard`; one that would leave nothing
to pick is given up, so that the queue never runs dry because of a preference. What was given up
is part of the explanation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from anagnorisisd.domain import score
from anagnorisisd.domain.score import Bools, Candidates, Floats
from anagnorisisd.domain.track import TrackId


class Guard(StrEnum):
    """The guards, those that matter most first: a later one yields to an earlier one."""

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
    pool = _Pool(candidates.drawn(rules.explore, rng), rules, surroundings.now)
    queued, recent = list(surroundings.queued), list(surroundings.recent)
    picks: list[Pick] = []
    while len(picks) < count:
        weighed = pool.beside(queued, recent)
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
    pool = _Pool(candidates, rules, surroundings.now)
    return pool.beside(surroundings.queued, surroundings.recent).explain(row)


def probabilities(candidates: Candidates, rules: Rules, surroundings: Surroundings) -> Floats:
    """Return the probability of each candidate, `[n]`, to be the next pick.

    They sum to 1, unless every candidate is queued.
    """
    pool = _Pool(candidates, rules, surroundings.now)
    weight = pool.beside(surroundings.queued, surroundings.recent).weight
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


class _Pool:
    """The candidates, with all that stays the same from one pick to the next."""

    def __init__(self, candidates: Candidates, rules: Rules, now: float) -> None:
        self.candidates = candidates
        self.factors = score.factors(candidates)
        self._rules = rules
        self._weight = self.factors.weight
        self._standing = _standing_guards(candidates, rules, now)

    def beside(self, queued: Sequence[TrackId], recent: Sequence[TrackId]) -> "_Weighed":
        """Return the weights beside these tracks."""
        available = np.ones(len(self.candidates), dtype=bool)
        available[self.candidates.rows(queued)] = False
        eligible = available & (self._weight > 0)
        weight = self._weight
        if not eligible.any():
            # Every weight is zero: uniform, never "the first".
            eligible, weight = available, np.ones(len(available))
        guards = self._standing | _spread_guards(self.candidates, self._rules, recent)
        kept: dict[Guard, Bools] = {}
        for guard, allowed in guards.items():
            left = eligible & allowed
            if left.any():
                eligible, kept[guard] = left, allowed
        relaxed = tuple(guard for guard in guards if guard not in kept)
        return _Weighed(self, kept, relaxed, available, np.where(eligible, weight, 0.0))


@dataclass(frozen=True, slots=True)
class _Weighed:
    """The weights of one pick, `[n]`, and how the guards made them so."""

    pool: _Pool
    guards: Mapping[Guard, Bools]
    relaxed: tuple[Guard, ...]
    available: Bools
    weight: Floats

    def explain(self, row: int) -> Explanation:
        total = float(self.weight.sum())
        factors = self.pool.factors
        return Explanation(
            rating=float(factors.rating[row]),
            rating_source=self._rating_source(row),
            rating_factor=float(factors.rating_factor[row]),
            skip_factor=float(factors.skip_factor[row]),
            recency_factor=float(factors.recency_factor[row]),
            guards={guard.value: 0.0 for guard, allowed in self.guards.items() if not allowed[row]},
            relaxed=[guard.value for guard in self.relaxed],
            weight=float(self.weight[row]),
            probability=float(self.weight[row]) / total if total else 0.0,
            rank=int(np.count_nonzero(self.weight > self.weight[row])) + 1,
            candidates=int(np.count_nonzero(self.available)),
        )

    def _rating_source(self, row: int) -> str:
        candidates = self.pool.candidates
        if not np.isnan(candidates.rating[row]):
            return "rating"
        return "mean" if np.isnan(candidates.predicted_mean[row]) else "predicted"


def _standing_guards(candidates: Candidates, rules: Rules, now: float) -> dict[Guard, Bools]:
    """Return which candidates, `[n]`, each guard allows that is on and looks at no neighbours."""
    guards: dict[Guard, Bools] = {}
    if candidates.excluded.any():
        guards[Guard.EXCLUDED] = ~candidates.excluded
    if rules.min_seconds or rules.max_seconds:
        seconds = candidates.duration_seconds
        # Comparisons with NaN are false: a track of unknown duration is allowed.
        guards[Guard.DURATION] = ~(
            (seconds < rules.min_seconds) | (seconds > (rules.max_seconds or np.inf))
        )
    if rules.min_hours_between_plays:
        since = now - candidates.last_played_at
        # A play in the future is a clock's mistake; it must not keep a track away until then.
        guards[Guard.HOURS_BETWEEN_PLAYS] = (since < 0) | (
            since >= rules.min_hours_between_plays * 3600
        )
    return guards


def _spread_guards(
    candidates: Candidates, rules: Rules, recent: Sequence[TrackId]
) -> dict[Guard, Bools]:
    """Return which candidates, `[n]`, differ enough from the tracks played or queued last."""
    guards: dict[Guard, Bools] = {}
    for guard, spread, codes in (
        (Guard.ARTIST_SPREAD, rules.artist_spread, candidates.artist),
        (Guard.ALBUM_SPREAD, rules.album_spread, candidates.album),
    ):
        if spread and recent:
            near = np.unique(codes[candidates.rows(recent[-spread:])])
            guards[guard] = ~np.isin(codes, near[near > 0])
    return guards
