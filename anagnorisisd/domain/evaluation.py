"""Evaluators seen from outside: what they are trained on, and how good they were.

Errors are mean absolute errors in rating points on held-out ratings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from anagnorisisd.domain.embedding import EmbedderStamp
from anagnorisisd.domain.track import Tags, TrackId, Uri

Vectors = NDArray[np.float32]
Floats64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Described:
    """What an evaluator may look at, for `n` tracks: vectors `[n, d]` and what the tags say."""

    track_ids: Sequence[TrackId]
    vectors: Vectors
    tags: Sequence[Tags]
    uris: Sequence[Uri]

    def __len__(self) -> int:
        return len(self.track_ids)


@dataclass(frozen=True, slots=True)
class Moments:
    """Mean and standard deviation of each dimension over the whole library, `[d]` each."""

    mean: Vectors
    stddev: Vectors
    count: int


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """The newest rating, `[n]`, of each rated track, and the tracks themselves."""

    tracks: Described
    ratings: Floats64
    rated_at: Floats64
    full_plays: Floats64
    skips: Floats64
    moments: Moments
    stamp: EmbedderStamp

    def __len__(self) -> int:
        return len(self.ratings)


@dataclass(frozen=True, slots=True)
class Metrics:
    """Held-out performance by repeated cross-validation.

    `error_ratio` is the error over that of always answering the mean rating: below 1 something
    was learnt. `within_one` and `within_two` are the shares of held-out ratings inside one and
    two predicted standard deviations. `baseline_errors` names every candidate's error.
    """

    error: float
    mean_error: float
    rank_correlation: float
    within_one: float
    within_two: float
    baseline_errors: Mapping[str, float]

    @property
    def error_ratio(self) -> float:
        """Error relative to always answering the mean rating; 1 when both are 0."""
        return self.error / self.mean_error if self.mean_error else 1.0


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A fitted evaluator: `kind` names the winning candidate, `blob` is its serialised form.

    The blob is arrays and plain values only (`numpy.savez`, never a pickle).
    """

    kind: str
    blob: bytes
    metrics: Metrics
    notes: Mapping[str, str]


class EvaluatorStatus(StrEnum):
    """The place of an evaluator version."""

    CURRENT = "current"
    KEPT_BACK = "kept_back"  # trained, but worse than the one in charge
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class EvaluatorVersion:
    """One trained evaluator, as the store keeps it. `version` counts from 1."""

    version: int
    kind: str
    stamp: EmbedderStamp
    trained_at: float
    rating_count: int
    metrics: Metrics
    status: EvaluatorStatus
    verdict: str
