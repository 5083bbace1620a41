"""The Gaussian process against the formulas of the textbook, written out."""

import numpy as np
import pytest
from scipy import linalg

from anagnorisisd.domain.evaluator import Floats64
from anagnorisisd.taste.models import hyperparameters
from anagnorisisd.taste.models.gaussian_process import BATCH_SIZE, GaussianProcess
from anagnorisisd.taste.models.hyperparameters import NegLogPosterior, Prior
from anagnorisisd.taste.models.inputs import TRAITS, Examples, ImplicitExamples, Inputs
from anagnorisisd.taste.models.kernels import (
    YEAR_LENGTH_SCALE,
    CrossCovariance,
    Hyperparameters,
    covariance_matrix,
    prior_variances,
)

SEGMENTS = (16, 8)
DIMENSION = sum(SEGMENTS)
PRIOR = Prior.of(len(SEGMENTS))


def tracks_with_gaps(count: int, seed: int) -> Inputs:
    """Return tracks of which some share traits, some have none, and some have a sound of zeros.

    The first segment has larger values than the second.
    """
    rng = np.random.default_rng(seed)
    sound = rng.normal(size=(count, DIMENSION)).astype(np.float32) / np.float32(DIMENSION**0.5)
    sound[:, : SEGMENTS[0]] *= 1.5
    sound[::7] = 0.0
    sound[1::7] = sound[-1]
    year = rng.integers(1990, 2000, count).astype(np.float64)
    year[::3] = np.nan
    return Inputs(sound, rng.integers(-2, 3, (count, len(TRAITS))), year, SEGMENTS)


def rated(count: int) -> Examples:
    none_played = ImplicitExamples(tracks_with_gaps(1, 0).take(slice(0)), np.empty(0))
    ratings = np.random.default_rng(5).integers(0, 11, count).astype(np.float64)
    return Examples(
        tracks_with_gaps(count, 1), ratings, np.zeros(count), np.zeros(count), none_played
    )


def random_params() -> Hyperparameters:
    rng = np.random.default_rng(2)
    return hyperparameters.from_logarithms(
        PRIOR.mean + PRIOR.stddev * rng.normal(size=len(PRIOR.mean)), 4.0
    )


def textbook_kernels(left: Inputs, right: Inputs, length_scales: Floats64) -> list[Floats64]:
    """Return each kernel for each pair, `[n, m]`, in the order of the variances."""
    of_sound = []
    for columns, length_scale in zip(
        (slice(SEGMENTS[0]), slice(SEGMENTS[0], None)), length_scales, strict=True
    ):
        x, y = (each.sound[:, columns].astype(np.float64) for each in (left, right))
        distances = ((x[:, None] - y) ** 2).sum(axis=-1)
        of_sound += [x @ y.T, np.exp(-0.5 * distances / length_scale**2)]
    same = (left.codes[:, None] == right.codes) & (left.codes != 0)[:, None]
    years = np.exp(-0.5 * ((left.year[:, None] - right.year) / YEAR_LENGTH_SCALE) ** 2)
    return [
        *of_sound,
        *np.moveaxis(same, -1, 0).astype(np.float64),
        np.nan_to_num(years, nan=0.0),
    ]


def textbook_covariance(left: Inputs, right: Inputs, params: Hyperparameters) -> Floats64:
    kernels = np.stack(textbook_kernels(left, right, params.length_scales))
    return np.tensordot(params.variances, kernels, axes=1)


def untagged(count: int) -> Inputs:
    no_codes = np.zeros((count, len(TRAITS)), np.int64)
    return Inputs(tracks_with_gaps(count, 1).sound, no_codes, np.full(count, np.nan), SEGMENTS)


@pytest.mark.parametrize(
    "examples",
    [tracks_with_gaps(40, 1), tracks_with_gaps(1, 1), untagged(30)],
    ids=["many", "one", "untagged"],
)
def test_components_are_the_weighted_kernels(examples: Inputs) -> None:
    params, tracks = random_params(), tracks_with_gaps(100, 3)

    found = CrossCovariance.of(examples, params).components(tracks)

    kernels = textbook_kernels(tracks, examples, params.length_scales)
    for component, variance, kernel in zip(found, params.variances, kernels, strict=True):
        np.testing.assert_allclose(component, variance * kernel, atol=2e-5)


@pytest.mark.parametrize(
    "examples",
    [tracks_with_gaps(40, 1), tracks_with_gaps(1, 1), untagged(30)],
    ids=["many", "one", "untagged"],
)
def test_cross_covariance_is_the_sum_of_the_components(examples: Inputs) -> None:
    params, tracks = random_params(), tracks_with_gaps(100, 3)

    found = CrossCovariance.of(examples, params).matrix(tracks)

    expected = textbook_covariance(tracks, examples, params)
    np.testing.assert_allclose(found, expected, atol=2e-5)


def textbook_variances(tracks: Inputs, params: Hyperparameters) -> Floats64:
    """Return the full variances, also where artist or year is unknown."""
    kernels = textbook_kernels(tracks, tracks, params.length_scales)
    sound = np.stack(kernels[: 2 * len(SEGMENTS)]).diagonal(axis1=1, axis2=2)
    everything = [*sound, *np.ones((len(TRAITS) + 1, len(tracks)))]
    return np.tensordot(params.variances, everything, axes=1)


def test_diagonal_of_the_covariance_matrix_is_the_full_variance() -> None:
    params, tracks = random_params(), tracks_with_gaps(20, 3)

    found = covariance_matrix(tracks, params)

    np.testing.assert_allclose(np.diag(found), textbook_variances(tracks, params), rtol=1e-6)
    np.testing.assert_allclose(np.diag(found), prior_variances(tracks, params))
    np.testing.assert_allclose(found, found.T, atol=2e-5)


@pytest.mark.parametrize("count", [1, BATCH_SIZE, 3 * BATCH_SIZE + 1])
def test_posterior_is_that_of_the_textbook(count: int) -> None:
    examples, params, tracks = rated(60), random_params(), tracks_with_gaps(count, 3)

    predicted = GaussianProcess().fit(hyperparameters.as_settings(params), examples).predict(tracks)

    covariances = textbook_covariance(tracks, examples.inputs, params)
    noisy = textbook_covariance(examples.inputs, examples.inputs, params)
    np.fill_diagonal(noisy, textbook_variances(examples.inputs, params) + params.noise)
    solved = linalg.solve(noisy, np.column_stack([examples.ratings - examples.ratings.mean()]))
    mean = examples.ratings.mean() + (covariances @ solved)[:, 0]
    explained = np.einsum("ij,ji->i", covariances, linalg.solve(noisy, covariances.T))
    squares = ((examples.ratings - examples.ratings.mean()) ** 2).sum()
    of_mean = (squares + 8.0) / 62 / 60
    variance = textbook_variances(tracks, params) - explained + params.noise + of_mean
    np.testing.assert_allclose(predicted.mean, np.clip(mean, 0, 10), atol=1e-3)
    np.testing.assert_allclose(predicted.stddev, np.sqrt(variance), atol=1e-3)


def test_no_tracks_have_no_predictions() -> None:
    fitted = GaussianProcess().fit(hyperparameters.as_settings(random_params()), rated(20))

    predicted = fitted.predict(tracks_with_gaps(1, 3).take(slice(0)))

    assert predicted.mean.shape == predicted.stddev.shape == (0,)


def test_gradient_matches_finite_differences() -> None:
    objective = NegLogPosterior.of(rated(30), 6.0)
    rng = np.random.default_rng(4)
    logarithms: Floats64 = PRIOR.mean + PRIOR.stddev * rng.normal(size=len(PRIOR.mean))
    step = 1e-5

    _, gradient = objective.value_and_gradient(logarithms)

    for offset in np.eye(len(logarithms)) * step:
        difference = (
            objective.value_and_gradient(logarithms + offset)[0]
            - objective.value_and_gradient(logarithms - offset)[0]
        )
        assert difference / (2 * step) == pytest.approx(
            gradient @ offset / step, rel=1e-3, abs=1e-5
        )


def test_search_finds_better_hyperparameters_than_the_prior_mean() -> None:
    examples = rated(40)
    objective = NegLogPosterior.of(examples, 6.0)

    found = hyperparameters.maximum_a_posteriori(examples, 6.0)

    logarithms = np.log([*found.variances / 6.0, found.noise / 6.0, *found.length_scales])
    assert objective.value_and_gradient(logarithms)[0] < objective.value_and_gradient(PRIOR.mean)[0]
