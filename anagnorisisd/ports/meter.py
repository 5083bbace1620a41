"""What is measured for somebody else's monitoring, and who takes it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from anagnorisisd.domain.embedding import EmbeddingProgress
from anagnorisisd.domain.evaluation import TrainingStatus
from anagnorisisd.domain.event import Event
from anagnorisisd.ports.stores import LibraryCounts


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


class Meter(Protocol):
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
