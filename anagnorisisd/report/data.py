"""What a report is drawn from: plain values, gathered once."""

from collections.abc import Sequence
from dataclasses import dataclass

from anagnorisisd.domain.evaluator import EvaluatorVersion, Floats64, TrackFeatures, TrainingSet


@dataclass(frozen=True, slots=True)
class ArtistSummary:
    """How an artist is liked: the mean over `tracks` of the rating, else the predicted one."""

    name: str
    tracks: int
    liking: float


@dataclass(frozen=True, slots=True)
class ReportRow:
    """A track in a table; `at` is unix seconds, `note` says what happened to it."""

    title: str
    artist: str
    note: str
    rating: float | None
    at: float | None = None


@dataclass(frozen=True, slots=True)
class ReportData:
    """Everything a report shows.

    `rated_at` (unix seconds) and `ratings` are the whole history without what was cleared.
    `library` is a sample of the tracks with `predicted`, NaN where there is no prediction.
    `model` is the current evaluator; without one, what it would tell is left out.
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
