"""Trained evaluators and what they predict."""

from collections.abc import Sequence
from typing import Protocol

from anagnorisisd.domain.embedding import EmbedderStamp
from anagnorisisd.domain.evaluation import (
    EvaluatorStatus,
    EvaluatorVersion,
    Evidence,
    Failures,
    Floats64,
    TrainedModel,
)
from anagnorisisd.domain.track import TrackId


class EvaluatorStore(Protocol):
    """Trained evaluators and their predicted ratings."""

    async def add(
        self,
        model: TrainedModel,
        stamp: EmbedderStamp,
        *,
        rating_count: int,
        status: EvaluatorStatus,
        verdict: str,
        at: float,
    ) -> EvaluatorVersion:
        """Store a version; `CURRENT` retires the one in charge in the same transaction.

        The models of old versions may be forgotten, their metrics never are.
        """
        ...

    async def current(self) -> EvaluatorVersion | None:
        """Return the evaluator in charge."""
        ...

    async def blob(self, version: int) -> bytes:
        """Return the serialised model of a version, empty where it was forgotten."""
        ...

    async def update_blob(self, version: int, blob: bytes) -> None:
        """Replace the model of a version that learnt from further ratings."""
        ...

    async def version(self, version: int) -> EvaluatorVersion:
        """Return one version.

        Raises:
            InvalidValue: there is no such version.
        """
        ...

    async def versions(self, limit: int, before: int | None = None) -> Sequence[EvaluatorVersion]:
        """Return versions, newest first; with `before`, only those below it."""
        ...

    async def make_current(self, version: int) -> EvaluatorVersion:
        """Put an earlier version in charge.

        Raises:
            InvalidValue: there is no such version.
        """
        ...

    async def put_predictions(
        self, version: int, track_ids: Sequence[TrackId], mean: Floats64, stddev: Floats64
    ) -> None:
        """Store predicted ratings, replacing those of the same tracks."""
        ...

    async def unpredicted(
        self, version: int, stamp: EmbedderStamp, limit: int
    ) -> Sequence[TrackId]:
        """Return present tracks that have a vector and no predicted rating by `version`."""
        ...

    async def last_training(self) -> float | None:
        """Return when the last training that ended, whatever came of it, had begun."""
        ...

    async def learnt(self) -> Evidence | None:
        """Return what the last training that did not fail could learn from; `None`: not known."""
        ...

    async def record_training(
        self, at: float, outcome: str, evidence: Evidence | None = None
    ) -> None:
        """Remember that a training ended which had begun at `at` with this evidence."""
        ...

    async def record_failure(self, at: float, reason: str) -> None:
        """Remember that a training failed at `at`."""
        ...

    async def failures(self) -> Failures:
        """Return the trainings that failed since the last one that did not."""
        ...
