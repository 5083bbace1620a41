"""Tasks of the evaluator in a worker process: functions of plain values and bytes."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from anagnorisisd.domain.evaluator import (
    FeatureStats,
    Floats64,
    ImplicitFeedback,
    Metrics,
    TrackFeatures,
    TrainedModel,
    TrainingSet,
)
from anagnorisisd.taste.models import (
    cross_validation,
    hyperparameters,
    model_selection,
    serialization,
)
from anagnorisisd.taste.models.gaussian_process import FittedGaussianProcess, GaussianProcess
from anagnorisisd.taste.models.implicit_feedback import liking
from anagnorisisd.taste.models.inputs import Examples, ImplicitExamples, prepare
from anagnorisisd.taste.models.kernels import PARTS, Matrix, covariance_matrix
from anagnorisisd.taste.models.model import (
    PRIOR_RATING_STDDEV,
    FittedModel,
    Predictions,
    Settings,
    regularized_variance,
)
from anagnorisisd.taste.models.serialization import SavedModel


def warm_up() -> None:
    """Import this module, which takes most of the time of the first task."""


def eligible_kinds(training: TrainingSet) -> list[str]:
    """Return the names of the models for which `training` suffices.

    Raises:
        PreconditionFailed: there are too few ratings to hold any out.
    """
    return [each.kind for each in model_selection.eligible_models(examples(training))]


def cross_validate(kind: str, training: TrainingSet, seed: int) -> tuple[Floats64, Floats64]:
    """Return the cross-validated predictions of one model: means and standard deviations."""
    predicted = cross_validation.cross_val_predict(
        model_selection.model_of_kind(kind), examples(training), seed
    )
    return predicted.mean, predicted.stddev


def select_model(
    training: TrainingSet, seed: int, cross_validated: Mapping[str, Sequence[Floats64]]
) -> TrainedModel:
    """Return the best of the cross-validated models, fitted on all of `training`."""
    predictions = {
        kind: Predictions(mean, stddev) for kind, (mean, stddev) in cross_validated.items()
    }
    selected = model_selection.select_model(examples(training), seed, predictions)
    kind = selected.model.kind
    return TrainedModel(
        model=kind,
        blob=dump(kind, selected.settings, selected.fitted, training),
        metrics=selected.metrics,
        notes=selected.notes,
    )


def train(training: TrainingSet, seed: int) -> TrainedModel:
    """Cross-validate all models and return the best one, fitted on all of `training`.

    Raises:
        PreconditionFailed: there are too few ratings to hold any out.
    """
    cross_validated = {
        kind: cross_validate(kind, training, seed) for kind in eligible_kinds(training)
    }
    return select_model(training, seed, cross_validated)


def compare(old: bytes, training: TrainingSet, seed: int) -> Metrics:
    """Return the metrics of the model and hyperparameters of `old` on held-out ratings."""
    saved = serialization.load(old)
    return model_selection.evaluate(saved.kind, saved.settings, examples(training), seed)


def refit(model: bytes, training: TrainingSet) -> bytes:
    """Return `model` fitted to `training`, with the hyperparameters that it has."""
    saved = serialization.load(model)
    fitted = model_selection.model_of_kind(saved.kind).fit(saved.settings, examples(training))
    return dump(saved.kind, saved.settings, fitted, training)


def predict(model: bytes, tracks: TrackFeatures) -> tuple[Floats64, Floats64]:
    """Return means and standard deviations, `[n]` each, in rating points."""
    saved, fitted = _load_model(model)
    predicted = fitted.predict(prepare(tracks, saved.feature_stats))
    return predicted.mean, predicted.stddev


def influences(model: bytes, track: TrackFeatures, count: int) -> list[tuple[str, float]]:
    """Return the rated tracks that contribute most to one prediction, with their shares.

    Tracks unlike it also contribute, by the linear kernels, but explain little to a listener.
    """
    saved, fitted = _load_model(model)
    inputs = prepare(track, saved.feature_stats)
    contributions = np.abs(fitted.contributions(inputs).sum(axis=0))
    total = float(contributions.sum())
    if isinstance(fitted, FittedGaussianProcess):
        contributions[~fitted.alike(inputs)] = 0.0
    largest = np.argsort(-contributions, kind="stable")[:count]
    return [
        (str(saved.track_ids[row]), float(contributions[row]) / total)
        for row in largest
        if contributions[row] > 0
    ]


def parts(model: bytes, track: TrackFeatures) -> dict[str, float]:
    """Return the share that each part (sound, artist, ...) has in the prediction of one track."""
    saved, fitted = _load_model(model)
    contributions = dict(
        zip(
            PARTS,
            fitted.contributions(prepare(track, saved.feature_stats)).sum(axis=1),
            strict=True,
        )
    )
    total = sum(map(abs, contributions.values()))
    return {part: abs(float(pull)) / total for part, pull in contributions.items() if pull}


def suggest(
    model: bytes | None, tracks: TrackFeatures, feature_stats: FeatureStats, count: int
) -> list[str]:
    """Return the ids of up to `count` of `tracks` whose ratings would be most informative.

    Without a model, the prior distribution and the `feature_stats` of the library are used. Time
    and memory grow with the square of the number of tracks.
    """
    if model is None:
        inputs = prepare(tracks, feature_stats)
        params = hyperparameters.prior_hyperparameters(len(inputs.segments), PRIOR_RATING_STDDEV**2)
        posterior_covariance = covariance_matrix(inputs, params)
    else:
        saved, fitted = _load_model(model)
        if not isinstance(fitted, FittedGaussianProcess):
            params = hyperparameters.prior_hyperparameters(
                len(saved.examples.inputs.segments), regularized_variance(saved.examples.ratings)
            )
            fitted = GaussianProcess().fit(hyperparameters.as_settings(params), saved.examples)
        params = fitted.params
        posterior_covariance = fitted.posterior_covariance(prepare(tracks, saved.feature_stats))
    rows = select_informative(posterior_covariance, params.noise, count)
    return [tracks.track_ids[row] for row in rows]


def select_informative(covariance: Matrix, noise: float, count: int) -> list[int]:
    """Return up to `count` rows of the posterior `covariance`, `[n, n]`, in the order to rate them.

    Greedy selection: each next track is the one whose rating reduces the total posterior variance
    of all tracks most (Cohn, Ghahramani and Jordan, Active Learning with Statistical Models, 1996).
    `noise` is the variance of repeated ratings of the same track.
    """
    remaining = covariance.copy()
    rows: list[int] = []
    for _ in range(min(count, len(remaining))):
        reduction = _variance_reduction(remaining, noise)
        reduction[rows] = -np.inf
        rows.append(int(np.argmax(reduction)))
        column = remaining[rows[-1]].copy()
        remaining -= np.outer(column, column) / (column[rows[-1]] + noise)
    return rows


def _variance_reduction(covariance: Matrix, noise: float) -> Matrix:
    """Return the reduction of total variance by a rating of each track, `[n]`."""
    reduced = np.einsum("ij,ij->i", covariance, covariance)
    reduction: Matrix = reduced / (np.diag(covariance) + noise)
    return reduction


@lru_cache(maxsize=2)
def _load_model(model: bytes) -> tuple[SavedModel, FittedModel]:
    """Return the fitted model, cached: scoring a library uses it for every batch."""
    saved = serialization.load(model)
    model_type = model_selection.model_of_kind(saved.kind)
    return saved, model_type.restore(saved.settings, saved.examples, saved.weights)


def examples(training: TrainingSet) -> Examples:
    """Return a training set as the input of models."""
    feedback = training.implicit_feedback or ImplicitFeedback(
        training.tracks.take([]), np.empty(0), np.empty(0)
    )
    return Examples(
        inputs=prepare(training.tracks, training.feature_stats),
        ratings=training.ratings,
        rated_at=training.rated_at,
        liking=liking(training.full_plays, training.skips),
        implicit_feedback=ImplicitExamples(
            prepare(feedback.tracks, training.feature_stats),
            liking(feedback.full_plays, feedback.skips),
        ),
    )


def dump(kind: str, settings: Settings, fitted: FittedModel, training: TrainingSet) -> bytes:
    """Return a fitted model as bytes."""
    return serialization.dump(
        SavedModel(
            kind=kind,
            settings=settings,
            weights=fitted.weights(),
            examples=examples(training),
            track_ids=np.array(training.tracks.track_ids, dtype=np.str_),
            feature_stats=training.feature_stats,
        )
    )
