"""The data of a report."""

from collections.abc import Sequence
from dataclasses import dataclass

from anagnorisisd.domain.evaluator import EvaluatorVersion, Floats64, TrackFeatures, TrainingSet


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
