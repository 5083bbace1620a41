"""What held-out ratings say about the current evaluator."""

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
from anagnorisisd.taste.models.features import Examples
from anagnorisisd.taste.models.model import Predictions

SIZES = (10, 20, 35, 50, 75, 100, 150, 200, 300, 500, 800, 1200)
FEWEST_HELD_OUT = 10
MOST_SEEN = 0.8
"""Errors on the few tracks that would be left beyond this share are too rough to show."""
REDRAWS = 4
LEVELS = np.linspace(0.05, 0.95, 19)


@dataclass(frozen=True, slots=True)
class HeldOutEvaluation:
    """Ratings given and predicted for tracks held out, `[m]` each, and how learning went.

    Each of the `tracks` is held out once in each repeat; the first `tracks` are the first repeat.
    `curve` gives each model's held-out error, in points, by the number of ratings.
    """

    given: Floats64
    predicted: Floats64
    stddev: Floats64
    tracks: int
    curve: Mapping[str, Sequence[tuple[int, float]]]


def review(model: bytes, training: TrainingSet) -> HeldOutEvaluation | None:
    """Return the review, or `None` while there are too few ratings for one."""
    examples = worker_tasks.examples(training)
    if len(examples) < 2 * FEWEST_HELD_OUT:
        return None
    saved = serialization.load(model)
    seed = len(examples)
    opinion = cross_validation.cross_val_predict(
        model_selection.model_of_kind(saved.kind), examples, seed, settings=saved.settings
    )
    return HeldOutEvaluation(
        given=cross_validation.held_out_ratings(examples, seed),
        predicted=opinion.mean,
        stddev=opinion.stddev,
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
    most = min(len(examples) - FEWEST_HELD_OUT, round(MOST_SEEN * len(examples)))
    sizes = [size for size in SIZES if size <= most]
    rivals = (
        model_selection.DEFAULT,
        model_selection.model_of_kind("neighbours"),
        model_selection.BASELINE,
    )
    curve: dict[str, list[tuple[int, float]]] = {rival.kind: [] for rival in rivals}
    for size in sizes:
        errors: dict[str, list[float]] = {rival.kind: [] for rival in rivals}
        for redraw in range(REDRAWS):
            rng = np.random.default_rng([size, redraw])
            order = rng.permutation(len(examples))
            seen, held = examples.take(order[:size]), examples.take(order[size:])
            for rival in rivals:
                fitted = rival.fit(rival.search(seen, rng), seen)
                opinion: Predictions = fitted.predict(held.inputs)
                errors[rival.kind].append(
                    cross_validation.mean_absolute_error(opinion, held.ratings)
                )
        for kind, each in errors.items():
            curve[kind].append((size, float(np.mean(each))))
    return curve
