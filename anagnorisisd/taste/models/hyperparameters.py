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
    SOUND_KERNELS,
    CrossCovariance,
    Hyperparameters,
    squared_distances,
)
from anagnorisisd.taste.models.model import Settings

MAX_ITERATIONS = 25
BOUND_STDDEVS = 3.0
"""Bounds of the search, in standard deviations of the priors."""

# Medians and logarithmic standard deviations of the priors. Variances and noise are shares of the
# ratings' variance. Priors are wide: what matters differs from listener to listener.
LINEAR, RBF, SOUND_STDDEV = 0.3, 0.3, 2.0
METADATA, METADATA_STDDEV = (0.1, 0.05, 0.05, 0.05, 0.05, 0.03), 2.0  # the traits, and the year
NOISE, NOISE_STDDEV = 0.5, 0.7
LENGTH_SCALE, LENGTH_SCALE_STDDEV = 1.0, 0.5


@dataclass(frozen=True, slots=True)
class Prior:
    """Independent normal distributions of the logarithms of the hyperparameters.

    Their order is that of `Hyperparameters`: variances, noise, length scales.
    """

    mean: Floats64
    stddev: Floats64

    @classmethod
    def of(cls, segments: int) -> Self:
        """Return the prior for a sound of that many segments."""
        medians = [*(LINEAR, RBF) * segments, *METADATA, NOISE, *[LENGTH_SCALE] * segments]
        stddevs = [
            *[SOUND_STDDEV] * SOUND_KERNELS * segments,
            *[METADATA_STDDEV] * len(METADATA),
            NOISE_STDDEV,
            *[LENGTH_SCALE_STDDEV] * segments,
        ]
        return cls(np.log(medians), np.array(stddevs))

    def bounds(self) -> NDArray[np.float64]:
        """Return the lowest and highest logarithms that a search tries, `[n, 2]`."""
        reach = BOUND_STDDEVS * self.stddev
        return np.stack([self.mean - reach, self.mean + reach], axis=1)


def from_logarithms(logarithms: Floats64, scale: float) -> Hyperparameters:
    """Return hyperparameters from logarithms in the order of `Prior`; variances times `scale`."""
    values = np.exp(logarithms)
    segments = segment_count(len(values))
    return Hyperparameters(
        scale * values[: -segments - 1], scale * float(values[-segments - 1]), values[-segments:]
    )


def segment_count(hyperparameters: int) -> int:
    """Return the number of segments to which that many hyperparameters belong."""
    return (hyperparameters - len(METADATA) - 1) // (SOUND_KERNELS + 1)


def from_settings(settings: Settings) -> Hyperparameters:
    """Return hyperparameters from the arrays of `as_settings`."""
    return Hyperparameters(
        settings["variances"], float(settings["noise"]), settings["length_scales"]
    )


def as_settings(params: Hyperparameters) -> Settings:
    """Return the hyperparameters as named arrays, to be stored."""
    return {
        "variances": params.variances,
        "noise": np.array(params.noise),
        "length_scales": params.length_scales,
    }


def prior_hyperparameters(segments: int, scale: float) -> Hyperparameters:
    """Return the prior medians for that many segments and ratings of variance `scale`."""
    return from_logarithms(Prior.of(segments).mean, scale)


def maximum_a_posteriori(examples: Examples, scale: float) -> Hyperparameters:
    """Return the settings with the highest posterior, given ratings of variance `scale`."""
    from scipy import optimize  # takes longer to import than learning one rating takes

    objective = NegLogPosterior.of(examples, scale)
    found = optimize.minimize(
        objective.value_and_gradient,
        objective.prior.mean,
        jac=True,
        method="L-BFGS-B",
        bounds=objective.prior.bounds(),
        options={"maxiter": MAX_ITERATIONS},
    )
    return from_logarithms(found.x, scale)


@dataclass(frozen=True, slots=True)
class NegLogPosterior:
    """The negative log posterior of the settings, for given ratings.

    `squared` has the squared distances in each segment, `[s, n, n]`; `fixed` the kernels without a
    length scale as rows, `[s + len(TRAITS) + 1, n x n]`: linear, traits, year. `residuals`, `[n]`,
    are the ratings minus their mean, scaled to variance 1.
    """

    squared: NDArray[np.float64]
    fixed: NDArray[np.float64]
    residuals: Floats64
    prior: Prior

    @classmethod
    def of(cls, examples: Examples, scale: float) -> Self:
        """Compute the kernels of `examples`."""
        inputs, sounds = examples.inputs, examples.inputs.sounds()
        squared = np.stack([squared_distances(one, one).astype(np.float64) for one in sounds])
        squared[:, np.arange(len(inputs)), np.arange(len(inputs))] = 0.0
        unit = from_logarithms(np.zeros_like(Prior.of(len(sounds)).mean), 1.0)
        # Converted one by one, as they share memory.
        components = CrossCovariance.of(inputs, unit).components(inputs)
        kernels = [component.astype(np.float64) for component in components]
        for kernel in kernels[SOUND_KERNELS * len(sounds) :]:
            np.fill_diagonal(kernel, 1.0)  # also where artist or year is unknown
        fixed = kernels[: SOUND_KERNELS * len(sounds) : SOUND_KERNELS]
        fixed += kernels[SOUND_KERNELS * len(sounds) :]
        residuals = (examples.ratings - examples.ratings.mean()) / np.sqrt(scale)
        return cls(squared, np.reshape(fixed, (len(fixed), -1)), residuals, Prior.of(len(sounds)))

    def value_and_gradient(self, logarithms: Floats64) -> tuple[float, Floats64]:
        """Return the objective and its gradient at `logarithms`."""
        params = from_logarithms(logarithms, 1.0)
        segments = len(self.squared)
        fixed_variances = np.concatenate([params.sound_variances[:, 0], params.other_variances])
        precisions = 1 / params.length_scales**2
        rbf = np.exp(self.squared * (-0.5 * precisions)[:, None, None])
        rbf *= params.sound_variances[:, 1, None, None]
        covariance = (fixed_variances @ self.fixed).reshape(rbf.shape[1:])
        covariance += rbf.sum(axis=0)
        np.einsum("ii->i", covariance)[:] += params.noise
        factor = linalg.cholesky(covariance, lower=True, overwrite_a=True, check_finite=False)
        alpha = linalg.cho_solve((factor, True), self.residuals, check_finite=False)
        value = 0.5 * self.residuals @ alpha + np.log(np.diag(factor)).sum()

        # Rasmussen and Williams, eq. 5.9: half the trace of (inverse - alpha alpha') times the
        # derivative of the covariance.
        trace_factor = 0.5 * (_inverse(factor) - np.outer(alpha, alpha))
        rbf *= trace_factor
        fixed = fixed_variances * (self.fixed @ trace_factor.reshape(-1))
        gradient = np.concatenate(
            [
                np.stack([fixed[:segments], rbf.sum(axis=(1, 2))], axis=1).reshape(-1),
                fixed[segments:],
                [params.noise * np.trace(trace_factor)],
                np.einsum("sij,sij->s", rbf, self.squared) * precisions,
            ]
        )
        z_scores = (logarithms - self.prior.mean) / self.prior.stddev
        return float(value + 0.5 * z_scores @ z_scores), gradient + z_scores / self.prior.stddev


def _inverse(factor: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the inverse of the matrix whose lower Cholesky factor is given."""
    inverse, _ = linalg.lapack.dpotri(factor, lower=True)
    lower = np.tril(inverse)
    symmetric: NDArray[np.float64] = lower + np.tril(lower, -1).T
    return symmetric
