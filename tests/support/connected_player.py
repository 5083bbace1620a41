"""An MpdPlayer whose changes are read, so that it connects."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from anagnorisisd.clock import SystemClock
from anagnorisisd.config import schema
from anagnorisisd.mpd.player import MpdPlayer
from tests.support.until import until


@dataclass
class Watched:
    """A player whose changes are being read."""

    player: MpdPlayer
    told: list[frozenset[str]] = field(default_factory=list)

    async def connected(self) -> None:
        """Wait until the link is up."""
        await until(lambda: self.player.link().connected)

    async def lost(self) -> None:
        """Wait until the link is down."""
        await until(lambda: frozenset({"lost"}) in self.told)


@asynccontextmanager
async def watching(config: schema.Mpd, library: Path) -> AsyncIterator[Watched]:
    watched = Watched(MpdPlayer(config, library, "anagnorisis", SystemClock()))

    async def watch() -> None:
        async for changed in watched.player.changes():
            watched.told.append(changed)

    task = asyncio.create_task(watch())
    try:
        yield watched
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def at(address: Path | str, **more: object) -> schema.Mpd:
    return schema.Mpd.model_validate({"address": str(address), "timeout_seconds": 1.0, **more})
