"""Choosing: guards, relaxation, and exact sampling."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anagnorisisd.domain.pick import Candidates, Explanation, Floats, Pick
from anagnorisisd.domain.track import TrackId
from anagnorisisd.picks import chooser
from anagnorisisd.picks.chooser import PickContext
from anagnorisisd.picks.guards import PickRules
from anagnorisisd.picks.sampler import draw
from anagnorisisd.picks.scoring import score
from tests.support.candidates import (
    NEVER,
    NONE,
    NOW,
    candidates,
    credits_of,
    name,
    worked_example,
)

ALONE = PickContext(NOW)
PLAIN = PickRules()


def rng(seed: int = 1) -> Random:
    """Return chance that repeats itself."""
    return Random(seed)


def choose(
    found: Candidates, rules: PickRules, context: PickContext, count: int, rng: Random
) -> list[Pick]:
    """Score and choose."""
    return chooser.choose(score(found), rules, context, count, rng)


def probabilities(found: Candidates, rules: PickRules, context: PickContext) -> Floats:
    """Score, and return the probabilities."""
    return chooser.probabilities(score(found), rules, context)


def explain(
    found: Candidates, rules: PickRules, context: PickContext, track_id: TrackId
) -> Explanation | None:
    """Score and explain."""
    return chooser.explain(score(found), rules, context, track_id)


def explained(found: Candidates, rules: PickRules, context: PickContext, row: int) -> Explanation:
    """Return why the track in a row has its chance."""
    explanation = explain(found, rules, context, name(row))
    assert explanation is not None
    return explanation


codes = st.sampled_from([0, 1, 2, -1, -(2**63), 2**63 - 1])
"""Codes of artists and albums: any signed number of 64 bits; 0 means unknown."""


@st.composite
def libraries(draw: st.DrawFn) -> Candidates:
    """Make small libraries with every kind of track."""
    count = draw(st.integers(1, 12))

    def column(values: st.SearchStrategy[float]) -> list[float]:
        return draw(st.lists(values, min_size=count, max_size=count))

    return candidates(
        count,
        rating=column(st.sampled_from([NONE, 0, 3, 10])),
        predicted=column(st.sampled_from([NONE, 2.5, 8])),
        stddev=1.0,
        full_plays=column(st.integers(0, 50)),
        skips=column(st.sampled_from([0, 5, 100_000])),
        last_played_at=column(st.sampled_from([NEVER, NOW - 5e6, NOW - 60, NOW + 1e9])),
        duration_seconds=column(st.sampled_from([NONE, 10, 200, 5000])),
        artist=draw(st.lists(codes, min_size=count, max_size=count)),
        album=draw(st.lists(codes, min_size=count, max_size=count)),
        excluded=draw(st.lists(st.booleans(), min_size=count, max_size=count)),
    )


rules = st.builds(
    PickRules,
    min_hours_between_plays=st.sampled_from([0.0, 24.0]),
    artist_spread=st.integers(0, 3),
    album_spread=st.integers(0, 3),
    min_seconds=st.sampled_from([0.0, 30.0]),
    max_seconds=st.sampled_from([0.0, 1200.0]),
    explore=st.sampled_from([0.0, 0.5]),
)
neighbours = st.lists(st.integers(0, 14).map(name), max_size=6)
contexts = st.builds(PickContext, st.just(NOW), queued=neighbours, recent=neighbours)


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


def test_nothing_is_explained_of_what_is_no_candidate() -> None:
    assert explain(candidates(1), PLAIN, ALONE, TrackId("unknown")) is None


@settings(max_examples=40)
@given(libraries(), rules, contexts)
def test_probabilities_sum_to_one_and_leave_the_queue_out(
    found: Candidates, rules: PickRules, context: PickContext
) -> None:
    chances = probabilities(found, rules, context)
    queued = found.rows(context.queued)
    assert (chances >= 0).all()
    assert (chances[queued] == 0).all()
    everything_is_queued = len(set(queued.tolist())) == len(found)
    assert chances.sum() == pytest.approx(0 if everything_is_queued else 1)


@settings(max_examples=40)
@given(libraries(), rules, contexts, st.integers(0, 20), st.integers(0, 5))
def test_picks_are_different_new_and_as_many_as_there_can_be(
    found: Candidates, rules: PickRules, context: PickContext, count: int, seed: int
) -> None:
    picks = [each.track_id for each in choose(found, rules, context, count, rng(seed))]
    queued = {found.track_id(row) for row in found.rows(context.queued).tolist()}
    assert len(set(picks)) == len(picks) == min(count, len(found) - len(queued))
    assert queued.isdisjoint(picks)


@settings(max_examples=40)
@given(libraries(), rules, contexts)
def test_explanations_agree_with_probabilities(
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


@settings(max_examples=40)
@given(libraries(), rules, contexts)
def test_guard_is_given_up_only_when_it_would_leave_nothing(
    found: Candidates, rules: PickRules, context: PickContext
) -> None:
    for guard in explained(found, rules, context, 0).relaxed:
        chances = probabilities(found, rules, context)
        for row in np.flatnonzero(chances).tolist():
            # Were the guard one that this track passes, it would have been kept.
            assert not passes(guard, found, rules, context, row)


def passes(guard: str, found: Candidates, rules: PickRules, context: PickContext, row: int) -> bool:
    """Return whether a track passes one guard, told plainly."""
    seconds = found.duration_seconds[row]
    hours = (context.now - found.last_played_at[row]) / 3600
    if guard in {"artist_spread", "album_spread"}:
        spread, values = (
            (rules.artist_spread, artists_of)
            if guard == "artist_spread"
            else (rules.album_spread, albums_of)
        )
        rows = found.rows(list(context.recent)[-spread:])
        return all(not values(found, row) & values(found, near) for near in rows.tolist())
    too_long = rules.max_seconds > 0 and seconds > rules.max_seconds
    passed = {
        "excluded": not found.excluded[row],
        "duration": not (seconds < rules.min_seconds or too_long),
        "hours_between_plays": hours < 0 or hours >= rules.min_hours_between_plays,
    }
    return bool(passed[guard])


def artists_of(found: Candidates, row: int) -> set[int]:
    """Return the numbers of the artists of a track."""
    of = found.artists
    return set(of.artist[of.credit == of.of_track[row]].tolist())


def albums_of(found: Candidates, row: int) -> set[int]:
    """Return the code of the album of a track, if it has one."""
    return {int(found.album[row])} - {0}


def test_equal_weights_are_equal_chances() -> None:
    np.testing.assert_allclose(probabilities(candidates(4), PLAIN, ALONE), 0.25)


def test_zero_weights_are_uniform_and_keep_their_guards() -> None:
    found = candidates(4, skips=1e9, excluded=[True, False, False, False])
    assert probabilities(found, PLAIN, PickContext(NOW, [name(3)])).tolist() == [
        0, 0.5, 0.5, 0
    ]  # fmt: skip


def test_all_excluded_is_better_than_silence() -> None:
    found = candidates(2, excluded=True)
    assert explained(found, PLAIN, ALONE, 0).relaxed == ["excluded"]
    assert len(choose(found, PLAIN, ALONE, 2, rng())) == 2


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (PickRules(min_seconds=30), [0, 1, 1, 1]),
        (PickRules(max_seconds=600), [1, 1, 0, 1]),
        (PickRules(min_seconds=30, max_seconds=600), [0, 1, 0, 1]),
    ],
)
def test_duration_guard_lets_unknown_durations_pass(rules: PickRules, expected: list[int]) -> None:
    found = candidates(4, duration_seconds=[10, 200, 3600, NONE])
    allowed = probabilities(found, rules, ALONE) > 0
    assert allowed.tolist() == [bool(each) for each in expected]
    assert explained(found, PickRules(min_seconds=30), ALONE, 0).guards == {"duration": 0.0}


def test_hours_between_plays() -> None:
    played = [NEVER, NOW - 3601, NOW - 3600, NOW - 3599, NOW + 1e9]
    chances = probabilities(
        candidates(5, last_played_at=played), PickRules(min_hours_between_plays=1), ALONE
    )
    assert (chances > 0).tolist() == [True, True, True, False, True]


@pytest.mark.parametrize(
    ("spread", "expected"),
    [(0, [1, 1, 1, 1, 1]), (1, [1, 1, 0, 0, 1]), (2, [0, 1, 0, 0, 1])],
)
def test_artist_spread_counts_the_nearest(spread: int, expected: list[int]) -> None:
    found = candidates(6, artist=[1, 0, 2, 2, 3, 0])
    context = PickContext(NOW, recent=[name(4), name(0), name(2)])
    chances = probabilities(found, PickRules(artist_spread=spread), context)
    assert (chances[:5] > 0).tolist() == [bool(each) for each in expected]


@given(st.lists(codes, min_size=2, max_size=12), st.integers(1, 3), st.integers(0, 11))
def test_what_differs_from_its_neighbour_is_preferred_whatever_the_codes(
    values: list[int], spread: int, last: int
) -> None:
    last %= len(values)
    context = PickContext(NOW, recent=[name(last)])
    for found, rules in (
        (candidates(len(values), artist=values), PickRules(artist_spread=spread)),
        (candidates(len(values), album=values), PickRules(album_spread=spread)),
    ):
        allowed = [code == 0 or code != values[last] for code in values]
        chances = probabilities(found, rules, context)
        assert ((chances > 0).tolist() == allowed) or not any(allowed)


def test_unknown_artists_are_never_the_same() -> None:
    context = PickContext(NOW, recent=[name(0)])
    chances = probabilities(candidates(3, artist=0), PickRules(artist_spread=5), context)
    np.testing.assert_allclose(chances, 1 / 3)


@pytest.mark.parametrize("seed", range(10))
def test_spread_holds_among_the_picks_while_it_can(seed: int) -> None:
    found = candidates(12, artist=[1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3], rating=[9] * 4 + [1] * 8)
    picks = choose(found, PickRules(artist_spread=2), ALONE, 9, rng(seed))
    rows = found.rows([each.track_id for each in picks]).tolist()
    artists = [artists_of(found, row) for row in rows]
    assert all(len(set.union(*artists[at : at + 3])) == 3 for at in range(len(artists) - 2))


def test_later_guards_yield_first_and_others_stay() -> None:
    # Everything but row 2 is by the artist just heard, and row 2 is of the album just heard.
    found = candidates(3, artist=[1, 1, 2], album=[5, 6, 5])
    context = PickContext(NOW, recent=[name(0)])
    both = PickRules(artist_spread=1, album_spread=1)
    assert explained(found, both, context, 2).relaxed == ["album_spread"]
    assert probabilities(found, both, context).tolist() == [0, 0, 1]
    # When the artist cannot be spread either, the album still is.
    alike = replace(found, artists=credits_of([1, 1, 1]))
    assert explained(alike, both, context, 1).relaxed == ["artist_spread"]
    assert probabilities(alike, both, context).tolist() == [0, 1, 0]


def test_queued_track_has_no_chance_and_says_so() -> None:
    explanation = explained(candidates(3), PLAIN, PickContext(NOW, [name(1)]), 1)
    assert (explanation.weight, explanation.probability) == (0, 0)
    assert (explanation.rank, explanation.candidates) == (3, 2)


def test_a_queued_track_that_has_nearly_all_of_the_weight_leaves_the_others_their_chances() -> None:
    tracks = candidates(3, rating=[10, 0, 0], skips=[0, 1000, 1000])
    context = PickContext(NOW, queued=[name(0)])

    found = [choose(tracks, PickRules(), context, 2, rng(seed)) for seed in range(40)]

    assert all({one.track_id for one in picks} == {name(1), name(2)} for picks in found)
    assert 5 < sum(picks[0].track_id == name(1) for picks in found) < 35


def test_what_the_queue_holds_from_before_is_picked_only_when_nothing_else_is_left() -> None:
    found = candidates(4)
    played = PickContext(NOW, queued=[name(3)], played=[name(0), name(1)])

    picks = [one.track_id for one in choose(found, PLAIN, played, 4, rng())]

    assert picks[0] == name(2)
    assert sorted(picks[1:]) == [name(0), name(1)]
    assert probabilities(found, PLAIN, played).tolist() == [0, 0, 1, 0]


def test_nothing_is_picked_from_nothing() -> None:
    assert choose(candidates(0), PLAIN, ALONE, 3, rng()) == []
    assert probabilities(candidates(0), PLAIN, ALONE).tolist() == []


def test_same_seed_picks_the_same() -> None:
    found = candidates(50, predicted=5, stddev=1)
    for rules in (PLAIN, PickRules(explore=1)):
        assert choose(found, rules, ALONE, 5, rng(3)) == choose(found, rules, ALONE, 5, rng(3))


def test_frequencies_are_the_probabilities() -> None:
    found = worked_example()
    chances = probabilities(found, PLAIN, ALONE)
    chance, draws = rng(5), 2000
    counts = np.zeros(3)
    for _ in range(draws):
        (chosen,) = choose(found, PLAIN, ALONE, 1, chance)
        counts[found.rows([chosen.track_id])] += 1
    chi_square = ((counts - draws * chances) ** 2 / (draws * chances)).sum()
    assert chi_square < 13.8  # 99.9 % of fair samples, two degrees of freedom


def test_second_pick_is_drawn_from_what_is_left() -> None:
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


def test_each_pick_carries_its_chance_at_that_moment() -> None:
    first, second = choose(worked_example(), PLAIN, ALONE, 2, rng())
    after = probabilities(worked_example(), PLAIN, PickContext(NOW, [first.track_id]))
    row = worked_example().row(second.track_id)
    assert second.explanation.probability == pytest.approx(after[row])
    assert second.explanation.candidates == 2


def test_exploration_gives_the_uncertain_a_chance() -> None:
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
def test_draw_never_takes_what_has_no_weight(weights: list[float], seed: int) -> None:
    weight = np.array(weights)
    if weight.any():
        assert weight[draw(weight, rng(seed))] > 0
    else:
        with pytest.raises(ValueError, match="nothing to draw from"):
            draw(weight, rng(seed))
