"""Interfaces of the services that the servicers use."""

from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping, Sequence
from typing import Protocol

from anagnorisisd.domain.embedding import EmbedderStamp, EmbeddingProgress
from anagnorisisd.domain.evaluator import (
    EvaluatorVersion,
    TagPreference,
    TrainingProgress,
    TrainingStatus,
)
from anagnorisisd.domain.pick import Explanation, Pick
from anagnorisisd.domain.player import SongId
from anagnorisisd.domain.track import Track, TrackId
from anagnorisisd.library.change_importer import ScanProgress


class Scanner(Protocol):
    """Scans the music directory; implemented by `library.service.LibraryService`."""

    def scan(self) -> AsyncIterator[ScanProgress]:
        """Rescan the music directory."""
        ...


class Embeddings(Protocol):
    """Embeds tracks; implemented by `embedding.service.EmbeddingService`."""

    @property
    def stamp(self) -> EmbedderStamp:
        """The embedder in use."""
        ...

    async def progress(self) -> EmbeddingProgress:
        """Return the number of pending tracks and the speed."""
        ...

    async def retry(self) -> int:
        """Retry the failed tracks and return their number."""
        ...


class Picker(Protocol):
    """Picks tracks; implemented by `picks.service.PickService`."""

    @property
    def enabled(self) -> bool:
        """Whether picks are added to the queue."""
        ...

    @property
    def reason(self) -> str | None:
        """Why no picks are added although picking is on; `None` when they are."""
        ...

    async def preview(self, count: int, seed: int | None) -> Sequence[Pick]:
        """Return the next `count` picks without adding them to the queue."""
        ...

    async def explain(self, track_id: TrackId) -> Explanation:
        """Return the factors of a track's weight."""
        ...

    async def journey(
        self, start: TrackId, end: TrackId, count: int
    ) -> Sequence[tuple[TrackId, float]]:
        """Return tracks that lead from one to another, with their similarity to the one before."""
        ...

    async def steering_problems(self) -> Mapping[str, str]:
        """Return why wishes of the steering have no effect, by their text."""
        ...

    async def excluded(self) -> Collection[TrackId]:
        """Return the tracks that the listener excluded from picks."""
        ...

    async def enqueue(self, track_ids: Sequence[TrackId]) -> Mapping[TrackId, SongId]:
        """Add tracks to the end of the queue; they do not become owned entries."""
        ...

    async def switch(self, enabled: bool) -> None:
        """Switch picking on or off."""
        ...

    async def ahead(self) -> Sequence[Pick]:
        """Return the owned entries after the current song, in queue order."""
        ...


class Copier(Protocol):
    """Copies the database; implemented by `storage.backups.BackupStream`."""

    def chunks(self) -> AsyncGenerator[bytes]:
        """Yield a snapshot of the database in chunks."""
        ...


class Trainer(Protocol):
    """Trains evaluators; implemented by `taste.training_scheduler.TrainingScheduler`."""

    def train(self) -> AsyncIterator[TrainingProgress]:
        """Train a new evaluator and yield the progress."""
        ...

    async def status(self) -> TrainingStatus:
        """Return the current evaluator and the time of the next training."""
        ...

    async def rollback(self, version: int) -> EvaluatorVersion:
        """Make an earlier evaluator current."""
        ...


class Curious(Protocol):
    """Explains predictions; implemented by `taste.explanations.Explanations`."""

    async def influences(self, track_id: TrackId) -> Sequence[tuple[TrackId, float]]:
        """Return the rated tracks that influence a predicted rating, with their shares."""
        ...

    async def parts(self, track_id: TrackId) -> Mapping[str, float]:
        """Return the share of each feature (sound, artist, ...) in a predicted rating."""
        ...

    async def matching_tags(self, track: Track) -> Sequence[TagPreference]:
        """Return the liked or disliked sound tags that explain a predicted rating."""
        ...

    async def suggest(
        self, count: int, seed: int, left_out: Collection[TrackId]
    ) -> Sequence[TrackId]:
        """Return the unrated tracks, without `left_out`, that would improve predictions most."""
        ...


class Drawer(Protocol):
    """Generates reports; implemented by `report.service.ReportService`."""

    async def html(self) -> str:
        """Return the report as a self-contained HTML page."""
        ...
