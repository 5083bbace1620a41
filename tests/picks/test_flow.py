"""Flow: picks sound like the track before, without loops, and ratings still count."""

from dataclasses import replace
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anagnorisisd.domain.evaluator import Vectors
from anagnorisisd.domain.pick import Candidates
from anagnorisisd.picks import albums, chooser
from anagnorisisd.picks.albums import QueueContext
from anagnorisisd.picks.chooser import PickContext
from anagnorisisd.picks.guards import PickRules
from anagnorisisd.picks.weights import WeightedCandidates, flow_factor, weigh
from tests.support.candidates import NOW, candidates, name
from tests.support.choosing import contexts, libraries, pick_rules, rng

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


def test_albums_without_an_embedding_do_not_flow() -> None:
    unknown = np.zeros((3, 2), np.float32)

    assert flow_factor(unknown, np.array([1, 0], np.float32), 1.0) is None


vectors = st.sampled_from([(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (0.6, 0.8)])


@settings(max_examples=60)
@given(libraries(), pick_rules, contexts, st.floats(0.01, 1), st.integers(0, 9), st.data())
def test_every_track_and_album_that_is_not_queued_is_picked_once(
    found: Candidates, rules: PickRules, context: PickContext, flow: float, seed: int,
    data: st.DataObject,
) -> None:  # fmt: skip
    count = len(found)
    sound = np.array(data.draw(st.lists(vectors, min_size=count, max_size=count)), np.float32)
    weighted, flowing = replace(weigh(found), sound=sound), replace(rules, flow=flow)
    grouped = albums.group(found, 1)
    around = QueueContext(NOW, context.queued, context.recent)

    picks = chooser.choose(weighted, flowing, context, count, rng(seed))
    picked = albums.choose(grouped, weighted, flowing, around, count=count, rng=rng(seed))

    queued = set(found.rows(context.queued).tolist())
    assert {found.row(pick.track_id) for pick in picks} == set(range(count)) - queued
    assert len(picked) == len(grouped) - len(set(grouped.of_track[list(queued)].tolist()) - {-1})
    for pick in [*picks, *(album[0] for album in picked)]:
        assert 0 < pick.explanation.probability <= 1 + 1e-9
        assert 0 < pick.explanation.flow_factor <= 1
