"""Evaluators: their training data, their metrics and versions, and the state of a training.

Errors are mean absolute errors in rating points on held-out ratings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import numpy as np
from numpy.typing import NDArray

from anagnorisisd.domain.embedding import EmbedderStamp
from anagnorisisd.domain.track import Tags, TrackId, Uri

Vectors = NDArray[np.float32]
Floats64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TrackFeatures:
    """The features of `n` tracks: embeddings `[n, d]` and tags."""

    track_ids: Sequence[TrackId]
    vectors: Vectors
    tags: Sequence[Tags]
    uris: Sequence[Uri]

    def __len__(self) -> int:
        return len(self.track_ids)

    def take(self, rows: Sequence[int]) -> Self:
        """Return the tracks of some rows."""
        return type(self)(
            [self.track_ids[row] for row in rows],
            self.vectors[rows],
            [self.tags[row] for row in rows],
            [self.uris[row] for row in rows],
        )

    def concatenate(self, others: Self) -> Self:
        """Return these tracks and `others` after them."""
        return type(self)(
            [*self.track_ids, *others.track_ids],
            np.concatenate([self.vectors, others.vectors]),
            [*self.tags, *others.tags],
            [*self.uris, *others.uris],
        )


@dataclass(frozen=True, slots=True)
class FeatureStats:
    """Mean and standard deviation of each dimension over the whole library, `[d]` each.

    `segments` are those of the embedder's stamp; empty means a single one.
    """

    mean: Vectors
    stddev: Vectors
    count: int
    segments: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ImplicitFeedback:
    """Unrated tracks that were played, and the numbers of their full plays and skips, `[n]`."""

    tracks: TrackFeatures
    full_plays: Floats64
    skips: Floats64


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """The newest rating, `[n]`, of each rated track, and the tracks themselves."""

    tracks: TrackFeatures
    ratings: Floats64
    rated_at: Floats64
    full_plays: Floats64
    skips: Floats64
    feature_stats: FeatureStats
    stamp: EmbedderStamp
    implicit_feedback: ImplicitFeedback | None = None

    def __len__(self) -> int:
        return len(self.ratings)


@dataclass(frozen=True, slots=True)
class Metrics:
    """Held-out performance by repeated cross-validation.

    `baseline_error` is the mean absolute error of always predicting the mean rating, and
    `error_ratio` compares with it: below 1 the evaluator learnt something. `within_one_stddev` and
    `within_two_stddev` are the shares of held-out ratings within one and two predicted standard
    deviations of the prediction. `model_errors` has the error of each model that was compared.
    """

    mean_absolute_error: float
    baseline_error: float
    rank_correlation: float
    within_one_stddev: float
    within_two_stddev: float
    model_errors: Mapping[str, float]

    @property
    def error_ratio(self) -> float:
        """Mean absolute error relative to the baseline error; 1 when both are 0."""
        return self.mean_absolute_error / self.baseline_error if self.baseline_error else 1.0


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A fitted evaluator: `model` is the name of the selected model, `blob` its serialised form.

    The blob is arrays and plain values only (`numpy.savez`, never a pickle).
    """

    model: str
    blob: bytes
    metrics: Metrics
    notes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class TagPreference:
    """A sound tag that goes with the listener's ratings: liked if the differences are positive.

    `predicted_difference` is the mean predicted rating of the library's tracks with the tag minus
    that of all tracks, `rated_difference` the same of the `rated_tracks` rated tracks with the tag.
    """

    name: str
    predicted_difference: float
    rated_difference: float
    rated_tracks: int

    @property
    def liked(self) -> bool:
        """Whether it is liked, and not disliked."""
        return self.predicted_difference > 0


class EvaluatorStatus(StrEnum):
    """The place of an evaluator version."""

    CURRENT = "current"
    NOT_PROMOTED = "not_promoted"  # trained, but worse than the current one
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class EvaluatorVersion:
    """One trained evaluator, as the store keeps it. `version` counts from 1.

    `notes` are findings of the training in sentences: `implicit_feedback` says whether plays and
    skips improved the predictions. `tag_preferences` are those that the held-out ratings support,
    the largest predicted difference first.
    """

    version: int
    model: str
    stamp: EmbedderStamp
    trained_at: float
    rating_count: int
    metrics: Metrics
    status: EvaluatorStatus
    promotion_reason: str
    notes: Mapping[str, str]
    tag_preferences: Sequence[TagPreference] = ()


class TrainingPhase(StrEnum):
    """Phases of a training, in their order."""

    LOADING = "loading"
    MODEL_SELECTION = "model_selection"
    COMPARISON = "comparison"
    PREDICTION = "prediction"
    DONE = "done"


class TrainingOutcome(StrEnum):
    """How a training ended."""

    PROMOTED = "promoted"
    NOT_PROMOTED = "not_promoted"  # the new evaluator is worse; the current one stays
    TOO_FEW_RATINGS = "too_few_ratings"  # more ratings are needed first


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """What came of a training, with the reason in words; `version` is the trained one."""

    outcome: TrainingOutcome
    reason: str
    version: EvaluatorVersion | None = None


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """The progress of a training, `fraction` from 0 to 1; the last one has the result."""

    phase: TrainingPhase
    fraction: float
    message: str
    result: TrainingResult | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """The amount of training data when a training began.

    `newest_rating` is the sequence of the newest entry in the history of ratings, 0 without any;
    `examples` counts the tracks that have both a rating and an embedding.
    """

    newest_rating: int
    examples: int


@dataclass(frozen=True, slots=True)
class Failures:
    """The number of trainings that failed since the last successful one.

    `failed_at`, in unix seconds, and `reason` are those of the newest failure.
    """

    count: int = 0
    failed_at: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class TrainingStatus:
    """The current evaluator, and when the next training starts. Times are unix seconds.

    `examples` counts the tracks that have both a rating and an embedding, `needed` how many more a
    first training requires. After `failures`, `next_training_at` is the time of the retry.
    """

    evaluator: EvaluatorVersion | None
    examples: int
    needed: int
    training: bool
    last_training_at: float | None
    next_training_at: float
    failures: Failures = Failures()
