"""Evaluate the current evaluator's model on held-out ratings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from anagnorisisd.domain.evaluator import Floats64, TrainingSet
from anagnorisisd.taste.models import (
    cross_validation,
    model_selection,
    serialization,
    worker_tasks,
)
from anagnorisisd.taste.models.inputs import Examples
from anagnorisisd.taste.models.model import Predictions

SIZES = (10, 20, 35, 50, 75, 100, 150, 200, 300, 500, 800, 1200)
MIN_HELD_OUT = 10
MAX_TRAINING_SHARE = 0.8
"""Maximum share of the ratings to train on in the learning curve.

Beyond it too few tracks are held out for a stable error.
"""
REDRAWS = 4
LEVELS = np.linspace(0.05, 0.95, 19)


@dataclass(frozen=True, slots=True)
class HeldOutEvaluation:
    """Given and predicted ratings of held-out tracks, `[m]` each, and the learning curve.

    Cross-validation is repeated; in each repeat, each of the `tracks` is held out once, and the
    first `tracks` values are the first repeat. `curve` has, for each kind of model, pairs of the
    number of ratings and the mean absolute error.
    """

    given: Floats64
    predicted: Floats64
    stddev: Floats64
    tracks: int
    curve: Mapping[str, Sequence[tuple[int, float]]]


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
        curve=_curve(examples),
    )


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
