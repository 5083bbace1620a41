"""Maximum a posteriori estimate of the hyperparameters of the Gaussian process.

The marginal likelihood balances fit and complexity (Rasmussen and Williams, Gaussian
Processes for Machine Learning, 5.4); weak priors regularize it while there are few ratings.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from anagnorisisd.domain.evaluator import Floats64
from anagnorisisd.taste.models.inputs import Examples
from anagnorisisd.taste.models.kernels import (
    PARTS,
    CrossCovariance,
    Hyperparameters,
    squared_distances,
)
from anagnorisisd.taste.models.model import Settings

MAX_ITERATIONS = 25
BOUND_STDDEVS = 4.0
"""Bounds of the search, in standard deviations of the priors."""

# Natural logarithms of the variance of each part (audio, direction, artist, album, folder,
# parent folder, genre, year) and of the noise, as shares of the
# ratings' variance; last, the length scale.
PRIOR_MEAN = np.log([0.25, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05, 0.03, 0.5, 1.0])
PRIOR_STDDEV = np.array([*np.ones(len(PARTS)), 0.7, 0.5])


def from_logarithms(logarithms: Floats64, scale: float) -> Hyperparameters:
    """Return hyperparameters from logarithms in the order of `PRIOR_MEAN`; `scale` as there."""
    values = np.exp(logarithms)
    return Hyperparameters(
        scale * values[: len(PARTS)], scale * float(values[-2]), float(values[-1])
    )


def from_settings(settings: Settings) -> Hyperparameters:
    """Return hyperparameters from the arrays of `as_settings`."""
    return Hyperparameters(
        settings["variances"], float(settings["noise"]), float(settings["reach"])
    )


def as_settings(params: Hyperparameters) -> Settings:
    """Return the hyperparameters as named arrays, to be stored."""
    # "reach" is the name in stored models.
    return {
        "variances": params.variances,
        "noise": np.array(params.noise),
        "reach": np.array(params.length_scale),
    }


def prior_hyperparameters(scale: float) -> Hyperparameters:
    """Return the prior mean, for ratings of variance `scale`."""
    return from_logarithms(PRIOR_MEAN, scale)


def maximum_a_posteriori(examples: Examples, scale: float) -> Hyperparameters:
    """Return the settings with the highest posterior, given ratings of variance `scale`."""
    from scipy import optimize  # takes longer to import than learning one rating takes

    objective = NegLogPosterior.of(examples, scale)
    found = optimize.minimize(
        objective.value_and_gradient,
        PRIOR_MEAN,
        jac=True,
        method="L-BFGS-B",
        bounds=np.stack(
            [PRIOR_MEAN - BOUND_STDDEVS * PRIOR_STDDEV, PRIOR_MEAN + BOUND_STDDEVS * PRIOR_STDDEV],
            axis=1,
        ),
        options={"maxiter": MAX_ITERATIONS},
    )
    return from_logarithms(found.x, scale)


@dataclass(frozen=True, slots=True)
class NegLogPosterior:
    """The negative log posterior of the settings, for given ratings.

    `squared` has the squared distances, `[n, n]`; `fixed` all kernels but the RBF of the sound,
    which have no length scale to fit, as rows, `[parts - 1, n x n]`. `residuals`, `[n]`, are the
    ratings minus their mean, scaled to variance 1.
    """

    squared: NDArray[np.float64]
    fixed: NDArray[np.float64]
    residuals: Floats64

    @classmethod
    def of(cls, examples: Examples, scale: float) -> Self:
        """Compute the kernels of `examples`."""
        inputs = examples.inputs
        unit = Hyperparameters(np.ones(len(PARTS)), noise=0.0, length_scale=1.0)
        # Converted one by one, as they share memory.
        components = CrossCovariance.of(inputs, unit).components(inputs)
        _, *fixed = (component.astype(np.float64) for component in components)
        for kernel in fixed:
            np.fill_diagonal(kernel, 1.0)
        squared = squared_distances(inputs, inputs).astype(np.float64)
        np.fill_diagonal(squared, 0.0)
        residuals = (examples.ratings - examples.ratings.mean()) / np.sqrt(scale)
        return cls(squared, np.reshape(fixed, (len(fixed), -1)), residuals)

    def value_and_gradient(self, logarithms: Floats64) -> tuple[float, Floats64]:
        """Return the objective and its gradient at `logarithms`."""
        values = np.exp(logarithms)
        noise, length_scale = values[-2], values[-1]
        rbf = values[0] * np.exp(self.squared * (-0.5 / length_scale**2))
        covariance = (values[1:-2] @ self.fixed).reshape(rbf.shape)
        covariance += rbf
        np.einsum("ii->i", covariance)[:] += noise
        factor = linalg.cholesky(covariance, lower=True, overwrite_a=True, check_finite=False)
        alpha = linalg.cho_solve((factor, True), self.residuals, check_finite=False)
        value = 0.5 * self.residuals @ alpha + np.log(np.diag(factor)).sum()

        # Rasmussen and Williams, eq. 5.9: half the trace of (inverse - alpha alpha') times the
        # derivative of the covariance.
        trace_factor = 0.5 * (_inverse(factor) - np.outer(alpha, alpha))
        rbf *= trace_factor
        gradient = np.array(
            [
                rbf.sum(),
                *(values[1:-2] * (self.fixed @ trace_factor.reshape(-1))),
                noise * np.trace(trace_factor),
                np.vdot(rbf, self.squared) / length_scale**2,
            ]
        )
        z_scores = (logarithms - PRIOR_MEAN) / PRIOR_STDDEV
        return float(value + 0.5 * z_scores @ z_scores), gradient + z_scores / PRIOR_STDDEV


def _inverse(factor: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the inverse of the matrix whose lower Cholesky factor is given."""
    inverse, _ = linalg.lapack.dpotri(factor, lower=True)
    lower = np.tril(inverse)
    symmetric: NDArray[np.float64] = lower + np.tril(lower, -1).T
    return symmetric
