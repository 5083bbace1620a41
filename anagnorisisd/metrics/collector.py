"""Metering: the numbers behind the daemon, for the listener's own monitoring."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from anagnorisisd.domain.embedding import EmbedderStamp, EmbeddingProgress
from anagnorisisd.domain.evaluator import TrainingStatus
from anagnorisisd.domain.player import Player
from anagnorisisd.errors import StoreError
from anagnorisisd.events import Event, Events
from anagnorisisd.storage.library import LibraryStore
from anagnorisisd.storage.track_queries import LibraryCounts


@dataclass(frozen=True, slots=True)
class Stored:
    """What only the store can tell."""

    library: LibraryCounts
    embedding: EmbeddingProgress
    training: TrainingStatus


@dataclass(frozen=True, slots=True)
class Readings:
    """How everything stands at one moment; `stored` is `None` while the store does not answer."""

    player_connected: bool
    picking: bool
    stored: Stored | None


class MetricsSink(Protocol):
    """Counts what happens and shows it, together with how everything stands, to whoever asks."""

    def count(self, event: Event) -> None:
        """Count one event."""
        ...

    def time_call(self, method: str, code: str, seconds: float) -> None:
        """Note how long a call took; `method` is `Service/Method`, `code` as gRPC names it."""
        ...

    async def serve(self, read: Callable[[], Awaitable[Readings]]) -> None:
        """Answer until cancelled; each time somebody asks, `read` is called in this loop.

        Raises:
            ConfigError: what is configured cannot be listened on.
        """
        ...


class Embeds(Protocol):
    """Knows how far embedding is; `embedding.service.EmbeddingService` does."""

    @property
    def stamp(self) -> EmbedderStamp:
        """The embedder in use."""
        ...

    async def progress(self) -> EmbeddingProgress:
        """Return how much is pending, and how fast it goes."""
        ...


class Trains(Protocol):
    """Knows what is learnt; `taste.training_scheduler.TrainingScheduler` does."""

    async def status(self) -> TrainingStatus:
        """Return what is learnt, and when more will be."""
        ...


class Picks(Protocol):
    """Knows whether it picks; `picks.service.PickService` does."""

    @property
    def enabled(self) -> bool:
        """Whether picks are put into the queue."""
        ...


class MetricsCollector:
    """Feeds a meter: with every event, and with how everything stands when it is read."""

    def __init__(
        self,
        meter: MetricsSink,
        *,
        library: LibraryStore,
        player: Player,
        embedding: Embeds,
        training: Trains,
        picking: Picks,
        events: Events,
    ) -> None:
        self._meter = meter
        self._library = library
        self._player = player
        self._embedding = embedding
        self._training = training
        self._picking = picking
        self._news = events.subscribe()

    async def run(self) -> None:
        """Count and serve until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._count())
            tasks.create_task(self._meter.serve(self.read))

    async def read(self) -> Readings:
        """Return how everything stands now."""
        return Readings(
            player_connected=self._player.link().connected,
            picking=self._picking.enabled,
            stored=await self._stored(),
        )

    async def _stored(self) -> Stored | None:
        try:
            return Stored(
                library=await self._library.counts(self._embedding.stamp),
                embedding=await self._embedding.progress(),
                training=await self._training.status(),
            )
        except StoreError:
            return None

    async def _count(self) -> None:
        async for announcement in self._news:
            self._meter.count(announcement.event)
