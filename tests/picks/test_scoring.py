"""The weight of a track, factor by factor."""

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from anagnorisisd.domain.pick import Floats
from anagnorisisd.domain.track import TrackId
from anagnorisisd.picks import scoring
from tests.support.candidates import NEVER, NONE, candidates, name, worked_example


def test_worked_example() -> None:
    factors = scoring.score(worked_example()).factors
    np.testing.assert_allclose(factors.rating, [8, 6, 7])
    np.testing.assert_allclose(factors.rating_factor, [0.64, 0.36, 0.49])
    np.testing.assert_allclose(factors.skip_factor, [0.93, 0.80, 0.60], atol=0.005)
    np.testing.assert_allclose(factors.recency_factor, [2 / 3, 1 / 3, 3 / 3])
    np.testing.assert_allclose(factors.weight, [0.39717, 0.09626, 0.29336], atol=0.00001)


@pytest.mark.parametrize(
    ("rating", "predicted", "expected"),
    [(8, 3, 8), (0, 9, 0), (NONE, 3, 3), (NONE, NONE, 6.5)],
)
def test_rating_then_prediction_then_mean(rating: float, predicted: float, expected: float) -> None:
    found = candidates(1, rating=rating, predicted=predicted, mean_rating=6.5)
    assert scoring.effective_rating(found).tolist() == [expected]


@pytest.mark.parametrize(("rating", "factor"), [(0, 0.0001), (0.1, 0.0001), (5, 0.25), (10, 1)])
def test_rating_factor(rating: float, factor: float) -> None:
    assert scoring.score(candidates(1, rating=rating)).factors.rating_factor == pytest.approx(
        factor
    )


def test_many_skips_leave_a_small_weight_and_never_none() -> None:
    skips = [0, 10, 100, 1000, 3000]
    found = scoring.score(candidates(5, skips=skips, rating=10)).factors.skip_factor
    assert (np.diff(found) < 0).all()
    assert found[-1] > 0
    assert found[1] == pytest.approx(1 / (1 + np.e))


def test_absurd_counts_raise_no_warning() -> None:
    found = scoring.score(candidates(2, full_plays=[1e9, 0], skips=[0, 1e9])).factors.skip_factor
    assert found.tolist() == [1, 0]


def test_tracks_never_played_tie_at_the_end() -> None:
    found = scoring.recency(np.array([NEVER, 20.0, NEVER, 30.0]))
    assert found.tolist() == [1, 2 / 4, 1, 1 / 4]


def test_tracks_played_at_once_share_the_largest_place() -> None:
    assert scoring.recency(np.array([5.0, 5.0, 9.0, 1.0])).tolist() == [3 / 4, 3 / 4, 1 / 4, 1]


def test_recency_of_nothing() -> None:
    assert scoring.recency(np.empty(0)).tolist() == []


@given(
    arrays(
        np.float64,
        st.integers(1, 30),
        elements=st.sampled_from([NEVER, 0.0, 1.0, 2.0, 3.5, 1e9]),
    )
)
def test_recency_is_the_definition(last_played_at: Floats) -> None:
    count = len(last_played_at)
    expected = [(last_played_at >= each).sum() / count for each in last_played_at]
    np.testing.assert_allclose(scoring.recency(last_played_at), expected)


def test_rows_are_found_by_track_id() -> None:
    found = candidates(5)
    assert [found.row(name(row)) for row in range(5)] == [0, 1, 2, 3, 4]
    assert found.row(TrackId("f" * 32)) is None
    assert found.row(TrackId("")) is None
    assert found.rows([name(4), TrackId("unknown"), name(1)]).tolist() == [4, 1]
    assert found.track_id(3) == name(3)
    assert candidates(0).row(name(0)) is None


def test_without_exploration_the_mean_stays() -> None:
    found = scoring.score(candidates(3, predicted=[2, 5, NONE], stddev=[1, 2, NONE]))
    assert scoring.sample_predictions(found, 0.0, Random(1)) is found


@pytest.mark.parametrize("explore", [0.25, 1.0])
def test_exploration_draws_from_the_predicted_distribution(explore: float) -> None:
    found = scoring.score(candidates(20_000, predicted=5, stddev=1.0))
    sampled = scoring.sample_predictions(found, explore, Random(1)).candidates.predicted_mean
    assert sampled.mean() == pytest.approx(5, abs=0.03)
    assert sampled.std() == pytest.approx(explore, rel=0.03)


def test_exploration_stays_within_the_scale_and_invents_nothing() -> None:
    found = scoring.score(candidates(3, predicted=[9.9, 0.1, NONE], stddev=[30, 30, NONE]))
    for seed in range(20):
        sampled = scoring.sample_predictions(found, 1.0, Random(seed))
        high, low, none = sampled.candidates.predicted_mean
        assert 0 <= high <= 10
        assert 0 <= low <= 10
        assert np.isnan(none)
