"""Repeated K-fold cross-validation.

Every rating is held out once in each repeat. The splits
depend on the number of examples and the seed alone, so that whatever is compared with the same
seed is compared on the same splits.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from anagnorisisd.domain.evaluator import Floats64
from anagnorisisd.taste.models.features import Examples
from anagnorisisd.taste.models.model_protocol import Model, Settings
from anagnorisisd.taste.models.prediction import Predictions

FOLDS = 5
REPEATS = 3
MAX_HELD_OUT = 1000
"""Fewer repeats once this many examples are held out anyway."""

Rows = NDArray[np.intp]


def splits(count: int, seed: int) -> Iterator[tuple[Rows, Rows]]:
    """Yield the rows to train on and the rows held out, for each fold of each repeat."""
    rng = np.random.default_rng(seed)
    for _ in range(repeats(count)):
        order = rng.permutation(count)
        for held in np.array_split(order, min(FOLDS, count)):
            yield np.setdiff1d(order, held), np.sort(held)


def fold_sizes(count: int) -> list[int]:
    """Return how many examples each fold of each repeat holds out, in the order of `splits`."""
    return [len(held) for _, held in splits(count, 0)]  # sizes do not depend on the seed


def repeats(count: int) -> int:
    """Return how many times `count` examples are split: more often the fewer they are."""
    return max(1, min(REPEATS, MAX_HELD_OUT // max(1, count)))


def cross_val_predict(
    model: Model, examples: Examples, seed: int, settings: Settings | None = None
) -> Predictions:
    """Return the prediction of each held-out example, `[repeats x n]`, in split order.

    Without `settings` each fold searches its own on its training examples. A held-out track
    counts as never played.
    """
    rng = np.random.default_rng([seed, 1])
    predictions = []
    for train, held in splits(len(examples), seed):
        training = examples.take(train)
        fold_settings = model.search(training, rng) if settings is None else settings
        predictions.append(model.fit(fold_settings, training).predict(examples.inputs.take(held)))
    return Predictions(
        np.concatenate([each.mean for each in predictions]),
        np.concatenate([each.stddev for each in predictions]),
    )


def held_out_ratings(examples: Examples, seed: int) -> Floats64:
    """Return the ratings of `cross_val_predict`, in the same order."""
    return np.concatenate([examples.ratings[held] for _, held in splits(len(examples), seed)])
