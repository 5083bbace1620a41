"""Metrics of held-out predictions."""

from collections.abc import Mapping

import numpy as np

from anagnorisisd.domain.evaluator import Floats64, Metrics
from anagnorisisd.taste.models.prediction import Predictions


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
    """Return Spearman's coefficient; 0 where either side is all the same."""
    ranks = [_ranks(side) for side in (left, right)]
    spreads = [float(side.std()) for side in ranks]
    if not all(spreads):
        return 0.0
    centred = [side - side.mean() for side in ranks]
    return float(np.mean(centred[0] * centred[1]) / (spreads[0] * spreads[1]))


def _ranks(values: Floats64) -> Floats64:
    """Return ranks from 1; ties share the middle of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Floats64 = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return ranks
