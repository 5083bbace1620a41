"""The data of a report, and of an evaluation on held-out ratings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anagnorisisd.domain.evaluator import EvaluatorVersion, Floats64, TrackFeatures, TrainingSet

MIN_HELD_OUT = 10
LEVELS = np.linspace(0.05, 0.95, 19)
"""The nominal shares of a calibration curve."""


@dataclass(frozen=True, slots=True)
class HeldOutEvaluation:
    """Given and predicted ratings of held-out tracks, `[m]` each, and the learning curve.

    Cross-validation is repeated; in each repeat, each of the `tracks` is held out once, and the
    first `tracks` values are the first repeat. `rows` are the rows of these in the training set,
    `[tracks]`. `curve` has, for each kind of model, pairs of the number of ratings and the mean
    absolute error.
    """

    given: Floats64
    predicted: Floats64
    stddev: Floats64
    tracks: int
    rows: NDArray[np.int64]
    curve: Mapping[str, Sequence[tuple[int, float]]]


@dataclass(frozen=True, slots=True)
class ArtistSummary:
    """An artist; `liking` is the mean of the ratings, or predicted ratings, of `tracks` tracks."""

    name: str
    tracks: int
    liking: float


@dataclass(frozen=True, slots=True)
class ReportRow:
    """A track in a table; `note` is the play outcome or the state, `at` is unix seconds."""

    title: str
    artist: str
    note: str
    rating: float | None
    at: float | None = None


@dataclass(frozen=True, slots=True)
class ReportData:
    """The data of a report.

    `rated_at` (unix seconds) and `ratings`, `[n]` each, are the whole history without cleared
    ratings. `library` is a sample of the tracks, `predicted` their predicted ratings, NaN where
    there is none. `model` is the serialised current evaluator; without it, the report has no
    figures about held-out ratings.
    """

    made_at: float
    rated_at: Floats64
    ratings: Floats64
    examples: TrainingSet
    library: TrackFeatures
    predicted: Floats64
    artists: Sequence[ArtistSummary]
    picks: Sequence[ReportRow]
    plays: Sequence[ReportRow]
    evaluator: EvaluatorVersion | None = None
    model: bytes | None = None
