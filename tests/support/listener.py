"""A listener's room: a real MPD, a library that knows its songs, and the services around both."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from anagnorisisd.adapters.mpd.player import MpdPlayer
from anagnorisisd.adapters.sqlite.stores import Stores
from anagnorisisd.adapters.system_clock import SystemClock
from anagnorisisd.config import schema
from anagnorisisd.domain.play import Play
from anagnorisisd.ports.player import Player
from anagnorisisd.services.attending import Attending
from anagnorisisd.services.channel import Channel
from anagnorisisd.services.events import Events
from anagnorisisd.services.listening import Listening
from anagnorisisd.services.queueing import Queueing
from anagnorisisd.services.ratings import Ratings
from anagnorisisd.services.targets import Targets
from tests.support.library import scanned
from tests.support.mpd import Mpd
from tests.support.until import until


class NoMirror:
    """Stickers are left alone."""

    def notice(self, changed: frozenset[str]) -> None:
        """Do nothing."""


@dataclass
class Room:
    """The services at work on one MPD."""

    server: Mpd
    stores: Stores
    player: Player
    events: Events
    ratings: Ratings
    queueing: Queueing

    async def plays(self) -> list[Play]:
        """Return the judged plays, oldest first."""
        return list(reversed(await self.stores.plays.recent(1000)))

    def queue(self) -> list[str]:
        """Return the files in the queue, as mpc shows them."""
        return self.server.mpc("playlist", "-f", "%file%").splitlines()

    async def queue_of(self, length: int) -> list[str]:
        """Wait until the queue has that many entries, and return them."""
        await until(lambda: len(self.queue()) == length)
        return self.queue()

    async def looked(self, times: int = 2) -> None:
        """Wait until the services have had every reason and time to change something."""
        for _ in range(times):
            done = asyncio.get_running_loop().time() + 0.4
            await until(lambda: asyncio.get_running_loop().time() > done)  # noqa: B023


@asynccontextmanager
async def room(
    server: Mpd,
    stores: Stores,
    *,
    picks: schema.Picks | None = None,
    listening: schema.Listening | None = None,
    rate: float = 1.0,
    seconds: float = 20.0,
    mpd: schema.Mpd | None = None,
) -> AsyncIterator[Room]:
    """Let the services attend to `server`, whose songs are the library."""
    found = sorted(path for path in server.music.rglob("*.wav"))
    files = [
        scanned(str(path.relative_to(server.music)), duration_seconds=seconds) for path in found
    ]
    await stores.library.absorb(files, 0.0)
    clock = SystemClock()
    events = Events(clock)
    config = mpd or schema.Mpd(address=str(server.socket), timeout_seconds=5)
    player = MpdPlayer(config, server.music, "anagnorisis", clock)
    ratings = Ratings(stores.ratings, events, clock)
    queueing = Queueing(
        library=stores.library,
        store=stores.queue,
        plays=stores.plays,
        player=player,
        events=events,
        clock=clock,
        config=picks or schema.Picks(),
        seed=1,
    )
    attending = Attending(
        player=player,
        listening=Listening(
            stores.library, stores.plays, events, clock, listening or schema.Listening(), rate=rate
        ),
        queueing=queueing,
        channel=Channel(player, Targets(stores.library, player), ratings, queueing),
        mirror=NoMirror(),
        events=events,
        clock=clock,
    )
    task = asyncio.create_task(attending.run())
    try:
        await until(lambda: player.link().connected)
        yield Room(server, stores, player, events, ratings, queueing)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
