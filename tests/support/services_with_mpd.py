"""A real MPD, a library that knows its songs, and the services around both."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from anagnorisisd.clock import SystemClock
from anagnorisisd.config import schema
from anagnorisisd.domain.play import Play
from anagnorisisd.domain.player import Player, PlayerState
from anagnorisisd.events import Events, LibraryChanged
from anagnorisisd.library.player_database import PlayerDatabase
from anagnorisisd.library.track_resolver import TrackResolver
from anagnorisisd.listening.player_monitor import PlayerMonitor
from anagnorisisd.listening.service import PlayService
from anagnorisisd.mpd.player import MpdPlayer
from anagnorisisd.picks.queue_manager import QueueManager
from anagnorisisd.picks.service import PickService
from anagnorisisd.playlists.rating_playlists import RatingPlaylists
from anagnorisisd.ratings.message_channel import MessageChannel
from anagnorisisd.ratings.service import RatingService
from anagnorisisd.ratings.stickers.sync_loop import StickerSync
from anagnorisisd.storage.stores import Stores
from tests.support.library import scanned, track_id
from tests.support.mpd import Mpd
from tests.support.until import until


class RefillCounter:
    """Counts the refills that have ended."""

    def __init__(self, manager: QueueManager) -> None:
        self.refills = 0
        self._refill = manager.refill
        manager.refill = self.refill  # type: ignore[method-assign]

    async def refill(self, state: PlayerState) -> None:
        """Refill as always, and count."""
        await self._refill(state)
        self.refills += 1


class CountedStickerSync(StickerSync):
    """Counts the synchronisations that have ended, and MPD's reports that a sticker changed."""

    looks = 0
    sticker_events = 0

    def notice(self, changed: frozenset[str]) -> None:
        """Take note as the base class, and count."""
        super().notice(changed)
        self.sticker_events += "sticker" in changed

    async def synchronise(self) -> None:
        """Synchronise as the base class, and count."""
        await super().synchronise()
        self.looks += 1


@dataclass
class MpdServices:
    """The services at work on one MPD."""

    server: Mpd
    stores: Stores
    player: Player
    events: Events
    ratings: RatingService
    picks: PickService
    refill_counter: RefillCounter
    sticker_sync: CountedStickerSync
    rating_playlists: RatingPlaylists

    async def plays(self) -> list[Play]:
        """Return the judged plays, oldest first."""
        return list(reversed(await self.stores.plays.recent(1000)))

    def queue(self) -> list[str]:
        """Return the files in the queue, as mpc shows them."""
        return self.server.mpc("playlist", "-f", "%file%").splitlines()

    def sticker(self, uri: str, name: str = "rating") -> str | None:
        """Return a sticker, as mpc shows it."""
        lines = self.server.mpc("sticker", uri, "list").splitlines()
        found = [line.removeprefix(f"{name}=") for line in lines if line.startswith(f"{name}=")]
        return found[0] if found else None

    async def rating(self, uri: str) -> float | None:
        """Return the rating that counts of the track at `uri`."""
        entry = (await self.stores.ratings.current()).get(track_id(uri))
        return None if entry is None else entry.value

    async def sources(self) -> list[str]:
        """Return where the ratings of the history came from, oldest first."""
        history = await self.stores.ratings.history(limit=10_000)
        return [entry.source for entry in reversed(history)]

    async def queue_of(self, length: int) -> list[str]:
        """Wait until the queue has that many entries, and return them."""
        await until(lambda: len(self.queue()) == length)
        return self.queue()

    async def looked(self) -> None:
        """Let the services look at everything as it is now, and do what they find to do."""
        for _ in range(2):  # a look that is under way may have begun too early
            looks, comparisons = self.refill_counter.refills + 1, self.sticker_sync.looks + 1
            self.events.publish(LibraryChanged())
            await until(partial(self._looked_so_often, looks, comparisons))

    def _looked_so_often(self, looks: int, comparisons: int) -> bool:
        return self.refill_counter.refills >= looks and self.sticker_sync.looks >= comparisons


@asynccontextmanager
async def mpd_services(
    server: Mpd,
    stores: Stores,
    *,
    picks: schema.Picks | None = None,
    listening: schema.Listening | None = None,
    rate: float = 1.0,
    seconds: float = 20.0,
    mpd: schema.Mpd | None = None,
    ratings_config: schema.Ratings | None = None,
    music: Path | None = None,
) -> AsyncIterator[MpdServices]:
    """Let the services attend to `server`, whose songs are the library.

    Long because they are wired here one after the other, as the daemon's own assembly does.
    """
    library = music or server.music
    found = sorted(
        str(path.relative_to(library))
        for path in library.rglob("*.*")
        if path.suffix in {".wav", ".flac"}
    )
    await stores.library.store_files([scanned(uri, duration_seconds=seconds) for uri in found], 0.0)
    clock = SystemClock()
    events = Events(clock)
    config = mpd or schema.Mpd(address=str(server.socket), timeout_seconds=5)
    player = MpdPlayer(config, library, "anagnorisis", clock)
    ratings = RatingService(stores.ratings, events, clock)
    pick_service = PickService(
        library=stores.library,
        store=stores.queue,
        plays=stores.plays,
        player=player,
        events=events,
        clock=clock,
        config=picks or schema.Picks(),
        seed=1,
    )
    refill_counter = RefillCounter(pick_service.queue_manager)
    sticker_sync = CountedStickerSync(
        player=player,
        library=stores.library,
        store=stores.ratings,
        ratings=ratings,
        stickers=stores.stickers,
        events=events,
        clock=clock,
        config=ratings_config or schema.Ratings(),
    )
    rating_playlists = RatingPlaylists(
        player=player,
        playlists=player.playlists,
        store=stores.playlists,
        library=stores.library,
        ratings=ratings,
        events=events,
        clock=clock,
        config=ratings_config or schema.Ratings(),
    )
    player_database = PlayerDatabase(stores.library, player, library.joinpath, events, clock)
    attending = PlayerMonitor(
        player=player,
        play_service=PlayService(
            stores.library, stores.plays, events, clock, listening or schema.Listening(), rate=rate
        ),
        queue_manager=pick_service.queue_manager,
        message_channel=MessageChannel(
            player,
            TrackResolver(stores.library, player),
            ratings,
            pick_service.switch,
            clock,
            skip_album=pick_service.skip_album,
        ),
        sticker_sync=sticker_sync,
        observers=(rating_playlists.notice, player_database.notice),
        events=events,
        clock=clock,
    )
    loops = (attending.run, sticker_sync.run, rating_playlists.run)
    lives = [asyncio.create_task(life()) for life in loops]
    try:
        await until(lambda: player.link().connected)
        yield MpdServices(
            server, stores, player, events, ratings, pick_service, refill_counter, sticker_sync,
            rating_playlists,
        )  # fmt: skip
    finally:
        for life in lives:
            life.cancel()
        ends = await asyncio.gather(*lives, return_exceptions=True)
        assert all(isinstance(end, asyncio.CancelledError) for end in ends), ends
