"""Fit to a wish and the steering factor: places instead of scores, monotone, and concentrated."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anagnorisisd.steering import fit

known = st.floats(-1e6, 1e6)
scores = st.lists(known | st.just(float("nan")), min_size=1, max_size=30).map(np.array)
strengths = st.floats(0, 1)


@given(scores)
def test_a_higher_score_fits_better_and_equal_scores_fit_equally(found: np.ndarray) -> None:
    places = fit.place(found)

    assert ((places >= 0) & (places <= 1)).all()
    assert (places[np.isnan(found)] == 0).all()
    for one, its_place in zip(found, places, strict=True):
        assert (places[found > one] > its_place).all()
        assert (places[found == one] == its_place).all()


@given(scores)
def test_the_fit_depends_on_the_order_of_the_scores_only(found: np.ndarray) -> None:
    np.testing.assert_array_equal(fit.place(found), fit.place(np.cbrt(found)))


@given(scores, strengths)
def test_the_factor_is_monotone_and_1_for_the_best_fit(found: np.ndarray, strength: float) -> None:
    places = np.sort(fit.place(found))
    factor = fit.wanted_factor(places, strength)

    assert (np.diff(factor) >= 0).all()
    assert (np.diff(fit.unwanted_factor(places, strength)) <= 0).all()
    assert factor[-1] == 1
    assert (factor > 0).all()


def test_strength_0_changes_nothing() -> None:
    places = fit.place(np.arange(50.0))

    assert (fit.wanted_factor(places, 0) == 1).all()
    assert (fit.unwanted_factor(places, 0) == 1).all()


@pytest.mark.parametrize(
    ("strength", "tenth", "fifth"), [(1.0, 0.85, 0.99), (0.5, 0.75, 0.95), (0.1, 0.35, 0.6)]
)
def test_the_best_fitting_tenth_gets_most_of_the_weight(
    strength: float, tenth: float, fifth: float
) -> None:
    factor = fit.wanted_factor(fit.place(np.arange(10_000.0)), strength)
    share = factor / factor.sum()

    assert share[-1000:].sum() == pytest.approx(tenth, abs=0.03)
    assert share[-2000:].sum() == pytest.approx(fifth, abs=0.03)


def test_an_unwanted_tag_leaves_the_rest_of_the_library_alone() -> None:
    factor = fit.unwanted_factor(fit.place(np.arange(1000.0)), 1.0)

    assert factor[:650].min() > 0.99
    assert factor[850:].max() < 0.01


def test_tracks_must_fit_all_wishes() -> None:
    both, first, second, neither = fit.combine(
        [np.array([0.9, 1.0, 0.2, 0.1]), np.array([0.9, 0.2, 1.0, 0.1])]
    )

    assert both > first == second > neither


def test_a_track_with_an_unknown_score_fits_least() -> None:
    unknown, low, high = fit.combine([np.array([0.0, 0.1, 0.9]), np.array([0.9, 0.2, 0.9])])

    assert high > low > 0 > unknown


def test_tracks_that_fit_most_of_the_wishes_are_the_next_best() -> None:
    all_three, two, one, none = fit.combine(
        [np.array([0.1, 1.0, 0.0, 0.0]), np.array([0.1, 0.5, 0.4, 0.0]), np.array([0.1, 0, 0, 0])]
    )

    assert all_three > 0 > two > one > none


@pytest.mark.parametrize(
    ("values", "differ"),
    [([], False), ([float("nan")] * 3, False), ([1, 1, 1], False), ([1, 2], True)],
)
def test_scores_that_are_all_alike_say_nothing(values: list[float], differ: bool) -> None:
    assert fit.distinguishes(np.array(values, dtype=float)) is differ
