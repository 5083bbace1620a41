"""Flow: picks sound like the track before, without loops, and ratings still count."""

from itertools import pairwise
from random import Random

import numpy as np
import pytest

from anagnorisisd.domain.evaluator import Vectors
from anagnorisisd.picks import chooser
from anagnorisisd.picks.chooser import PickContext
from anagnorisisd.picks.guards import PickRules
from anagnorisisd.picks.weights import WeightedCandidates, flow_factor, weigh
from tests.support.candidates import NOW, candidates, name

TRACKS = 200


def sounds(styles: int = 10) -> Vectors:
    """Return vectors of length 1 of tracks that belong to styles in turn."""
    rng = np.random.default_rng(3)
    centres = rng.normal(size=(styles, 32))
    vectors = centres[np.arange(TRACKS) % styles] + rng.normal(size=(TRACKS, 32))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def session(flow: float, count: int) -> list[int]:
    """Return the rows of picks, of which each is played before the next is drawn."""
    sound, rating = sounds(), np.arange(TRACKS) * 7 % 10 + 0.5
    rng, last_played = Random(1), np.full(TRACKS, -np.inf)
    rows: list[int] = []
    for number in range(count):
        found = candidates(TRACKS, rating=rating.tolist(), last_played_at=last_played.tolist())
        weighted = WeightedCandidates(found, weigh(found).factors, sound=sound)
        context = PickContext(NOW, recent=[name(row) for row in rows[-1:]])
        (pick,) = chooser.choose(weighted, PickRules(flow=flow), context, 1, rng)
        rows.append(int(pick.track_id, 16))
        last_played[rows[-1]] = NOW - 1e6 + number
    return rows


def test_neighbours_are_alike_and_nothing_loops() -> None:
    sound, rating = sounds(), np.arange(TRACKS) * 7 % 10 + 0.5
    jumping, flowing = session(0.0, 1000), session(1.0, 1000)

    def likeness(rows: list[int]) -> float:
        return float((sound[rows[:-1]] * sound[rows[1:]]).sum(axis=1).mean())

    assert abs(likeness(jumping)) < 0.1
    assert likeness(flowing) > 0.3
    assert len(set(flowing)) > 0.9 * len(set(jumping))
    assert np.bincount(flowing).max() < 20
    assert rating[flowing[:500]].mean() > rating[jumping[:500]].mean() - 0.5


def test_picks_of_one_refill_flow_from_one_to_the_next() -> None:
    found = candidates(TRACKS)
    weighted = WeightedCandidates(found, weigh(found).factors, sound=sounds())
    context = PickContext(NOW, queued=[name(0)], recent=[name(0)])

    picks = chooser.choose(weighted, PickRules(flow=1.0), context, 15, Random(1))

    rows = [0, *(int(pick.track_id, 16) for pick in picks)]
    same_style = [one % 10 == other % 10 for one, other in pairwise(rows)]
    assert sum(same_style) > 8
    assert all(0 < pick.explanation.flow_factor <= 1 for pick in picks)
    assert picks[0].explanation.weight == pytest.approx(
        picks[0].explanation.flow_factor * weighted.factors.weight[rows[1]]
    )


def test_more_similarity_never_lowers_the_factor() -> None:
    vectors = sounds()
    factor = flow_factor(vectors, vectors[0], 1.0)

    assert factor is not None
    assert (np.diff(factor[np.argsort(vectors @ vectors[0])]) >= 0).all()
    assert factor.min() > 0
    assert factor.max() == 1


def test_tracks_without_an_embedding_count_as_average() -> None:
    vectors = sounds()
    vectors[5] = 0
    factor = flow_factor(vectors, vectors[0], 0.5)

    assert factor is not None
    assert factor[5] == pytest.approx(np.exp(-3))
    assert flow_factor(vectors, vectors[5], 0.5) is None


def test_identical_tracks_do_not_flow() -> None:
    assert flow_factor(np.ones((4, 2), np.float32), np.ones(2, np.float32), 1.0) is None
