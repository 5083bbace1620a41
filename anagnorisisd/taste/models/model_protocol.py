"""Model protocol: what every evaluator model implements."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from anagnorisisd.domain.evaluator import Floats64
from anagnorisisd.taste.models.features import Examples, Inputs
from anagnorisisd.taste.models.kernels import PARTS, Matrix
from anagnorisisd.taste.models.prediction import Predictions

Settings = Mapping[str, NDArray[Any]]
"""What a search found, as named arrays; kept with the model, so that it can be fitted again."""


class FittedModel(Protocol):
    """A model fitted to examples."""

    def predict(self, inputs: Inputs) -> Predictions:
        """Return the predicted ratings; every number is finite."""
        ...

    def contributions(self, track: Inputs) -> Matrix:
        """Return the contribution of each example to the prediction of one track, `[parts, n]`.

        In rating points, in the order of `kernels.PARTS`; all 0 where the model cannot tell.
        """
        ...

    def weights(self) -> Settings:
        """Return what `restore` needs beside settings and examples."""
        ...


class Model(Protocol):
    """A model that can be fitted to ratings. Needs at least one example."""

    @property
    def kind(self) -> str:
        """Its name in metrics and versions."""
        ...

    def search(self, examples: Examples, rng: np.random.Generator) -> Settings:
        """Return the settings that suit `examples` best."""
        ...

    def fit(self, settings: Settings, examples: Examples) -> FittedModel:
        """Learn from `examples` with settings found before."""
        ...

    def restore(self, settings: Settings, examples: Examples, weights: Settings) -> FittedModel:
        """Return what `fit` returned when these were saved."""
        ...


def zero_contributions(count: int) -> Matrix:
    """Return zero contributions of `count` examples."""
    return np.zeros((len(PARTS), count))


PRIOR_RATING_STDDEV = 2.0
PRIOR_RATING_COUNT = 2.0


def regularized_variance(ratings: Floats64) -> float:
    """Return the variance of ratings, in points squared, shrunk towards a prior.

    A few equal ratings do not prove that a listener rates everything alike: the prior counts as
    two more ratings with a deviation of two points.
    """
    squares = float(np.sum((ratings - ratings.mean()) ** 2))
    prior = PRIOR_RATING_COUNT * PRIOR_RATING_STDDEV**2
    return (squares + prior) / (len(ratings) + PRIOR_RATING_COUNT)
