"""The baseline: everything gets the mean rating."""

import math
from dataclasses import dataclass

import numpy as np

from anagnorisisd.taste.models.features import Examples, Inputs
from anagnorisisd.taste.models.kernels import Matrix
from anagnorisisd.taste.models.model_protocol import (
    Settings,
    regularized_variance,
    zero_contributions,
)
from anagnorisisd.taste.models.prediction import Predictions, predictions


@dataclass(frozen=True, slots=True)
class FittedMean:
    """The mean rating, and how far ratings lie from it."""

    mean: float
    count: int
    stddev: float

    def predict(self, inputs: Inputs) -> Predictions:
        """Return the mean for every track."""
        return predictions(np.full(len(inputs), self.mean), self.stddev)

    def contributions(self, track: Inputs) -> Matrix:
        """Return zeros: every track gets the same."""
        return zero_contributions(self.count)

    def weights(self) -> Settings:
        """Return nothing: the examples say it all."""
        return {}


@dataclass(frozen=True, slots=True)
class Mean:
    """Always answers the mean rating."""

    kind: str = "mean"

    def search(self, examples: Examples, rng: np.random.Generator) -> Settings:
        """Return nothing: there is nothing to set."""
        return {}

    def fit(self, settings: Settings, examples: Examples) -> FittedMean:
        """Take the mean."""
        return FittedMean(
            float(examples.ratings.mean()),
            len(examples),
            math.sqrt(regularized_variance(examples.ratings)),
        )

    def restore(self, settings: Settings, examples: Examples, weights: Settings) -> FittedMean:
        """Take the mean again."""
        return self.fit(settings, examples)
