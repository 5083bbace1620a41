"""Baselines: the mean rating, and the mean rating of the nearest neighbours."""

import math
from dataclasses import dataclass

import numpy as np

from anagnorisisd.domain.evaluator import Floats64
from anagnorisisd.taste.models import kernels
from anagnorisisd.taste.models.inputs import Examples, Inputs
from anagnorisisd.taste.models.kernels import Matrix
from anagnorisisd.taste.models.model import (
    Predictions,
    Settings,
    predictions,
    regularized_variance,
    zero_contributions,
)

NEIGHBOUR_COUNTS = (3, 5, 8, 12, 20, 35)
"""The numbers of neighbours that the search compares."""


@dataclass(frozen=True, slots=True)
class FittedMean:
    """The mean and the standard deviation of the ratings."""

    mean: float
    count: int
    stddev: float

    def predict(self, inputs: Inputs) -> Predictions:
        """Return the mean for every track."""
        return predictions(np.full(len(inputs), self.mean), self.stddev)

    def contributions(self, track: Inputs) -> Matrix:
        """Return zeros: the prediction does not depend on the track."""
        return zero_contributions(self.count)

    def weights(self) -> Settings:
        """Return nothing: fitting again is fast."""
        return {}


@dataclass(frozen=True, slots=True)
class Mean:
    """Predicts the mean rating for every track."""

    kind: str = "mean"

    def search(self, examples: Examples, rng: np.random.Generator) -> Settings:
        """Return nothing: there are no hyperparameters."""
        return {}

    def fit(self, settings: Settings, examples: Examples) -> FittedMean:
        """Compute the mean."""
        return FittedMean(
            float(examples.ratings.mean()),
            len(examples),
            math.sqrt(regularized_variance(examples.ratings)),
        )

    def restore(self, settings: Settings, examples: Examples, weights: Settings) -> FittedMean:
        """Compute the mean again."""
        return self.fit(settings, examples)


@dataclass(frozen=True, slots=True)
class FittedKNN:
    """The examples, and the standard deviation of their leave-one-out residuals."""

    examples: Examples
    count: int
    stddev: float

    def predict(self, inputs: Inputs) -> Predictions:
        """Return the mean rating of each track's nearest examples."""
        squared = kernels.squared_distances(inputs.sound, self.examples.inputs.sound)
        return predictions(
            _mean_of_nearest(squared, self.examples.ratings, self.count), self.stddev
        )

    def contributions(self, track: Inputs) -> Matrix:
        """Return each neighbour's share of the difference between prediction and mean rating."""
        squared = kernels.squared_distances(track.sound, self.examples.inputs.sound)[0]
        nearest = np.argsort(squared, kind="stable")[: self.count]
        ratings = self.examples.ratings
        contributions = zero_contributions(len(ratings))
        contributions[0, nearest] = (ratings[nearest] - ratings.mean()) / len(nearest)
        return contributions

    def weights(self) -> Settings:
        """Return nothing: fitting again is fast."""
        return {}


@dataclass(frozen=True, slots=True)
class KNN:
    """Predicts the mean rating of the `count` nearest examples by embedding."""

    kind: str = "neighbours"

    def search(self, examples: Examples, rng: np.random.Generator) -> Settings:
        """Return the number of neighbours with the least leave-one-out error."""
        squared = _distances_to_others(examples)
        allowed = [count for count in NEIGHBOUR_COUNTS if count < len(examples)] or [1]
        errors = [_residuals(squared, examples.ratings, count) for count in allowed]
        best = min(range(len(allowed)), key=lambda choice: float(np.abs(errors[choice]).mean()))
        return {"count": np.array(allowed[best])}

    def fit(self, settings: Settings, examples: Examples) -> FittedKNN:
        """Store the examples."""
        count = int(settings["count"])
        if len(examples) <= count:
            return FittedKNN(examples, count, math.sqrt(regularized_variance(examples.ratings)))
        residuals = _residuals(_distances_to_others(examples), examples.ratings, count)
        return FittedKNN(examples, count, math.sqrt(regularized_variance(residuals)))

    def restore(self, settings: Settings, examples: Examples, weights: Settings) -> FittedKNN:
        """Store the examples."""
        return self.fit(settings, examples)


def _distances_to_others(examples: Examples) -> Matrix:
    squared = kernels.squared_distances(examples.inputs.sound, examples.inputs.sound)
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
