"""Model selection by cross-validation; the selected model is fitted on all ratings.

With a few dozen ratings the variance of the splits exceeds the differences between models. The
default is the Gaussian process, the best for every simulated listener (`bench/taste.py`). A
challenger replaces it only if its error is lower by more than the standard error of the
difference (`corrected_standard_error`). If neither beats the mean rating, the mean is used.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from anagnorisisd.domain.evaluator import Floats64, Metrics
from anagnorisisd.errors import PreconditionFailed
from anagnorisisd.taste.models import cross_validation
from anagnorisisd.taste.models.baselines import KNN, Mean
from anagnorisisd.taste.models.gaussian_process import GaussianProcess, GaussianProcessWithPlays
from anagnorisisd.taste.models.implicit_feedback import pseudo_ratings
from anagnorisisd.taste.models.inputs import Examples
from anagnorisisd.taste.models.mlp import MLP
from anagnorisisd.taste.models.model import FittedModel, Model, Predictions, Settings

BASELINE, DEFAULT, WITH_PLAYS = Mean(), GaussianProcess(), GaussianProcessWithPlays()
CHALLENGERS: tuple[Model, ...] = (KNN(), MLP(), WITH_PLAYS)
MODELS: tuple[Model, ...] = (BASELINE, DEFAULT, *CHALLENGERS)

MIN_RATINGS = 2
"""With fewer ratings nothing can be held out."""
MIN_MLP_RATINGS = 30
"""With fewer, the tenth on which it chooses its epoch is hardly more than a single rating."""


@dataclass(frozen=True, slots=True)
class SelectedModel:
    """The selected model, fitted on all examples, with the metrics of all models."""

    model: Model
    settings: Settings
    fitted: FittedModel
    metrics: Metrics
    notes: Mapping[str, str]


def model_of_kind(kind: str) -> Model:
    """Return the model of that kind."""
    return next(model for model in MODELS if model.kind == kind)


def eligible_models(examples: Examples) -> tuple[Model, ...]:
    """Return the models for which `examples` suffice.

    Raises:
        PreconditionFailed: there are too few examples to hold any out.
    """
    _require(examples)
    excluded: set[type] = set()
    if len(examples) < MIN_MLP_RATINGS:
        excluded.add(MLP)
    if pseudo_ratings(examples) is None:
        excluded.add(GaussianProcessWithPlays)
    return tuple(each for each in MODELS if type(each) not in excluded)


def train(examples: Examples, seed: int) -> SelectedModel:
    """Cross-validate all models on the same splits, and fit the selected one.

    Raises:
        PreconditionFailed: there are too few examples to hold any out.
    """
    models = eligible_models(examples)
    predictions = {
        each.kind: cross_validation.cross_val_predict(each, examples, seed) for each in models
    }
    return select_model(examples, seed, predictions)


def select_model(
    examples: Examples, seed: int, predictions: Mapping[str, Predictions]
) -> SelectedModel:
    """Return the selected model, given the predictions of each kind held out with `seed`."""
    ratings = cross_validation.held_out_ratings(examples, seed)
    errors = {
        kind: cross_validation.mean_absolute_error(predicted, ratings)
        for kind, predicted in predictions.items()
    }
    absolute_errors = {
        kind: np.abs(predicted.mean - ratings) for kind, predicted in predictions.items()
    }
    best = model_of_kind(best_kind(absolute_errors, len(examples)))
    settings = best.search(examples, np.random.default_rng([seed, 2]))
    return SelectedModel(
        model=best,
        settings=settings,
        fitted=best.fit(settings, examples),
        metrics=cross_validation.metrics(predictions[best.kind], ratings, errors["mean"], errors),
        notes={"implicit_feedback": _plays_note(errors, best)},
    )


def best_kind(absolute_errors: Mapping[str, Floats64], count: int) -> str:
    """Return the selected kind, given the absolute errors of each on `count` held-out ratings.

    They are `[repeats x count]`, in the order of `cross_validation.splits`.
    """
    best, fold_sizes = DEFAULT.kind, cross_validation.fold_sizes(count)
    for kind in (
        challenger.kind for challenger in CHALLENGERS if challenger.kind in absolute_errors
    ):
        gain = absolute_errors[best] - absolute_errors[kind]
        if gain.mean() > cross_validation.corrected_standard_error(gain, fold_sizes, count):
            best = kind
    return (
        best
        if absolute_errors[best].mean() <= absolute_errors[BASELINE.kind].mean()
        else BASELINE.kind
    )


def evaluate(kind: str, settings: Settings, examples: Examples, seed: int) -> Metrics:
    """Return the metrics of a model with given settings on the splits of `seed`.

    Raises:
        PreconditionFailed: there are too few examples to hold any out.
    """
    _require(examples)
    ratings = cross_validation.held_out_ratings(examples, seed)
    mean = cross_validation.cross_val_predict(BASELINE, examples, seed)
    predicted: Predictions = cross_validation.cross_val_predict(
        model_of_kind(kind), examples, seed, settings
    )
    errors = {
        "mean": cross_validation.mean_absolute_error(mean, ratings),
        kind: cross_validation.mean_absolute_error(predicted, ratings),
    }
    return cross_validation.metrics(predicted, ratings, errors["mean"], errors)


def _plays_note(errors: Mapping[str, float], best: Model) -> str:
    """Say whether plays and skips help to predict ratings."""
    without, with_plays = errors[DEFAULT.kind], errors.get(WITH_PLAYS.kind)
    if with_plays is None:
        return "not used: no correlation with ratings, or too few plays"
    decision = "used" if best is WITH_PLAYS else "not used: no clear gain"
    return f"{decision}; held-out error {with_plays:.3f} with, {without:.3f} points without"


def _require(examples: Examples) -> None:
    if len(examples) < MIN_RATINGS:
        raise PreconditionFailed(
            f"{MIN_RATINGS} rated and embedded tracks are needed to train, found {len(examples)}"
        )
