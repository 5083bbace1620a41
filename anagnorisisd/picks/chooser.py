"""Choosing picks: exact weighted sampling without replacement, under guards."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from anagnorisisd.domain.pick import Explanation, Floats, Pick
from anagnorisisd.domain.track import TrackId
from anagnorisisd.picks import weights
from anagnorisisd.picks.guards import PickRules
from anagnorisisd.picks.sampler import GuardedCandidates, Sampler
from anagnorisisd.picks.weights import WeightedCandidates


@dataclass(frozen=True, slots=True)
class PickContext:
    """The time and the queue that picks are chosen for.

    `queued` are the tracks that play or are still to come; they are never picked again. `played`
    are those that the queue still holds before the current one; they are picked again only when
    no other track is left, so that a small library does not end in silence. `recent` are the
    last tracks played or queued, the newest last; the spread guards compare with them. `removed`
    are the picks that the listener removed from the queue a short time ago.
    """

    now: float
    queued: Sequence[TrackId] = ()
    played: Sequence[TrackId] = ()
    recent: Sequence[TrackId] = ()
    removed: Sequence[TrackId] = ()


def choose(
    weighted: WeightedCandidates, rules: PickRules, context: PickContext, count: int, rng: Random
) -> list[Pick]:
    """Return up to `count` different picks, in the order in which they are to be played.

    Each pick is drawn with a probability proportional to its weight among the tracks that are
    left, given the picks before it. Fewer are returned only when fewer tracks exist.
    """
    sampled = weights.sample_predictions(weighted, rules.explore, rng)
    guarded = GuardedCandidates(sampled, rules, context.now, context.removed)
    queued, recent = list(context.queued), list(context.recent)
    picks: list[Pick] = []
    while len(picks) < count:
        sampler = guarded.sampler(queued, recent, context.played)
        if not sampler.available:
            break
        row = sampler.draw(rng)
        track_id = weighted.candidates.track_id(row)
        picks.append(Pick(track_id, sampler.explain(row)))
        queued.append(track_id)
        recent.append(track_id)
    return picks


def explain(
    weighted: WeightedCandidates, rules: PickRules, context: PickContext, track_id: TrackId
) -> Explanation | None:
    """Return why `track_id` has its weight; `None` when it is not a candidate.

    Predictions are not sampled: the explanation shows the expected weight. A queued track has
    weight and probability 0.
    """
    row = weighted.candidates.row(track_id)
    return None if row is None else _sampler(weighted, rules, context).explain(row)


def probabilities(weighted: WeightedCandidates, rules: PickRules, context: PickContext) -> Floats:
    """Return the probability of each candidate, `[n]`, to be the next pick.

    They sum to 1, unless every candidate is queued.
    """
    weight = _sampler(weighted, rules, context).weights()
    total = weight.sum()
    return weight / total if total else weight


def _sampler(weighted: WeightedCandidates, rules: PickRules, context: PickContext) -> Sampler:
    guarded = GuardedCandidates(weighted, rules, context.now, context.removed)
    return guarded.sampler(context.queued, context.recent, context.played)
