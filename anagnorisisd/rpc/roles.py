"""What the servicers need of the services that do far more than they show here."""

from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping, Sequence
from typing import Protocol

from anagnorisisd.domain.embedding import EmbedderStamp, EmbeddingProgress
from anagnorisisd.domain.evaluator import EvaluatorVersion, TrainingProgress, TrainingStatus
from anagnorisisd.domain.pick import Explanation, Pick
from anagnorisisd.domain.player import SongId
from anagnorisisd.domain.track import TrackId
from anagnorisisd.library.change_importer import ScanProgress


class Scanner(Protocol):
    """Scans; `library.service.LibraryService` does."""

    def scan(self) -> AsyncIterator[ScanProgress]:
        """Bring the library in line with the disk."""
        ...


class Embeddings(Protocol):
    """Embeds, and knows how far it is; `embedding.service.EmbeddingService` does."""

    @property
    def stamp(self) -> EmbedderStamp:
        """The embedder in use."""
        ...

    async def progress(self) -> EmbeddingProgress:
        """Return how much is pending, and how fast it goes."""
        ...

    async def retry(self) -> int:
        """Give the failed tracks another chance; return how many there are."""
        ...


class Picker(Protocol):
    """Picks; `picks.service.PickService` does."""

    @property
    def enabled(self) -> bool:
        """Whether picks are put into the queue."""
        ...

    @property
    def reason(self) -> str | None:
        """Why no picks are added although picking is on; `None` when they are."""
        ...

    async def preview(self, count: int, seed: int | None) -> Sequence[Pick]:
        """Choose without queueing."""
        ...

    async def explain(self, track_id: TrackId) -> Explanation:
        """Return the factors of a track's weight."""
        ...

    async def excluded(self) -> Collection[TrackId]:
        """Return the tracks that the listener excluded from picks."""
        ...

    async def enqueue(self, track_ids: Sequence[TrackId]) -> Mapping[TrackId, SongId]:
        """Add tracks to the end of the queue, as the listener's own entries."""
        ...

    async def switch(self, enabled: bool) -> None:
        """Switch picking on or off."""
        ...

    async def ahead(self) -> Sequence[Pick]:
        """Return our entries of the queue after the current song, in order."""
        ...


class Copier(Protocol):
    """Copies the database."""

    def chunks(self) -> AsyncGenerator[bytes]:
        """Yield a snapshot of the database in chunks."""
        ...


class Trainer(Protocol):
    """Trains; `taste.training_scheduler.TrainingScheduler` does."""

    def train(self) -> AsyncIterator[TrainingProgress]:
        """Train a new evaluator."""
        ...

    async def status(self) -> TrainingStatus:
        """Return what is learnt, and when more will be."""
        ...

    async def rollback(self, version: int) -> EvaluatorVersion:
        """Make an earlier evaluator current."""
        ...


class Curious(Protocol):
    """Knows what it knows; `taste.explanations.Explanations` does."""

    async def influences(self, track_id: TrackId) -> Sequence[tuple[TrackId, float]]:
        """Return the rated tracks that shaped a predicted rating, with their shares."""
        ...

    async def parts(self, track_id: TrackId) -> Mapping[str, float]:
        """Return the share that sound, artist and so on have in a predicted rating."""
        ...

    async def suggest(
        self, count: int, seed: int, left_out: Collection[TrackId]
    ) -> Sequence[TrackId]:
        """Return unrated tracks whose ratings would teach the most, none of `left_out`."""
        ...


class Drawer(Protocol):
    """Draws reports; `report.service.ReportService` does."""

    async def html(self) -> str:
        """Return a self-contained page."""
        ...
