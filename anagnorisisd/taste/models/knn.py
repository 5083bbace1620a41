"""Nearest neighbours: a track gets the mean rating of those that sound most like it."""

import math
from dataclasses import dataclass

import numpy as np

from anagnorisisd.domain.evaluator import Floats64
from anagnorisisd.taste.models import kernels
from anagnorisisd.taste.models.features import Examples, Inputs
from anagnorisisd.taste.models.kernels import Matrix
from anagnorisisd.taste.models.model_protocol import (
    Settings,
    regularized_variance,
    zero_contributions,
)
from anagnorisisd.taste.models.prediction import Predictions, predictions

NEIGHBOUR_COUNTS = (3, 5, 8, 12, 20, 35)
"""How many neighbours may be asked; the search tries each."""


@dataclass(frozen=True, slots=True)
class FittedKNN:
    """The examples, and how far they lie from what their neighbours say."""

    examples: Examples
    count: int
    stddev: float

    def predict(self, inputs: Inputs) -> Predictions:
        """Return the mean rating of each track's nearest examples."""
        squared = kernels.squared_distances(inputs, self.examples.inputs)
        return predictions(
            _mean_of_nearest(squared, self.examples.ratings, self.count), self.stddev
        )

    def contributions(self, track: Inputs) -> Matrix:
        """Return how far each of the nearest examples lies from the mean, shared among them."""
        squared = kernels.squared_distances(track, self.examples.inputs)[0]
        nearest = np.argsort(squared, kind="stable")[: self.count]
        ratings = self.examples.ratings
        contributions = zero_contributions(len(ratings))
        contributions[0, nearest] = (ratings[nearest] - ratings.mean()) / len(nearest)
        return contributions

    def weights(self) -> Settings:
        """Return nothing: the examples say it all."""
        return {}


@dataclass(frozen=True, slots=True)
class KNN:
    """Asks the `count` examples that sound most alike; each example leaves itself out."""

    kind: str = "neighbours"

    def search(self, examples: Examples, rng: np.random.Generator) -> Settings:
        """Return the number of neighbours with the least error on the examples themselves."""
        squared = _distances_to_others(examples)
        allowed = [count for count in NEIGHBOUR_COUNTS if count < len(examples)] or [1]
        errors = [_residuals(squared, examples.ratings, count) for count in allowed]
        best = min(range(len(allowed)), key=lambda choice: float(np.abs(errors[choice]).mean()))
        return {"count": np.array(allowed[best])}

    def fit(self, settings: Settings, examples: Examples) -> FittedKNN:
        """Keep the examples."""
        count = int(settings["count"])
        if len(examples) <= count:
            return FittedKNN(examples, count, math.sqrt(regularized_variance(examples.ratings)))
        residuals = _residuals(_distances_to_others(examples), examples.ratings, count)
        return FittedKNN(examples, count, math.sqrt(regularized_variance(residuals)))

    def restore(self, settings: Settings, examples: Examples, weights: Settings) -> FittedKNN:
        """Keep the examples again."""
        return self.fit(settings, examples)


def _distances_to_others(examples: Examples) -> Matrix:
    squared = kernels.squared_distances(examples.inputs, examples.inputs)
    np.fill_diagonal(squared, np.inf)
    return squared


def _residuals(squared: Matrix, ratings: Floats64, count: int) -> Floats64:
    return ratings - _mean_of_nearest(squared, ratings, count)


def _mean_of_nearest(squared: Matrix, ratings: Floats64, count: int) -> Floats64:
    if count >= len(ratings):
        return np.full(len(squared), float(ratings.mean()))
    nearest = np.argpartition(squared, count - 1, axis=1)[:, :count]
    mean: Floats64 = ratings[nearest].mean(axis=1)
    return mean
