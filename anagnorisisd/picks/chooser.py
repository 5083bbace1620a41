"""Choosing picks: guards, relaxation, and exact weighted sampling without replacement.

Guards multiply the weight. They are applied in the order of `Guard`; one that would leave nothing
to pick is given up, so that the queue never runs dry because of a preference. What was given up
is part of the explanation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from anagnorisisd.domain.pick import Candidates, Explanation, Floats, Pick
from anagnorisisd.domain.track import TrackId
from anagnorisisd.picks.guards import GuardRules
from anagnorisisd.picks.sampler import Sampler, WeightedCandidates


@dataclass(frozen=True, slots=True)
class PickContext:
    """What the picks will stand beside.

    `queued` are tracks that are to come in the queue or play, which are never picked again;
    `behind` are those that it still holds from before, which are picked again only when there is
    nothing else left: a small library must not end in silence. `recent` are the tracks played or
    queued last, the nearest last.
    """

    now: float
    queued: Sequence[TrackId] = ()
    behind: Sequence[TrackId] = ()
    recent: Sequence[TrackId] = ()


def choose(
    candidates: Candidates,
    rules: GuardRules,
    surroundings: PickContext,
    count: int,
    rng: Random,
) -> list[Pick]:
    """Return up to `count` different picks, in the order in which they are to be played.

    Each pick is drawn with a probability proportional to its weight among the tracks that are
    left, given what was picked before it. Fewer are returned only when fewer tracks exist.
    """
    pool = WeightedCandidates(candidates.drawn(rules.explore, rng), rules, surroundings.now)
    queued, recent = list(surroundings.queued), list(surroundings.recent)
    picks: list[Pick] = []
    while len(picks) < count:
        weighed = pool.beside(queued, recent, surroundings.behind)
        if not weighed.candidates:
            break
        row = weighed.draw(rng)
        track_id = candidates.track_id(row)
        picks.append(Pick(track_id, weighed.explain(row)))
        queued.append(track_id)
        recent.append(track_id)
    return picks


def explain(
    candidates: Candidates, rules: GuardRules, surroundings: PickContext, track_id: TrackId
) -> Explanation | None:
    """Return why `track_id` has the chance it has now; `None` when it is not a candidate.

    Exploration is left out: the explanation shows the expected weight. A track that is queued
    has the weight and the probability 0.
    """
    row = candidates.row(track_id)
    if row is None:
        return None
    return _weighed(candidates, rules, surroundings).explain(row)


def probabilities(candidates: Candidates, rules: GuardRules, surroundings: PickContext) -> Floats:
    """Return the probability of each candidate, `[n]`, to be the next pick.

    They sum to 1, unless every candidate is queued.
    """
    weight = _weighed(candidates, rules, surroundings).weights()
    total = weight.sum()
    return weight / total if total else weight


def _weighed(candidates: Candidates, rules: GuardRules, surroundings: PickContext) -> Sampler:
    pool = WeightedCandidates(candidates, rules, surroundings.now)
    return pool.beside(surroundings.queued, surroundings.recent, surroundings.behind)
