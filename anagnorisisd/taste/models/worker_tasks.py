"""What the daemon has done here, in a worker process: functions of plain values and bytes."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from anagnorisisd.domain.evaluation import (
    FeatureStats,
    Floats64,
    ImplicitFeedback,
    Metrics,
    TrackFeatures,
    TrainedModel,
    TrainingSet,
)
from anagnorisisd.taste.models import (
    active_learning,
    covariance,
    cross_validation,
    hyperparameters,
    model_selection,
    serialization,
)
from anagnorisisd.taste.models.features import Examples, ImplicitExamples, prepare
from anagnorisisd.taste.models.gaussian_process import FittedGaussianProcess, GaussianProcess
from anagnorisisd.taste.models.implicit_feedback import liking
from anagnorisisd.taste.models.kernels import PARTS
from anagnorisisd.taste.models.model_protocol import SUPPOSED_STDDEV, FittedModel, Settings, spread
from anagnorisisd.taste.models.prediction import Predictions
from anagnorisisd.taste.models.serialization import SavedModel


def wake() -> None:
    """Do nothing: that this module was imported is all that is wanted."""


def entrants(training: TrainingSet) -> list[str]:
    """Return the kinds that can compete on `training`.

    Raises:
        PreconditionFailed: there are too few ratings to hold any out.
    """
    return [each.kind for each in model_selection.entrants(examples(training))]


def try_out(kind: str, training: TrainingSet, seed: int) -> tuple[Floats64, Floats64]:
    """Return what one kind says of the ratings held out from it: means and deviations."""
    said = cross_validation.held_out(model_selection.named(kind), examples(training), seed)
    return said.mean, said.stddev


def conclude(
    training: TrainingSet, seed: int, tried: Mapping[str, Sequence[Floats64]]
) -> TrainedModel:
    """Return the best of the kinds that were tried out, fitted on all of `training`."""
    opinions = {kind: Predictions(mean, stddev) for kind, (mean, stddev) in tried.items()}
    winner = model_selection.conclude(examples(training), seed, opinions)
    kind = winner.candidate.kind
    return TrainedModel(
        kind=kind,
        blob=dump(kind, winner.settings, winner.fitted, training),
        metrics=winner.metrics,
        notes=winner.notes,
    )


def train(training: TrainingSet, seed: int) -> TrainedModel:
    """Let the candidates compete and return the best one, fitted on all of `training`.

    Raises:
        PreconditionFailed: there are too few ratings to hold any out.
    """
    tried = {kind: try_out(kind, training, seed) for kind in entrants(training)}
    return conclude(training, seed, tried)


def compare(old: bytes, training: TrainingSet, seed: int) -> Metrics:
    """Return how the kind and settings of `old` do on held-out ratings of `training`."""
    saved = serialization.load(old)
    return model_selection.retry(saved.kind, saved.settings, examples(training), seed)


def learn(model: bytes, training: TrainingSet) -> bytes:
    """Return `model` fitted to `training`, with the settings that it has."""
    saved = serialization.load(model)
    fitted = model_selection.named(saved.kind).fit(saved.settings, examples(training))
    return dump(saved.kind, saved.settings, fitted, training)


def predict(model: bytes, tracks: TrackFeatures) -> tuple[Floats64, Floats64]:
    """Return means and standard deviations, `[n]` each, in rating points."""
    saved, fitted = _restored(model)
    opinion = fitted.predict(prepare(tracks, saved.moments))
    return opinion.mean, opinion.stddev


def influences(model: bytes, track: TrackFeatures, count: int) -> list[tuple[str, float]]:
    """Return the rated tracks that shaped the prediction of one track most, with their shares."""
    saved, fitted = _restored(model)
    pulls = np.abs(fitted.pulls(prepare(track, saved.moments)).sum(axis=0))
    total = float(pulls.sum())
    largest = np.argsort(-pulls, kind="stable")[:count]
    return [
        (str(saved.track_ids[row]), float(pulls[row]) / total) for row in largest if pulls[row] > 0
    ]


def parts(model: bytes, track: TrackFeatures) -> dict[str, float]:
    """Return the share that each part (sound, artist, ...) has in the prediction of one track."""
    saved, fitted = _restored(model)
    pulls = dict(zip(PARTS, fitted.pulls(prepare(track, saved.moments)).sum(axis=1), strict=True))
    pulls["sound"] += pulls.pop("direction")  # a listener hears both at once
    total = sum(map(abs, pulls.values()))
    return {part: abs(float(pull)) / total for part, pull in pulls.items() if pull}


def suggest(model: bytes | None, tracks: TrackFeatures, count: int) -> list[str]:
    """Return the ids of up to `count` of `tracks` whose ratings would teach the most.

    Without a model everything is taken to be unknown. Time and memory grow with the square of
    the number of tracks.
    """
    if model is None:
        vectors = tracks.vectors
        moments = FeatureStats(vectors.mean(axis=0), vectors.std(axis=0), len(vectors))
        knobs = hyperparameters.prior_hyperparameters(SUPPOSED_STDDEV**2)
        unexplained = covariance.among(prepare(tracks, moments), knobs)
    else:
        saved, fitted = _restored(model)
        if not isinstance(fitted, FittedGaussianProcess):
            knobs = hyperparameters.prior_hyperparameters(spread(saved.examples.ratings))
            fitted = GaussianProcess().fit(knobs.as_settings(), saved.examples)
        knobs = fitted.knobs
        unexplained = fitted.unexplained(prepare(tracks, saved.moments))
    rows = active_learning.most_telling(unexplained, knobs.noise, count)
    return [tracks.track_ids[row] for row in rows]


@lru_cache(maxsize=2)
def _restored(model: bytes) -> tuple[SavedModel, FittedModel]:
    """Return the fitted model; scoring a library asks for the same one again and again."""
    saved = serialization.load(model)
    candidate = model_selection.named(saved.kind)
    return saved, candidate.restore(saved.settings, saved.examples, saved.weights)


def examples(training: TrainingSet) -> Examples:
    """Return a training set as the candidates see it."""
    heard = training.heard or ImplicitFeedback(training.tracks.take([]), np.empty(0), np.empty(0))
    return Examples(
        inputs=prepare(training.tracks, training.moments),
        ratings=training.ratings,
        rated_at=training.rated_at,
        liking=liking(training.full_plays, training.skips),
        heard=ImplicitExamples(
            prepare(heard.tracks, training.moments), liking(heard.full_plays, heard.skips)
        ),
    )


def dump(kind: str, settings: Settings, fitted: FittedModel, training: TrainingSet) -> bytes:
    """Return a fitted candidate as bytes."""
    return serialization.dump(
        SavedModel(
            kind=kind,
            settings=settings,
            weights=fitted.weights(),
            examples=examples(training),
            track_ids=np.array(training.tracks.track_ids, dtype=np.str_),
            moments=training.moments,
        )
    )
