"""Repeated K-fold cross-validation, its metrics, and the standard error of a difference.

Every rating is held out once in each repeat. The splits depend only on the number of examples and
the seed, so that models that are compared with the same seed are compared on the same splits.
"""

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from anagnorisisd.domain.evaluator import Floats64, Metrics
from anagnorisisd.taste.models.inputs import Examples
from anagnorisisd.taste.models.model import Model, Predictions, Settings

FOLDS = 5
REPEATS = 3
MAX_HELD_OUT = 1000
"""The number of repeats falls so that no more examples are held out in all."""

Rows = NDArray[np.intp]


def splits(count: int, seed: int) -> Iterator[tuple[Rows, Rows]]:
    """Yield the rows to train on and the rows held out, for each fold of each repeat."""
    rng = np.random.default_rng(seed)
    for _ in range(repeats(count)):
        order = rng.permutation(count)
        for held in np.array_split(order, min(FOLDS, count)):
            yield np.setdiff1d(order, held), np.sort(held)


def fold_sizes(count: int) -> list[int]:
    """Return the number of examples that each fold holds out, in the order of `splits`."""
    return [len(held) for _, held in splits(count, 0)]  # sizes do not depend on the seed


def repeats(count: int) -> int:
    """Return the number of repeats for `count` examples: the fewer examples, the more repeats."""
    return max(1, min(REPEATS, MAX_HELD_OUT // max(1, count)))


def cross_val_predict(
    model: Model, examples: Examples, seed: int, settings: Settings | None = None
) -> Predictions:
    """Return the prediction of each held-out example, `[repeats x n]`, in split order.

    Without `settings`, hyperparameters are searched in each fold on its training examples. Plays
    of a held-out track are not used.
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


def metrics(
    predicted: Predictions, ratings: Floats64, baseline_error: float, errors: Mapping[str, float]
) -> Metrics:
    """Return the metrics of `predicted` on the held-out `ratings`, `[n]`.

    `baseline_error` is the error of predicting the mean rating; `errors` has that of every model.
    """
    absolute_errors = np.abs(predicted.mean - ratings)
    return Metrics(
        mean_absolute_error=mean_absolute_error(predicted, ratings),
        baseline_error=baseline_error,
        rank_correlation=rank_correlation(predicted.mean, ratings),
        within_one_stddev=float(np.mean(absolute_errors <= predicted.stddev)),
        within_two_stddev=float(np.mean(absolute_errors <= 2 * predicted.stddev)),
        model_errors=dict(errors),
    )


def mean_absolute_error(predicted: Predictions, ratings: Floats64) -> float:
    """Return the mean absolute error, in rating points."""
    return float(np.mean(np.abs(predicted.mean - ratings)))


def rank_correlation(left: Floats64, right: Floats64) -> float:
    """Return Spearman's rank correlation; 0 if one side is constant."""
    ranks = [_ranks(side) for side in (left, right)]
    spreads = [float(side.std()) for side in ranks]
    if not all(spreads):
        return 0.0
    centred = [side - side.mean() for side in ranks]
    return float(np.mean(centred[0] * centred[1]) / (spreads[0] * spreads[1]))


def _ranks(values: Floats64) -> Floats64:
    """Return ranks from 1; ties get their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Floats64 = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return ranks


def corrected_standard_error(differences: Floats64, fold_sizes: Sequence[int], count: int) -> float:
    """Return the corrected standard error of the mean of `differences`, `[repeats x n]`.

    They are in the order of `splits`. `fold_sizes` are the numbers of ratings held out in each fold
    of each repeat, 2 folds or more; `count` is the number of ratings.

    Repeats hold out the same ratings and folds share training data, so errors are not independent,
    and the usual standard error is too small. Nadeau and Bengio's corrected resampled variance is
    that of the means of the `J` folds, times `1 / J + n_held / n_train` instead of `1 / J`
    (Inference for the generalization error, Machine Learning 52, 2003; for repeated K-fold
    cross-validation R. Bouckaert and E. Frank, PAKDD 2004).
    """
    starts = np.cumsum([0, *fold_sizes[:-1]])
    means = np.add.reduceat(differences, starts) / np.asarray(fold_sizes)
    ratio = float(np.mean([size / (count - size) for size in fold_sizes]))
    return math.sqrt((1 / len(fold_sizes) + ratio) * float(np.var(means, ddof=1)))
