"""A Gaussian process over sound and metadata.

The kernel is a weighted sum: RBF and cosine over the standardised embedding, equality of artist,
album, folder and genre, RBF over the year. `hyperparameters` finds the weights. Names follow
Rasmussen and Williams, Gaussian Processes for Machine Learning, algorithm 2.1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from anagnorisisd.domain.evaluator import Floats64
from anagnorisisd.taste.models import covariance, hyperparameters
from anagnorisisd.taste.models.covariance import BatchedCovariance, posterior
from anagnorisisd.taste.models.features import Examples, Inputs
from anagnorisisd.taste.models.hyperparameters import Hyperparameters
from anagnorisisd.taste.models.implicit_feedback import PseudoRatings, pseudo_ratings
from anagnorisisd.taste.models.kernels import Matrix
from anagnorisisd.taste.models.model_protocol import (
    Settings,
    regularized_variance,
    zero_contributions,
)
from anagnorisisd.taste.models.prediction import Predictions, predictions

SEARCH_LIMIT = 500
"""Examples used by the hyperparameter search at most: more hardly change its result."""
FIT_LIMIT = 2000
"""Examples used by a fit at most: its cost grows with their cube."""


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
        batched = BatchedCovariance.of(self.inputs, self.params)
        residual, explained = posterior(batched, inputs, self.alpha, self.inverse_cholesky)
        # Rounding can make the difference slightly negative.
        posterior_variance = np.maximum(self.params.variances.sum() - explained, 0.0)
        variance = posterior_variance + self.params.noise + self.mean_variance
        return predictions(self.mean + residual, np.sqrt(variance))

    def posterior_covariance(self, inputs: Inputs) -> Matrix:
        """Return the posterior covariance of tracks with each other, `[n, n]`."""
        cross_covariance = covariance.covariance(inputs, self.inputs, self.params)
        seen = cross_covariance @ self.inverse_cholesky.T
        left: Matrix = covariance.covariance_matrix(inputs, self.params) - seen @ seen.T
        return left

    def contributions(self, track: Inputs) -> Matrix:
        """Return the contribution of each example to one prediction, by kernel component."""
        parts = covariance.components(track, self.inputs, self.params)
        contributions = zero_contributions(self.count)
        contributions[:, self.rated] = (np.concatenate(list(parts)) * self.alpha)[
            :, : len(self.rated)
        ]
        return contributions

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
        return hyperparameters.maximum_a_posteriori(examples, scale).as_settings()

    def fit(self, settings: Settings, examples: Examples) -> FittedGaussianProcess:
        """Fit the ratings of `examples`."""
        return fit_posterior(Hyperparameters.from_settings(settings), examples, None)

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
            Hyperparameters.from_settings(settings), examples, pseudo_ratings(examples)
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
        inputs = inputs.joined(pseudo.inputs)
        ratings = np.concatenate([ratings, pseudo.ratings])
        noise = np.concatenate(
            [noise, np.full(len(pseudo.ratings), params.noise + pseudo.variance)]
        )
    noisy = covariance.covariance_matrix(inputs, params) + np.diag(noise)
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
