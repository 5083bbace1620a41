"""What every candidate of the competition can do."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from anagnorisisd.domain.evaluation import Floats64
from anagnorisisd.taste.models.features import Examples, Inputs
from anagnorisisd.taste.models.kernels import PARTS, Matrix
from anagnorisisd.taste.models.prediction import Predictions

Settings = Mapping[str, NDArray[Any]]
"""What a search found, as named arrays; kept with the model, so that it can be fitted again."""


class FittedModel(Protocol):
    """A candidate that has learnt from examples."""

    def predict(self, inputs: Inputs) -> Predictions:
        """Return the predicted ratings; every number is finite."""
        ...

    def pulls(self, track: Inputs) -> Matrix:
        """Return by how much each example moved the prediction of one track, `[parts, n]`.

        In rating points, in the order of `kernels.PARTS`; all 0 where the candidate cannot say.
        """
        ...

    def weights(self) -> Settings:
        """Return what `restore` needs beside settings and examples."""
        ...


class Model(Protocol):
    """A way to learn from ratings. Needs at least one example."""

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


def no_pulls(count: int) -> Matrix:
    """Return the pulls of `count` examples that had no say."""
    return np.zeros((len(PARTS), count))


SUPPOSED_STDDEV = 2.0
SUPPOSED_COUNT = 2.0


def spread(ratings: Floats64) -> float:
    """Return the variance of ratings, in points squared, held up by a supposition.

    A few equal ratings do not prove that a listener rates everything alike: two more ratings
    with a deviation of two points are supposed.
    """
    squares = float(np.sum((ratings - ratings.mean()) ** 2))
    supposed = SUPPOSED_COUNT * SUPPOSED_STDDEV**2
    return (squares + supposed) / (len(ratings) + SUPPOSED_COUNT)
