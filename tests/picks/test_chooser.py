"""Choosing picks: probabilities, explanations and sampling."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anagnorisisd.domain.pick import Candidates
from anagnorisisd.domain.steering import SteeringFactors
from anagnorisisd.domain.track import TrackId
from anagnorisisd.picks import chooser
from anagnorisisd.picks.chooser import PickContext
from anagnorisisd.picks.guards import PickRules
from anagnorisisd.picks.sampler import draw
from anagnorisisd.picks.weights import weigh
from tests.support.candidates import (
    NEVER,
    NONE,
    NOW,
    candidates,
    name,
    worked_example,
)
from tests.support.choosing import (
    ALONE,
    PLAIN,
    choose,
    contexts,
    explain,
    explained,
    libraries,
    pick_rules,
    probabilities,
    rng,
)


def test_worked_example() -> None:
    found = probabilities(worked_example(), PLAIN, ALONE)
    np.testing.assert_allclose(found, [0.505, 0.122, 0.373], atol=0.0005)


def test_explanation_of_the_worked_example() -> None:
    first, last = (explained(worked_example(), PLAIN, ALONE, row) for row in (0, 2))
    assert (first.rating, first.rating_source, first.rank, first.candidates) == (8, "rating", 1, 3)
    assert (last.rating, last.rating_source, last.rank) == (7, "mean", 2)
    assert first.weight == pytest.approx(0.39717, abs=0.00001)
    assert first.weight == first.rating_factor * first.skip_factor * first.recency_factor
    assert first.probability == pytest.approx(0.505, abs=0.001)
    assert (first.guards, first.relaxed) == ({}, [])


def test_explanation_names_a_predicted_rating() -> None:
    assert explained(candidates(1, predicted=6.5), PLAIN, ALONE, 0).rating_source == "predicted"


def test_a_track_that_is_no_candidate_has_no_explanation() -> None:
    assert explain(candidates(1), PLAIN, ALONE, TrackId("unknown")) is None


@settings(max_examples=40)
@given(libraries(), pick_rules, contexts)
def test_probabilities_sum_to_one_and_are_0_for_queued_tracks(
    found: Candidates, rules: PickRules, context: PickContext
) -> None:
    chances = probabilities(found, rules, context)
    queued = found.rows(context.queued)
    assert (chances >= 0).all()
    assert (chances[queued] == 0).all()
    everything_is_queued = len(set(queued.tolist())) == len(found)
    assert chances.sum() == pytest.approx(0 if everything_is_queued else 1)


@settings(max_examples=40)
@given(libraries(), pick_rules, contexts, st.integers(0, 20), st.integers(0, 5))
def test_picks_are_distinct_not_queued_and_as_many_as_possible(
    found: Candidates, rules: PickRules, context: PickContext, count: int, seed: int
) -> None:
    picks = [each.track_id for each in choose(found, rules, context, count, rng(seed))]
    queued = {found.track_id(row) for row in found.rows(context.queued).tolist()}
    assert len(set(picks)) == len(picks) == min(count, len(found) - len(queued))
    assert queued.isdisjoint(picks)


@settings(max_examples=40)
@given(libraries(), pick_rules, contexts)
def test_explanations_match_probabilities(
    found: Candidates, rules: PickRules, context: PickContext
) -> None:
    chances = probabilities(found, rules, context)
    for row in range(len(found)):
        explanation = explained(found, rules, context, row)
        assert explanation.probability == pytest.approx(chances[row])
        assert (explanation.weight > 0) == (chances[row] > 0)
        assert explanation.rank == 1 + (chances > chances[row]).sum()
        if explanation.guards:
            assert chances[row] == 0
        assert not set(explanation.guards) & set(explanation.relaxed)


def test_equal_weights_have_equal_probabilities() -> None:
    np.testing.assert_allclose(probabilities(candidates(4), PLAIN, ALONE), 0.25)


def test_zero_weights_are_uniform_under_guards() -> None:
    found = candidates(4, skips=1e9, excluded=[True, False, False, False])
    assert probabilities(found, PLAIN, PickContext(NOW, [name(3)])).tolist() == [
        0, 0.5, 0.5, 0
    ]  # fmt: skip


def test_a_queued_track_has_probability_0() -> None:
    explanation = explained(candidates(3), PLAIN, PickContext(NOW, [name(1)]), 1)
    assert (explanation.weight, explanation.probability) == (0, 0)
    assert (explanation.rank, explanation.candidates) == (3, 2)


def test_a_queued_track_with_nearly_all_of_the_weight() -> None:
    tracks = candidates(3, rating=[10, 0, 0], skips=[0, 1000, 1000])
    context = PickContext(NOW, queued=[name(0)])

    found = [choose(tracks, PickRules(), context, 2, rng(seed)) for seed in range(40)]

    assert all({one.track_id for one in picks} == {name(1), name(2)} for picks in found)
    assert 5 < sum(picks[0].track_id == name(1) for picks in found) < 35


def test_tracks_before_the_current_one_are_picked_last() -> None:
    found = candidates(4)
    played = PickContext(NOW, queued=[name(3)], played=[name(0), name(1)])

    picks = [one.track_id for one in choose(found, PLAIN, played, 4, rng())]

    assert picks[0] == name(2)
    assert sorted(picks[1:]) == [name(0), name(1)]
    assert probabilities(found, PLAIN, played).tolist() == [0, 0, 1, 0]


def test_no_candidates() -> None:
    assert choose(candidates(0), PLAIN, ALONE, 3, rng()) == []
    assert probabilities(candidates(0), PLAIN, ALONE).tolist() == []


def test_the_same_seed_gives_the_same_picks() -> None:
    found = candidates(50, predicted=5, stddev=1)
    for rules in (PLAIN, PickRules(explore=1)):
        assert choose(found, rules, ALONE, 5, rng(3)) == choose(found, rules, ALONE, 5, rng(3))


def test_frequencies_match_probabilities() -> None:
    found = worked_example()
    chances = probabilities(found, PLAIN, ALONE)
    chance, draws = rng(5), 2000
    counts = np.zeros(3)
    for _ in range(draws):
        (chosen,) = choose(found, PLAIN, ALONE, 1, chance)
        counts[found.rows([chosen.track_id])] += 1
    chi_square = ((counts - draws * chances) ** 2 / (draws * chances)).sum()
    assert chi_square < 13.8  # 99.9 % of fair samples, two degrees of freedom


def test_the_second_pick_is_drawn_without_replacement() -> None:
    found = worked_example()
    chances = probabilities(found, PLAIN, ALONE)
    chance, draws = rng(6), 2000
    counts = np.zeros((3, 3))
    for _ in range(draws):
        chosen = [each.track_id for each in choose(found, PLAIN, ALONE, 2, chance)]
        counts[tuple(found.rows(chosen))] += 1
    assert np.trace(counts) == 0
    for first in range(3):
        for second in set(range(3)) - {first}:
            expected = chances[first] * chances[second] / (1 - chances[first])
            margin = 4 * np.sqrt(expected * (1 - expected) / draws)
            assert counts[first, second] / draws == pytest.approx(expected, abs=margin)


def test_each_pick_has_its_probability_at_that_moment() -> None:
    first, second = choose(worked_example(), PLAIN, ALONE, 2, rng())
    after = probabilities(worked_example(), PLAIN, PickContext(NOW, [first.track_id]))
    row = worked_example().row(second.track_id)
    assert second.explanation.probability == pytest.approx(after[row])
    assert second.explanation.candidates == 2


def test_exploration_varies_uncertain_ratings() -> None:
    found = candidates(2, predicted=[4.9, 5.0], stddev=[3.0, 0.0])
    chance = rng(7)
    ratings = [
        each.explanation.rating
        for _ in range(200)
        for each in choose(found, PickRules(explore=1), ALONE, 1, chance)
        if each.track_id == name(0)
    ]
    assert np.std(ratings) > 1


@given(
    st.lists(st.sampled_from([0.0, 1e-300, 1e-9, 1.0, 1e300]), min_size=1, max_size=20),
    st.integers(0, 9),
)
def test_draw_never_returns_weight_0(weights: list[float], seed: int) -> None:
    weight = np.array(weights)
    if weight.any():
        assert weight[draw(weight, rng(seed))] > 0
    else:
        with pytest.raises(ValueError, match="nothing to draw from"):
            draw(weight, rng(seed))


def test_picks_without_steering_are_those_of_before_there_was_any() -> None:
    """The stored picks were drawn by the version before steering was added."""
    number = range(60)
    library = candidates(
        60,
        rating=[each % 11 if each % 3 == 0 else NONE for each in number],
        predicted=[each * 7 % 10 for each in number],
        full_plays=[each % 5 for each in number],
        skips=[each % 4 for each in number],
        last_played_at=[NOW - 1000.0 * each if each % 2 else NEVER for each in number],
        artist=[1 + each % 7 for each in number],
        album=[1 + each % 13 for each in number],
    )
    context = PickContext(NOW, queued=[name(3)], recent=[name(3)])

    plain = choose(library, PLAIN, context, 10, rng(7))
    spread = choose(library, PickRules(artist_spread=2, album_spread=1), context, 10, rng(7))

    assert [pick.track_id for pick in plain] == [
        name(row) for row in (22, 8, 42, 4, 36, 28, 34, 30, 6, 51)
    ]
    assert plain[0].explanation.probability == pytest.approx(0.014411071002172829, rel=1e-12)
    assert [pick.track_id for pick in spread] == [
        name(row) for row in (18, 14, 47, 4, 38, 34, 11, 42, 6, 37)
    ]


def test_factors_count_however_often_tracks_were_skipped() -> None:
    library = candidates(2, skips=100_000.0, rating=[2.0, 8.0])

    assert chooser.probabilities(weigh(library), PLAIN, PickContext(NOW)) == pytest.approx(
        [1 / 17, 16 / 17]
    )


@settings(max_examples=40)
@given(libraries(), pick_rules, contexts, st.integers(0, 5))
def test_steering_multiplies_the_weight(
    found: Candidates, rules: PickRules, context: PickContext, seed: int
) -> None:
    rows = np.arange(len(found), dtype=np.float64)
    steering = SteeringFactors(1.0 / (2.0 + rows), {"jazz": rows / len(rows)}, {})
    plain = chooser.probabilities(weigh(found), rules, context)
    steered = chooser.probabilities(weigh(found, steering), rules, context)

    expected = plain * steering.factor
    np.testing.assert_allclose(steered, expected / (expected.sum() or 1), atol=1e-12)
    for pick in chooser.choose(weigh(found, steering), rules, context, 3, rng(seed)):
        row = found.row(pick.track_id)
        assert row is not None
        assert pick.explanation.steering_factor == steering.factor[row]
        assert pick.explanation.wish_fits == {"jazz": row / len(rows)}


def test_exploring_keeps_the_steering() -> None:
    found = candidates(40, predicted=5, stddev=2)
    factor = np.where(np.arange(40) == 5, 1.0, 1e-12)
    weighted = weigh(found, SteeringFactors(factor, {}, {}))

    (pick,) = chooser.choose(weighted, PickRules(explore=1.0), ALONE, 1, rng())

    assert pick.track_id == name(5)
