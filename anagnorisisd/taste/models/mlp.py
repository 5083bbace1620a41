"""The original project's evaluator: a three-layer perceptron on the embedding alone.

Layers of 768, 256 and 11 units; the rating is the expectation of a softmax over the ratings 0
to 10; Adam on the squared error in batches of 64; the epoch is chosen on a tenth of the ratings
held out from it. It is kept as a baseline, in plain numpy: importing torch for it would cost the
worker more than everything else.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anagnorisisd.domain.evaluator import Floats64, Vectors
from anagnorisisd.taste.models.inputs import Examples, Inputs
from anagnorisisd.taste.models.kernels import Matrix
from anagnorisisd.taste.models.model import (
    Predictions,
    Settings,
    predictions,
    regularized_variance,
    zero_contributions,
)

UNITS = (768, 256, 11)
BATCH_SIZE = 64
BLOCK_SIZE = 16384
VALIDATION_SHARE = 0.1
LEARNING_RATE, BETA1, BETA2, EPSILON = 1e-3, 0.9, 0.999, 1e-8

Arrays = list[NDArray[Any]]


@dataclass
class Network:
    """Weights and biases in turn, as views into one vector."""

    values: Vectors
    arrays: Arrays

    @classmethod
    def of(cls, arrays: Arrays) -> "Network":
        """Return a network with the given weights and biases."""
        values = np.concatenate([array.reshape(-1) for array in arrays]).astype(np.float32)
        return cls(values, views(values, arrays))

    @classmethod
    def initialized(cls, dimension: int, rng: np.random.Generator) -> "Network":
        """Return a network with uniform weights within 1/sqrt(inputs), torch's default."""
        arrays: Arrays = []
        for inputs, outputs in zip((dimension, *UNITS[:-1]), UNITS, strict=True):
            bound = 1 / math.sqrt(inputs)
            arrays.append(rng.uniform(-bound, bound, (inputs, outputs)))
            arrays.append(rng.uniform(-bound, bound, outputs))
        return cls.of(arrays)

    def ratings(self, sound: Vectors) -> Floats64:
        """Return the predicted ratings, `[n]`."""
        mean: Floats64 = self._forward(sound)[-1].astype(np.float64)
        return mean

    def gradients(self, sound: Vectors, ratings: NDArray[np.float32], into: Arrays) -> None:
        """Write the gradient of the mean squared error by each array `into` arrays like them."""
        _, hidden, second, probabilities, ratings_predicted = layers = self._forward(sound)
        error = (2 / len(ratings)) * (ratings_predicted - ratings)
        by_scores = error[:, None] * probabilities * (_levels() - ratings_predicted[:, None])
        by_second = by_scores @ self.arrays[4].T * (second > 0)
        by_hidden = by_second @ self.arrays[2].T * (hidden > 0)
        for place, above in enumerate((by_hidden, by_second, by_scores)):
            np.matmul(layers[place].T, above, out=into[2 * place])
            np.sum(above, axis=0, out=into[2 * place + 1])

    def _forward(self, sound: Vectors) -> Arrays:
        """Return the input, both hidden layers, the probabilities, and the ratings."""
        w1, b1, w2, b2, w3, b3 = self.arrays
        hidden = np.maximum(sound @ w1 + b1, 0)
        second = np.maximum(hidden @ w2 + b2, 0)
        scores = second @ w3 + b3
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        probabilities = scores / scores.sum(axis=1, keepdims=True)
        return [sound, hidden, second, probabilities, probabilities @ _levels()]


class Adam:
    """The Adam optimizer (Kingma and Ba, 2015).

    Updates are done in place and in blocks that fit the CPU's cache: with a million parameters,
    memory access takes most of the time.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._first, self._second, self._gradient = (np.zeros_like(network.values) for _ in "123")
        self._gradients = views(self._gradient, network.arrays)
        self._steps = 0

    def step(self, sound: Vectors, ratings: Floats64) -> None:
        """Update the parameters by the gradient of the squared error of a batch."""
        self._network.gradients(sound, ratings.astype(np.float32), self._gradients)
        self._steps += 1
        for start in range(0, len(self._gradient), BLOCK_SIZE):
            self._step(slice(start, start + BLOCK_SIZE))

    def _step(self, block: slice) -> None:
        gradient, first, second = self._gradient[block], self._first[block], self._second[block]
        first *= BETA1
        first += (1 - BETA1) * gradient
        gradient *= gradient
        second *= BETA2
        second += (1 - BETA2) * gradient
        width = np.sqrt(second, out=gradient)
        width *= 1 / math.sqrt(1 - BETA2**self._steps)
        width += EPSILON
        step = np.divide(first, width, out=width)
        step *= LEARNING_RATE / (1 - BETA1**self._steps)
        self._network.values[block] -= step


def views(values: Vectors, arrays: Arrays) -> Arrays:
    """Return views into `values` in the shapes of `arrays`, one after the other."""
    ends = np.cumsum([array.size for array in arrays])
    return [
        values[end - array.size : end].reshape(array.shape)
        for end, array in zip(ends, arrays, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class FittedMLP:
    """The network of the chosen epoch, and its error on the validation set."""

    network: Network
    count: int
    stddev: float

    def predict(self, inputs: Inputs) -> Predictions:
        """Return the predictions of the network."""
        return predictions(self.network.ratings(_unit_variance(inputs)), self.stddev)

    def contributions(self, track: Inputs) -> Matrix:
        """Return zeros: the network has no explanation."""
        return zero_contributions(self.count)

    def weights(self) -> Settings:
        """Return the parameters, as training takes too long to be repeated."""
        arrays = {f"layer{place}": array for place, array in enumerate(self.network.arrays)}
        return {**arrays, "stddev": np.array(self.stddev)}


@dataclass(frozen=True, slots=True)
class MLP:
    """The perceptron; the only setting to search for is the seed of its first weights.

    Training ends after `max_epochs`, or when the held-out tenth has not gained for `patience`
    of them. The original went through 300 whatever happened, which never did better.
    """

    kind: str = "perceptron"
    max_epochs: int = 100
    patience: int = 15

    def search(self, examples: Examples, rng: np.random.Generator) -> Settings:
        """Return a seed: the epoch is chosen anew in each fit, as in the original."""
        return {"seed": rng.integers(2**32, size=1)}

    def fit(self, settings: Settings, examples: Examples) -> FittedMLP:
        """Train, and keep the epoch with the least error on the validation set, a tenth."""
        rng = np.random.default_rng(int(settings["seed"][0]))
        sound, ratings = _unit_variance(examples.inputs), examples.ratings
        order = rng.permutation(len(examples))
        held = max(1, round(VALIDATION_SHARE * len(examples)))
        test, train = order[:held], order[held:] if len(order) > held else order
        network = Network.initialized(sound.shape[1], rng)
        adam = Adam(network)
        best, best_error, stale_epochs = network.values.copy(), np.inf, 0
        for _ in range(self.max_epochs):
            _train_epoch(adam, sound[train], ratings[train])
            error = _relative_error(network.ratings(sound[test]), ratings[test])
            stale_epochs += 1
            if error < best_error:
                best, best_error, stale_epochs = network.values.copy(), error, 0
            if stale_epochs >= self.patience:
                break
        chosen = Network(best, views(best, network.arrays))
        residuals = chosen.ratings(sound[test]) - ratings[test]
        return FittedMLP(chosen, len(examples), math.sqrt(regularized_variance(residuals)))

    def restore(self, settings: Settings, examples: Examples, weights: Settings) -> FittedMLP:
        """Build the network from its parameters."""
        arrays = [weights[f"layer{place}"] for place in range(2 * len(UNITS))]
        return FittedMLP(Network.of(arrays), len(examples), float(weights["stddev"]))


def _train_epoch(adam: Adam, sound: Vectors, ratings: Floats64) -> None:
    for start in range(0, len(ratings), BATCH_SIZE):
        batch = slice(start, start + BATCH_SIZE)
        adam.step(sound[batch], ratings[batch])


def _relative_error(ratings_predicted: Floats64, ratings: Floats64) -> float:
    """Return the error that selects the epoch, as in the original: relative to rating plus 1."""
    return float(np.mean(np.abs(ratings_predicted - ratings) / (ratings + 1)))


def _unit_variance(inputs: Inputs) -> Vectors:
    """Scale each dimension to variance 1, as usual for the input of a network."""
    return inputs.sound * np.float32(math.sqrt(inputs.sound.shape[1] / len(inputs.segments)))


def _levels() -> NDArray[np.float32]:
    return np.arange(UNITS[-1], dtype=np.float32)
