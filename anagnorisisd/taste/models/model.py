"""The interface of a model that predicts ratings, and what all models share."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from anagnorisisd.domain.evaluator import Floats64
from anagnorisisd.domain.rating import HIGHEST, LOWEST
from anagnorisisd.taste.models.inputs import Examples, Inputs
from anagnorisisd.taste.models.kernels import PARTS, Matrix

Settings = Mapping[str, NDArray[Any]]
"""Hyperparameters or fitted parameters, as named arrays that are stored with the model."""

PRIOR_RATING_STDDEV = 2.0
PRIOR_RATING_COUNT = 2.0


@dataclass(frozen=True, slots=True)
class Predictions:
    """Predicted ratings of `n` tracks: means within 0 to 10 and standard deviations, `[n]`."""

    mean: Floats64
    stddev: Floats64


class FittedModel(Protocol):
    """A model fitted to examples."""

    def predict(self, inputs: Inputs) -> Predictions:
        """Return the predicted ratings, all of them finite."""
        ...

    def contributions(self, track: Inputs) -> Matrix:
        """Return the contribution of each example to the prediction of one track, `[parts, n]`.

        In rating points, in the order of `kernels.PARTS`; all 0 if the model has no explanation.
        """
        ...

    def weights(self) -> Settings:
        """Return the fitted parameters that `restore` needs, beside settings and examples."""
        ...


class Model(Protocol):
    """A model that can be fitted to one or more examples."""

    @property
    def kind(self) -> str:
        """The name of the model in metrics, versions and stored models."""
        ...

    def search(self, examples: Examples, rng: np.random.Generator) -> Settings:
        """Return the hyperparameters that fit `examples` best."""
        ...

    def fit(self, settings: Settings, examples: Examples) -> FittedModel:
        """Fit `examples` with hyperparameters from `search`."""
        ...

    def restore(self, settings: Settings, examples: Examples, weights: Settings) -> FittedModel:
        """Return the fitted model whose settings, examples and weights were stored."""
        ...


def zero_contributions(count: int) -> Matrix:
    """Return contributions of 0 for `count` examples, `[parts, count]`."""
    return np.zeros((len(PARTS), count))


def predictions(mean: Floats64, stddev: Floats64 | float) -> Predictions:
    """Return predictions whose means are clipped to the range of ratings."""
    clipped = np.clip(mean, LOWEST, HIGHEST).astype(np.float64)
    return Predictions(clipped, np.broadcast_to(stddev, clipped.shape).astype(np.float64))


def regularized_variance(ratings: Floats64) -> float:
    """Return the variance of ratings, in points squared, shrunk towards a prior.

    A few equal ratings do not prove that a listener rates everything alike: the prior counts as
    two more ratings with a deviation of two points.
    """
    squares = float(np.sum((ratings - ratings.mean()) ** 2))
    prior = PRIOR_RATING_COUNT * PRIOR_RATING_STDDEV**2
    return (squares + prior) / (len(ratings) + PRIOR_RATING_COUNT)
