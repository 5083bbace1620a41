"""The weight of a track, factor by factor."""

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from anagnorisisd.domain.pick import Floats
from anagnorisisd.picks import weights
from tests.support.candidates import NEVER, NONE, candidates, worked_example


def test_worked_example() -> None:
    factors = weights.weigh(worked_example()).factors
    np.testing.assert_allclose(factors.rating, [8, 6, 7])
    np.testing.assert_allclose(factors.rating_factor, [0.64, 0.36, 0.49])
    np.testing.assert_allclose(factors.skip_factor, [0.93, 0.80, 0.60], atol=0.005)
    np.testing.assert_allclose(factors.recency_factor, [2 / 3, 1 / 3, 3 / 3])
    np.testing.assert_allclose(factors.weight, [0.39717, 0.09626, 0.29336], atol=0.00001)


@pytest.mark.parametrize(
    ("rating", "predicted", "expected"),
    [(8, 3, 8), (0, 9, 0), (NONE, 3, 3), (NONE, NONE, 6.5)],
)
def test_effective_rating(rating: float, predicted: float, expected: float) -> None:
    found = candidates(1, rating=rating, predicted=predicted, mean_rating=6.5)
    assert weights.effective_rating(found).tolist() == [expected]


@pytest.mark.parametrize(("rating", "factor"), [(0, 0.0001), (0.1, 0.0001), (5, 0.25), (10, 1)])
def test_rating_factor(rating: float, factor: float) -> None:
    assert weights.weigh(candidates(1, rating=rating)).factors.rating_factor == pytest.approx(
        factor
    )


def test_many_skips_leave_a_positive_weight() -> None:
    skips = [0, 10, 100, 1000, 3000]
    found = weights.weigh(candidates(5, skips=skips, rating=10)).factors.skip_factor
    assert (np.diff(found) < 0).all()
    assert found[-1] > 0
    assert found[1] == pytest.approx(1 / (1 + np.e))


def test_huge_counts_do_not_overflow() -> None:
    found = weights.weigh(candidates(2, full_plays=[1e9, 0], skips=[0, 1e9])).factors.skip_factor
    assert found.tolist() == [1, weights.MIN_SKIP_FACTOR]


def test_recency_of_tracks_never_played() -> None:
    found = weights.recency(np.array([NEVER, 20.0, NEVER, 30.0]))
    assert found.tolist() == [1, 2 / 4, 1, 1 / 4]


def test_recency_of_tracks_played_at_the_same_time() -> None:
    assert weights.recency(np.array([5.0, 5.0, 9.0, 1.0])).tolist() == [3 / 4, 3 / 4, 1 / 4, 1]


def test_recency_of_no_tracks() -> None:
    assert weights.recency(np.empty(0)).tolist() == []


@given(
    arrays(
        np.float64,
        st.integers(1, 30),
        elements=st.sampled_from([NEVER, 0.0, 1.0, 2.0, 3.5, 1e9]),
    )
)
def test_recency_matches_its_definition(last_played_at: Floats) -> None:
    count = len(last_played_at)
    expected = [(last_played_at >= each).sum() / count for each in last_played_at]
    np.testing.assert_allclose(weights.recency(last_played_at), expected)


def test_no_exploration_keeps_the_mean() -> None:
    found = weights.weigh(candidates(3, predicted=[2, 5, NONE], stddev=[1, 2, NONE]))
    assert weights.sample_predictions(found, 0.0, Random(1)) is found


@pytest.mark.parametrize("explore", [0.25, 1.0])
def test_exploration_samples_the_predicted_distribution(explore: float) -> None:
    found = weights.weigh(candidates(20_000, predicted=5, stddev=1.0))
    sampled = weights.sample_predictions(found, explore, Random(1)).candidates.predicted_mean
    assert sampled.mean() == pytest.approx(5, abs=0.03)
    assert sampled.std() == pytest.approx(explore, rel=0.03)


def test_samples_are_ratings_and_need_a_prediction() -> None:
    found = weights.weigh(candidates(3, predicted=[9.9, 0.1, NONE], stddev=[30, 30, NONE]))
    for seed in range(20):
        sampled = weights.sample_predictions(found, 1.0, Random(seed))
        high, low, none = sampled.candidates.predicted_mean
        assert 0 <= high <= 10
        assert 0 <= low <= 10
        assert np.isnan(none)
