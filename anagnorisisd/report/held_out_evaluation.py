"""Evaluate the current evaluator's model on held-out ratings."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from anagnorisisd.domain.evaluator import Floats64, TrainingSet
from anagnorisisd.report.data import LEVELS, MIN_HELD_OUT, HeldOutEvaluation
from anagnorisisd.taste.models import (
    cross_validation,
    model_selection,
    serialization,
    worker_tasks,
)
from anagnorisisd.taste.models.inputs import Examples
from anagnorisisd.taste.models.model import Predictions

SIZES = (10, 20, 35, 50, 75, 100, 150, 200, 300, 500, 800, 1200)
MAX_TRAINING_SHARE = 0.8
"""Maximum share of the ratings to train on in the learning curve.

Beyond it too few tracks are held out for a stable error.
"""
REDRAWS = 4


def review(model: bytes, training: TrainingSet) -> HeldOutEvaluation | None:
    """Return the evaluation, or `None` if there are too few ratings.

    `model` is the serialised model of an evaluator.
    """
    examples = worker_tasks.examples(training)
    if len(examples) < 2 * MIN_HELD_OUT:
        return None
    saved = serialization.load(model)
    seed = len(examples)
    predictions = cross_validation.cross_val_predict(
        model_selection.model_of_kind(saved.kind), examples, seed, settings=saved.settings
    )
    return HeldOutEvaluation(
        given=cross_validation.held_out_ratings(examples, seed),
        predicted=predictions.mean,
        stddev=predictions.stddev,
        tracks=len(examples),
        rows=_held_out_rows(len(examples), seed),
        curve=_curve(examples),
    )


def evaluate(model: bytes, training: TrainingSet) -> tuple[HeldOutEvaluation, Floats64] | None:
    """Return the evaluation and its coverage, or `None` if there are too few ratings."""
    seen = review(model, training)
    return None if seen is None else (seen, coverage(seen))


def _held_out_rows(count: int, seed: int) -> NDArray[np.int64]:
    """Return the rows of the examples in the order in which the first repeat holds them out."""
    rows = np.concatenate([held for _, held in cross_validation.splits(count, seed)])
    return rows[:count].astype(np.int64)


def coverage(seen: HeldOutEvaluation) -> Floats64:
    """Return the share of ratings inside the interval that should hold `LEVELS` of them."""
    from scipy.special import ndtri

    widths = ndtri(0.5 + LEVELS / 2)
    deviations = np.abs(seen.given - seen.predicted) / seen.stddev
    shares: Floats64 = (deviations[:, None] <= widths).mean(axis=0)
    return shares


def _curve(examples: Examples) -> Mapping[str, Sequence[tuple[int, float]]]:
    most = min(len(examples) - MIN_HELD_OUT, round(MAX_TRAINING_SHARE * len(examples)))
    sizes = [size for size in SIZES if size <= most]
    estimators = (
        model_selection.DEFAULT,
        model_selection.model_of_kind("neighbours"),
        model_selection.BASELINE,
    )
    curve: dict[str, list[tuple[int, float]]] = {estimator.kind: [] for estimator in estimators}
    for size in sizes:
        errors: dict[str, list[float]] = {estimator.kind: [] for estimator in estimators}
        for redraw in range(REDRAWS):
            rng = np.random.default_rng([size, redraw])
            order = rng.permutation(len(examples))
            seen, held = examples.take(order[:size]), examples.take(order[size:])
            for estimator in estimators:
                fitted = estimator.fit(estimator.search(seen, rng), seen)
                predictions: Predictions = fitted.predict(held.inputs)
                errors[estimator.kind].append(
                    cross_validation.mean_absolute_error(predictions, held.ratings)
                )
        for kind, each in errors.items():
            curve[kind].append((size, float(np.mean(each))))
    return curve
