"""The quick ways to compute are the plain formulas."""

import numpy as np
import pytest
from scipy import linalg

from anagnorisisd.domain.evaluator import Floats64
from anagnorisisd.taste.models import covariance, hyperparameters
from anagnorisisd.taste.models.covariance import ROWS, BatchedCovariance
from anagnorisisd.taste.models.features import TRAITS, Examples, ImplicitExamples, Inputs
from anagnorisisd.taste.models.gaussian_process import GaussianProcess
from anagnorisisd.taste.models.hyperparameters import (
    PRIOR_MEAN,
    PRIOR_STDDEV,
    Hyperparameters,
    NegLogPosterior,
)

DIMENSION = 24


def strange(count: int, seed: int) -> Inputs:
    """Return tracks of which some share traits, some have none, and some are silent."""
    rng = np.random.default_rng(seed)
    sound = rng.normal(size=(count, DIMENSION)).astype(np.float32) / np.float32(DIMENSION**0.5)
    sound[::7] = 0.0
    sound[1::7] = sound[-1]
    year = rng.integers(1990, 2000, count).astype(np.float64)
    year[::3] = np.nan
    return Inputs(sound, rng.integers(-2, 3, (count, len(TRAITS))), year)


def rated(count: int) -> Examples:
    nobody = ImplicitExamples(strange(1, 0).take(slice(0)), np.empty(0))
    ratings = np.random.default_rng(5).integers(0, 11, count).astype(np.float64)
    return Examples(strange(count, 1), ratings, np.zeros(count), np.zeros(count), nobody)


def random_params() -> Hyperparameters:
    rng = np.random.default_rng(2)
    return Hyperparameters.from_logarithms(
        PRIOR_MEAN + PRIOR_STDDEV * rng.normal(size=len(PRIOR_MEAN)), 4.0
    )


@pytest.mark.parametrize("examples", [strange(40, 1), strange(1, 1)])
def test_a_comparison_gives_the_covariances(examples: Inputs) -> None:
    params, tracks = random_params(), strange(100, 3)

    quick = BatchedCovariance.of(examples, params).rows(tracks)

    np.testing.assert_allclose(quick, covariance.covariance(tracks, examples, params), atol=2e-5)


def test_examples_of_which_only_the_sound_is_known_can_be_compared() -> None:
    sound = strange(30, 1).sound
    bare = Inputs(sound, np.zeros((30, len(TRAITS)), np.int64), np.full(30, np.nan))
    params, tracks = random_params(), strange(100, 3)

    quick = BatchedCovariance.of(bare, params).rows(tracks)

    np.testing.assert_allclose(quick, covariance.covariance(tracks, bare, params), atol=2e-5)


@pytest.mark.parametrize("count", [1, ROWS, 3 * ROWS + 1])
def test_a_whole_library_is_predicted_as_the_textbook_says(count: int) -> None:
    examples, params, tracks = rated(60), random_params(), strange(count, 3)

    opinion = GaussianProcess().fit(params.as_settings(), examples).predict(tracks)

    likeness = covariance.covariance(tracks, examples.inputs, params).astype(np.float64)
    noisy = covariance.covariance_matrix(examples.inputs, params) + params.noise * np.eye(60)
    solved = linalg.solve(noisy, np.column_stack([examples.ratings - examples.ratings.mean()]))
    mean = examples.ratings.mean() + (likeness @ solved)[:, 0]
    explained = np.einsum("ij,ji->i", likeness, linalg.solve(noisy, likeness.T))
    squares = ((examples.ratings - examples.ratings.mean()) ** 2).sum()
    of_mean = (squares + 8.0) / 62 / 60
    variance = params.variances.sum() - explained + params.noise + of_mean
    np.testing.assert_allclose(opinion.mean, np.clip(mean, 0, 10), atol=1e-3)
    np.testing.assert_allclose(opinion.stddev, np.sqrt(variance), atol=1e-3)


def test_no_tracks_get_no_predictions() -> None:
    fitted = GaussianProcess().fit(random_params().as_settings(), rated(20))

    opinion = fitted.predict(strange(1, 3).take(slice(0)))

    assert opinion.mean.shape == opinion.stddev.shape == (0,)


def test_the_slope_of_the_likelihood_is_that_of_its_height() -> None:
    objective = NegLogPosterior.of(rated(30), 6.0)
    rng = np.random.default_rng(4)
    place: Floats64 = PRIOR_MEAN + PRIOR_STDDEV * rng.normal(size=len(PRIOR_MEAN))
    step = 1e-5

    _, slope = objective.value_and_gradient(place)

    for way in np.eye(len(place)) * step:
        rise = (
            objective.value_and_gradient(place + way)[0]
            - objective.value_and_gradient(place - way)[0]
        )
        assert rise / (2 * step) == pytest.approx(slope @ way / step, rel=1e-3, abs=1e-5)


def test_the_most_likely_settings_are_likelier_than_the_supposed() -> None:
    examples = rated(40)
    objective = NegLogPosterior.of(examples, 6.0)

    found = hyperparameters.maximum_a_posteriori(examples, 6.0)

    logarithms = np.log([*found.variances / 6.0, found.noise / 6.0, found.length_scale])
    assert objective.value_and_gradient(logarithms)[0] < objective.value_and_gradient(PRIOR_MEAN)[0]
