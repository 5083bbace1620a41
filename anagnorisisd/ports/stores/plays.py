"""The history of plays."""

from collections.abc import Sequence
from typing import Protocol

from anagnorisisd.domain.play import Play


class PlayStore(Protocol):
    """Judged plays, append-only; full plays, skips and last played are kept per track."""

    async def append(self, play: Play) -> None:
        """Store a play."""
        ...

    async def recent(self, limit: int) -> Sequence[Play]:
        """Return the plays that ended last, newest first; old ones may be imported later."""
        ...

    async def between(self, start: float, end: float) -> Sequence[Play]:
        """Return the plays that ended from `start` to `end`, the one that ended first first."""
        ...
