"""Collect metrics from events and from the state of the services."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from anagnorisisd.domain.embedding import EmbeddingProgress
from anagnorisisd.domain.evaluator import TrainingStatus
from anagnorisisd.domain.player import Player
from anagnorisisd.embedding.service import EmbeddingService
from anagnorisisd.errors import StoreError
from anagnorisisd.events import Event, Events
from anagnorisisd.picks.service import PickService
from anagnorisisd.steering.service import SteeringService
from anagnorisisd.storage.library import LibraryStore
from anagnorisisd.storage.track_queries import LibraryCounts
from anagnorisisd.taste.training_scheduler import TrainingScheduler


@dataclass(frozen=True, slots=True)
class Stored:
    """Values that are read from the database."""

    library: LibraryCounts
    embedding: EmbeddingProgress
    training: TrainingStatus


@dataclass(frozen=True, slots=True)
class Readings:
    """The current values of the gauges; `stored` is `None` if the database cannot be read."""

    player_connected: bool
    picking: bool
    steered: bool
    stored: Stored | None


class MetricsSink(Protocol):
    """Counts events and serves the counters together with the current readings."""

    def count(self, event: Event) -> None:
        """Increment the counter of an event, if it has one."""
        ...

    def time_call(self, method: str, code: str, seconds: float) -> None:
        """Record a call's duration; `method` is `Service/Method`, `code` a gRPC status name."""
        ...

    async def serve(self, read: Callable[[], Awaitable[Readings]]) -> None:
        """Serve requests until cancelled; each request calls `read` in this event loop.

        Raises:
            ConfigError: the configured address cannot be listened on.
        """
        ...


class MetricsCollector:
    """Passes every event to a metrics sink, and reads the gauges when the sink asks for them."""

    def __init__(
        self,
        sink: MetricsSink,
        *,
        library: LibraryStore,
        player: Player,
        embedding: EmbeddingService,
        training: TrainingScheduler,
        picks: PickService,
        steering: SteeringService,
        events: Events,
    ) -> None:
        self._sink = sink
        self._library = library
        self._player = player
        self._embedding = embedding
        self._training = training
        self._picks = picks
        self._steering = steering
        self._subscription = events.subscribe()

    async def run(self) -> None:
        """Count events and serve metrics until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._count_events())
            tasks.create_task(self._sink.serve(self.read))

    async def read(self) -> Readings:
        """Return the current values of the gauges."""
        return Readings(
            player_connected=self._player.link().connected,
            picking=self._picks.enabled,
            steered=await self._is_steered(),
            stored=await self._read_stored(),
        )

    async def _is_steered(self) -> bool:
        try:
            return await self._steering.current() is not None
        except StoreError:
            return False

    async def _read_stored(self) -> Stored | None:
        try:
            return Stored(
                library=await self._library.counts(self._embedding.stamp),
                embedding=await self._embedding.progress(),
                training=await self._training.status(),
            )
        except StoreError:
            return None

    async def _count_events(self) -> None:
        async for announcement in self._subscription:
            self._sink.count(announcement.event)
