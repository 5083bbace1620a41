"""A Gaussian process over sound and metadata.

The kernel is a weighted sum: linear and RBF over each segment of the standardised embedding,
equality of artist, album, folder and genre, RBF over the year. `hyperparameters` finds the weights
and length scales. Names follow
Rasmussen and Williams, Gaussian Processes for Machine Learning, algorithm 2.1.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import linalg
from scipy.linalg import blas

from anagnorisisd.domain.evaluator import Floats64
from anagnorisisd.taste.models import hyperparameters
from anagnorisisd.taste.models.implicit_feedback import PseudoRatings, pseudo_ratings
from anagnorisisd.taste.models.inputs import Examples, Inputs
from anagnorisisd.taste.models.kernels import (
    CrossCovariance,
    Hyperparameters,
    Matrix,
    covariance_matrix,
    prior_variances,
)
from anagnorisisd.taste.models.model import (
    Predictions,
    Settings,
    predictions,
    regularized_variance,
    zero_contributions,
)

SEARCH_LIMIT = 500
"""Examples used by the hyperparameter search at most: more hardly change its result."""
BATCH_SIZE = 512
"""Tracks predicted at once: their covariances fit a core's cache."""
FIT_LIMIT = 2000
"""Examples used by a fit at most: its cost grows with their cube."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FittedGaussianProcess:
    """The training tracks, and the solution for their ratings.

    The first of them are the `rated` rows of `count` examples, the others have pseudo-ratings.
    With `k` the covariances of a track with the examples, `k @ alpha` is the posterior mean of the
    track minus `mean`, and `|inverse_cholesky @ k|^2` the explained part of its variance.
    """

    inputs: Inputs
    rated: NDArray[np.intp]
    count: int
    params: Hyperparameters
    mean: float
    mean_variance: float
    alpha: Floats64
    inverse_cholesky: Matrix

    def predict(self, inputs: Inputs) -> Predictions:
        """Return the posterior of the rating of each track, the listener's noise included."""
        cross_covariance = CrossCovariance.of(self.inputs, self.params)

        def posterior(rows: slice) -> tuple[Floats64, Floats64]:
            covariances = cross_covariance.matrix(inputs.take(rows))
            residual: Floats64 = covariances @ self.alpha
            # A triangular product does half the work of a full one.
            solved = blas.strmm(
                1.0, self.inverse_cholesky, covariances.T, lower=True, overwrite_b=True
            )
            return residual, np.einsum("ij,ij->j", solved, solved).astype(np.float64)

        residuals, explained_variances = zip(
            *map_batches(posterior, len(inputs), BATCH_SIZE), strict=True
        )
        residual, explained = np.concatenate(residuals), np.concatenate(explained_variances)
        # Rounding can make the difference slightly negative.
        posterior_variance = np.maximum(prior_variances(inputs, self.params) - explained, 0.0)
        variance = posterior_variance + self.params.noise + self.mean_variance
        return predictions(self.mean + residual, np.sqrt(variance))

    def posterior_covariance(self, inputs: Inputs) -> Matrix:
        """Return the posterior covariance of tracks with each other, `[n, n]`."""
        covariances = CrossCovariance.of(self.inputs, self.params).matrix(inputs)
        solved = covariances @ self.inverse_cholesky.T
        posterior: Matrix = covariance_matrix(inputs, self.params) - solved @ solved.T
        return posterior

    def contributions(self, track: Inputs) -> Matrix:
        """Return the contribution of each example to one prediction, by part."""
        components = CrossCovariance.of(self.inputs, self.params).components(track)
        by_component = np.stack([component[0] * self.alpha for component in components])
        sound = by_component[: self.params.sound_variances.size].sum(axis=0, keepdims=True)
        by_part = np.concatenate([sound, by_component[self.params.sound_variances.size :]])
        contributions = zero_contributions(self.count)
        contributions[:, self.rated] = by_part[:, : len(self.rated)]
        return contributions

    def alike(self, track: Inputs) -> NDArray[np.bool_]:
        """Return which examples are expected to be rated like one track, `[count]`."""
        covariances = CrossCovariance.of(self.inputs, self.params).matrix(track)[0]
        alike = np.zeros(self.count, np.bool_)
        alike[self.rated] = covariances[: len(self.rated)] > 0
        return alike

    def weights(self) -> Settings:
        """Return nothing: fitting again is fast."""
        return {}


@dataclass(frozen=True, slots=True)
class GaussianProcess:
    """The Gaussian process on the ratings alone."""

    kind: str = "Gaussian process"

    def search(self, examples: Examples, rng: np.random.Generator) -> Settings:
        """Return the maximum a posteriori hyperparameters."""
        scale = regularized_variance(examples.ratings)
        if len(examples) > SEARCH_LIMIT:
            examples = examples.take(rng.choice(len(examples), SEARCH_LIMIT, replace=False))
        return hyperparameters.as_settings(hyperparameters.maximum_a_posteriori(examples, scale))

    def fit(self, settings: Settings, examples: Examples) -> FittedGaussianProcess:
        """Fit the ratings of `examples`."""
        return fit_posterior(hyperparameters.from_settings(settings), examples, None)

    def restore(
        self, settings: Settings, examples: Examples, weights: Settings
    ) -> FittedGaussianProcess:
        """Fit again."""
        return self.fit(settings, examples)


@dataclass(frozen=True, slots=True)
class GaussianProcessWithPlays(GaussianProcess):
    """The Gaussian process on ratings and on pseudo-ratings from plays and skips."""

    kind: str = "Gaussian process with plays"

    def fit(self, settings: Settings, examples: Examples) -> FittedGaussianProcess:
        """Fit the ratings and the pseudo-ratings of played tracks."""
        return fit_posterior(
            hyperparameters.from_settings(settings), examples, pseudo_ratings(examples)
        )


def fit_posterior(
    params: Hyperparameters, examples: Examples, pseudo: PseudoRatings | None
) -> FittedGaussianProcess:
    """Return the posterior given the ratings and, if any, pseudo-ratings."""
    # Beyond the limit only the newest ratings are used.
    rated = np.sort(np.argsort(examples.rated_at, kind="stable")[-FIT_LIMIT:])
    inputs, ratings = examples.inputs.take(rated), examples.ratings[rated]
    mean = float(ratings.mean())
    noise = np.full(len(ratings), params.noise)
    if pseudo is not None:
        inputs = inputs.concatenate(pseudo.inputs)
        ratings = np.concatenate([ratings, pseudo.ratings])
        noise = np.concatenate(
            [noise, np.full(len(pseudo.ratings), params.noise + pseudo.variance)]
        )
    noisy = covariance_matrix(inputs, params) + np.diag(noise)
    cholesky_factor = linalg.cholesky(noisy, lower=True, overwrite_a=True, check_finite=False)
    alpha = linalg.cho_solve((cholesky_factor, True), ratings - mean, check_finite=False)
    inverse_cholesky = linalg.solve_triangular(
        cholesky_factor, np.eye(len(inputs)), lower=True, overwrite_b=True, check_finite=False
    )
    return FittedGaussianProcess(
        inputs=inputs,
        rated=rated,
        count=len(examples),
        params=params,
        mean=mean,
        mean_variance=regularized_variance(examples.ratings) / len(examples),
        alpha=alpha,
        inverse_cholesky=inverse_cholesky.astype(np.float32, order="F"),
    )


def map_batches(function: Callable[[slice], T], count: int, batch_size: int) -> list[T]:
    """Return the results of `function` for batches of `count` rows; one empty batch if 0.

    Batches are computed on all cores, in threads: numpy releases the GIL.
    """
    slices = [
        slice(start, min(start + batch_size, count))
        for start in range(0, max(1, count), batch_size)
    ]
    threads = min(len(slices), len(os.sched_getaffinity(0)))
    if threads == 1:
        return [function(rows) for rows in slices]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(function, slices))
