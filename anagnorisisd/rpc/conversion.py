"""Conversion of domain objects to protobuf messages: tracks, ratings, picks and evaluators."""

from google.protobuf.timestamp_pb2 import Timestamp

from anagnorisis.v1 import daemon_pb2, evaluator_pb2, library_pb2, pick_pb2, rating_pb2, track_pb2
from anagnorisisd.domain.embedding import EmbedderStamp
from anagnorisisd.domain.evaluator import (
    EvaluatorStatus,
    EvaluatorVersion,
    Metrics,
    TagPreference,
    TrainingOutcome,
    TrainingPhase,
    TrainingProgress,
)
from anagnorisisd.domain.pick import Explanation
from anagnorisisd.domain.player import PlaybackState
from anagnorisisd.domain.rating import Rating, RatingChange
from anagnorisisd.domain.track import Track, TrackState, Uri
from anagnorisisd.report.data import LEVELS
from anagnorisisd.report.evaluation_service import Evaluation

TRACK_STATES = {
    TrackState.PENDING: track_pb2.TRACK_STATE_PENDING,
    TrackState.EMBEDDED: track_pb2.TRACK_STATE_EMBEDDED,
    TrackState.FAILED: track_pb2.TRACK_STATE_FAILED,
    TrackState.MISSING: track_pb2.TRACK_STATE_MISSING,
}
RATING_SOURCES = {
    "rating": pick_pb2.RATING_SOURCE_RATING,
    "predicted": pick_pb2.RATING_SOURCE_PREDICTED,
    "mean": pick_pb2.RATING_SOURCE_MEAN,
}
EVALUATOR_STATUSES = {
    EvaluatorStatus.CURRENT: evaluator_pb2.EVALUATOR_STATUS_CURRENT,
    EvaluatorStatus.NOT_PROMOTED: evaluator_pb2.EVALUATOR_STATUS_NOT_PROMOTED,
    EvaluatorStatus.RETIRED: evaluator_pb2.EVALUATOR_STATUS_RETIRED,
}
TRAINING_PHASES = {
    TrainingPhase.LOADING: evaluator_pb2.TRAINING_PHASE_LOADING,
    TrainingPhase.MODEL_SELECTION: evaluator_pb2.TRAINING_PHASE_MODEL_SELECTION,
    TrainingPhase.COMPARISON: evaluator_pb2.TRAINING_PHASE_COMPARISON,
    TrainingPhase.PREDICTION: evaluator_pb2.TRAINING_PHASE_PREDICTION,
    TrainingPhase.DONE: evaluator_pb2.TRAINING_PHASE_DONE,
}
PLAYBACK_STATES = {
    PlaybackState.PLAY: daemon_pb2.PLAYBACK_STATE_PLAYING,
    PlaybackState.PAUSE: daemon_pb2.PLAYBACK_STATE_PAUSED,
    PlaybackState.STOP: daemon_pb2.PLAYBACK_STATE_STOPPED,
}

OUTCOMES = {
    TrainingOutcome.PROMOTED: evaluator_pb2.TRAINING_OUTCOME_PROMOTED,
    TrainingOutcome.NOT_PROMOTED: evaluator_pb2.TRAINING_OUTCOME_NOT_PROMOTED,
    TrainingOutcome.TOO_FEW_RATINGS: evaluator_pb2.TRAINING_OUTCOME_TOO_FEW_RATINGS,
}


def printable(text: str | None) -> str:
    """Return valid UTF-8: an empty string for `None`, `?` for each byte that was not UTF-8."""
    return (text or "").encode(errors="replace").decode()


def timestamp(seconds: float | None) -> Timestamp | None:
    """Convert unix seconds to a timestamp."""
    if seconds is None:
        return None
    stamp = Timestamp()
    stamp.FromNanoseconds(round(seconds * 1e6) * 1000)
    return stamp


def track_message(track: Track) -> track_pb2.Track:
    prediction = track.prediction
    return track_pb2.Track(
        track_id=track.track_id,
        uri=printable(track.uri),
        title=printable(track.title),
        artist=printable(track.tags.artist),
        album=printable(track.tags.album),
        genre=printable(track.tags.genre),
        duration_seconds=track.duration_seconds,
        rating=track.rating,
        predicted_rating=prediction.mean if prediction else None,
        predicted_stddev=prediction.stddev if prediction else None,
        play_count=track.play_count,
        skip_count=track.skip_count,
        last_played_at=timestamp(track.last_played_at),
        added_at=timestamp(track.added_at),
        state=TRACK_STATES[track.state],
        failure_reason=printable(track.failure),
    )


def rating_message(rating: Rating, uri: Uri | None = None) -> rating_pb2.Rating:
    """Convert an entry of the rating history; `uri` is the path of its track, if known."""
    return rating_pb2.Rating(
        sequence=rating.sequence,
        track_id=rating.track_id,
        value=rating.value,
        rated_at=timestamp(rating.rated_at),
        source=printable(rating.source),
        uri=printable(uri),
        plays_only=rating.plays_only,
    )


def change_message(change: RatingChange, track: Track) -> rating_pb2.RatingChange:
    """Convert a change of the rating of `track`."""
    return rating_pb2.RatingChange(
        track=track_message(track),
        rating=change.rating.value,
        previous_rating=change.previous,
        sequence=change.rating.sequence,
        plays_only=change.rating.plays_only,
    )


def explanation_message(explanation: Explanation) -> pick_pb2.Explanation:
    """Convert the explanation of a track's probability of being picked."""
    return pick_pb2.Explanation(
        rating=explanation.rating,
        rating_source=RATING_SOURCES[explanation.rating_source],
        rating_factor=explanation.rating_factor,
        skip_factor=explanation.skip_factor,
        recency_factor=explanation.recency_factor,
        guards=[
            pick_pb2.Guard(name=name, factor=factor) for name, factor in explanation.guards.items()
        ],
        relaxed_guards=explanation.relaxed,
        weight=explanation.weight,
        probability=explanation.probability,
        rank=explanation.rank,
        candidates=explanation.candidates,
        steering_factor=explanation.steering_factor,
        flow_factor=explanation.flow_factor,
        album_tracks=explanation.album_tracks,
        wish_fits=[
            pick_pb2.WishFit(wish=printable(wish), fit=fit)
            for wish, fit in explanation.wish_fits.items()
        ],
    )


def stamp_message(stamp: EmbedderStamp) -> library_pb2.EmbedderStamp:
    """Convert the name and version of the embedder that computed a vector."""
    return library_pb2.EmbedderStamp(
        name=stamp.name, version=stamp.version, dimension=stamp.dimension
    )


def evaluator_message(version: EvaluatorVersion) -> evaluator_pb2.Evaluator:
    return evaluator_pb2.Evaluator(
        version=version.version,
        model=version.model,
        embedder=stamp_message(version.stamp),
        trained_at=timestamp(version.trained_at),
        rating_count=version.rating_count,
        metrics=_metrics_message(version.metrics),
        status=EVALUATOR_STATUSES[version.status],
        promotion_reason=printable(version.promotion_reason),
        implicit_feedback=printable(version.notes.get("implicit_feedback", "")),
        tag_preferences=map(tag_preference_message, version.tag_preferences),
    )


def tag_preference_message(preference: TagPreference) -> evaluator_pb2.TagPreference:
    """Convert a sound tag that the listener likes or dislikes."""
    return evaluator_pb2.TagPreference(
        name=preference.name,
        predicted_difference=preference.predicted_difference,
        rated_difference=preference.rated_difference,
        rated_tracks=preference.rated_tracks,
    )


def _metrics_message(metrics: Metrics) -> evaluator_pb2.Metrics:
    return evaluator_pb2.Metrics(
        mean_absolute_error=metrics.mean_absolute_error,
        baseline_error=metrics.baseline_error,
        error_ratio=metrics.error_ratio,
        rank_correlation=metrics.rank_correlation,
        within_one_stddev=metrics.within_one_stddev,
        within_two_stddev=metrics.within_two_stddev,
        model_errors=metrics.model_errors,
    )


def evaluation_message(evaluation: Evaluation) -> evaluator_pb2.GetEvaluationResponse:
    """Convert the evaluation of an evaluator on held-out ratings."""
    seen = evaluation.seen
    once = slice(seen.tracks)
    columns = (seen.given[once], seen.predicted[once], seen.stddev[once])
    return evaluator_pb2.GetEvaluationResponse(
        version=evaluation.version,
        predictions=[
            evaluator_pb2.HeldOutPrediction(
                track_id=track_id, rating=rating, predicted_rating=mean, predicted_stddev=stddev
            )
            for track_id, rating, mean, stddev in zip(
                evaluation.track_ids, *(column.tolist() for column in columns), strict=True
            )
        ],
        calibration=[
            evaluator_pb2.CalibrationPoint(nominal_share=nominal, observed_share=observed)
            for nominal, observed in zip(LEVELS.tolist(), evaluation.coverage.tolist(), strict=True)
        ],
        learning_curves=[
            evaluator_pb2.LearningCurve(
                model=model,
                points=[
                    evaluator_pb2.LearningCurvePoint(rating_count=count, mean_absolute_error=error)
                    for count, error in points
                ],
            )
            for model, points in seen.curve.items()
        ],
    )


def training_message(progress: TrainingProgress) -> evaluator_pb2.TrainEvaluatorResponse:
    """Convert the progress of a training, with its result if it has ended."""
    message = evaluator_pb2.TrainEvaluatorResponse(
        phase=TRAINING_PHASES[progress.phase],
        progress=progress.fraction,
        message=printable(progress.message),
    )
    if progress.result is not None:
        message.outcome = OUTCOMES[progress.result.outcome]
        message.reason = printable(progress.result.reason)
        if progress.result.version is not None:
            message.evaluator.CopyFrom(evaluator_message(progress.result.version))
    return message
