"""Which settings of the Gaussian process make the ratings most likely.

The marginal likelihood weighs fit against flexibility by itself (Rasmussen and Williams,
Gaussian Processes for Machine Learning, 5.4). Weak priors hold it while there are few ratings.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from anagnorisisd.domain.evaluation import Floats64
from anagnorisisd.taste.models import kernels
from anagnorisisd.taste.models.features import Examples
from anagnorisisd.taste.models.kernels import PARTS
from anagnorisisd.taste.models.model_protocol import Settings

STEPS = 25
FARTHEST = 4.0
"""The search stays within this many standard deviations of the priors."""

# Natural logarithms of the variance of each part (sound, direction, artist, album, folder, shelf,
# genre, year) and of the noise, as shares of the ratings' variance; last, the reach of the sound.
PRIOR_MEAN = np.log([0.25, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05, 0.03, 0.5, 1.0])
PRIOR_STDDEV = np.array([*np.ones(len(PARTS)), 0.7, 0.5])


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """Settings of the process.

    `variances`, one for each part, and `noise` are in rating points squared; `reach` is the
    distance of standardised sounds at which likeness has fallen to 0.6.
    """

    variances: Floats64
    noise: float
    reach: float

    @classmethod
    def from_logarithms(cls, logarithms: Floats64, scale: float) -> Self:
        """Return the settings that `logarithms`, laid out as the priors are, stand for."""
        values = np.exp(logarithms)
        return cls(scale * values[: len(PARTS)], scale * float(values[-2]), float(values[-1]))

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Return what `as_settings` gave away."""
        return cls(settings["variances"], float(settings["noise"]), float(settings["reach"]))

    def as_settings(self) -> Settings:
        """Return the same as named arrays."""
        return {
            "variances": self.variances,
            "noise": np.array(self.noise),
            "reach": np.array(self.reach),
        }


def prior_hyperparameters(scale: float) -> Hyperparameters:
    """Return the settings to suppose before anything is known, for ratings of that variance."""
    return Hyperparameters.from_logarithms(PRIOR_MEAN, scale)


def maximum_a_posteriori(examples: Examples, scale: float) -> Hyperparameters:
    """Return the settings with the highest posterior, given ratings of variance `scale`."""
    from scipy import optimize  # takes longer to import than learning one rating takes

    surface = NegLogPosterior.over(examples, scale)
    found = optimize.minimize(
        surface.descend,
        PRIOR_MEAN,
        jac=True,
        method="L-BFGS-B",
        bounds=np.stack(
            [PRIOR_MEAN - FARTHEST * PRIOR_STDDEV, PRIOR_MEAN + FARTHEST * PRIOR_STDDEV], axis=1
        ),
        options={"maxiter": STEPS},
    )
    return Hyperparameters.from_logarithms(found.x, scale)


@dataclass(frozen=True, slots=True)
class NegLogPosterior:
    """The negative log posterior of the settings, for given ratings.

    `squared` is `[n, n]`; `fixed` holds the parts of likeness that no setting bends, all but the
    near sound, as rows, `[parts - 1, n x n]`. `residuals`, `[n]`, are ratings without their mean,
    in units in which their variance is 1.
    """

    squared: NDArray[np.float64]
    fixed: NDArray[np.float64]
    residuals: Floats64

    @classmethod
    def over(cls, examples: Examples, scale: float) -> Self:
        """Prepare the surface for some examples."""
        inputs = examples.inputs
        parts = [kernels.direction(inputs, inputs), *kernels.metadata(inputs, inputs)]
        for part in parts:
            np.fill_diagonal(part, 1.0)
        squared = kernels.squared_distances(inputs, inputs).astype(np.float64)
        np.fill_diagonal(squared, 0.0)
        residuals = (examples.ratings - examples.ratings.mean()) / np.sqrt(scale)
        return cls(squared, np.array(parts, np.float64).reshape(len(parts), -1), residuals)

    def descend(self, logarithms: Floats64) -> tuple[float, Floats64]:
        """Return the height at `logarithms` and its slope in each direction."""
        values = np.exp(logarithms)
        noise, reach = values[-2], values[-1]
        sound = values[0] * kernels.sound(self.squared, reach)
        covariance = (values[1:-2] @ self.fixed).reshape(sound.shape)
        covariance += sound
        np.einsum("ii->i", covariance)[:] += noise
        factor = linalg.cholesky(covariance, lower=True, overwrite_a=True, check_finite=False)
        pull = linalg.cho_solve((factor, True), self.residuals, check_finite=False)
        height = 0.5 * self.residuals @ pull + np.log(np.diag(factor)).sum()

        # The slope along a setting is half the sum of (inverse - pull pull') times the
        # covariance's derivative by it, element by element.
        tension = 0.5 * (_inverse(factor) - np.outer(pull, pull))
        sound *= tension
        slope = np.array(
            [
                sound.sum(),
                *(values[1:-2] * (self.fixed @ tension.reshape(-1))),
                noise * np.trace(tension),
                np.vdot(sound, self.squared) / reach**2,
            ]
        )
        strain = (logarithms - PRIOR_MEAN) / PRIOR_STDDEV
        return float(height + 0.5 * strain @ strain), slope + strain / PRIOR_STDDEV


def _inverse(factor: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the inverse of the matrix whose lower Cholesky factor is given."""
    inverse, _ = linalg.lapack.dpotri(factor, lower=True)
    lower = np.tril(inverse)
    whole: NDArray[np.float64] = lower + np.tril(lower, -1).T
    return whole
