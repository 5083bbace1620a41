"""When ratings and stickers are synchronised: on events of MPD and of the daemon."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from anagnorisisd.clock import Clock
from anagnorisisd.config import schema
from anagnorisisd.domain.player import Player
from anagnorisisd.errors import AnagnorisisError, PlayerRefused
from anagnorisisd.events import (
    Event,
    Events,
    LibraryChanged,
    PlayRecorded,
    PredictionsUpdated,
    TrackRated,
)
from anagnorisisd.library.track_resolver import TrackIdCache
from anagnorisisd.ratings.service import RatingService
from anagnorisisd.ratings.stickers.comparison import SOURCE, RatingStickers
from anagnorisisd.ratings.stickers.export import StickerExport
from anagnorisisd.ratings.stickers.likes import NAME as LIKE
from anagnorisisd.ratings.stickers.likes import LikeStickers
from anagnorisisd.runtime.log_setup import LastMessage
from anagnorisisd.storage.library import LibraryStore
from anagnorisisd.storage.ratings import RatingStore
from anagnorisisd.storage.stickers import StickerStore

log = logging.getLogger(__name__)

DELAY_SECONDS = 0.3
"""How long to wait for further changes before a comparison."""

MAX_DELAY_SECONDS = 60.0
"""The delay is doubled after each failure, up to this."""

REST_FACTOR = 3.0
"""A comparison is followed by a rest of this many times its duration."""


class StickerSync:
    """Synchronises ratings and stickers while MPD is connected, and after it was not."""

    def __init__(
        self,
        *,
        player: Player,
        library: LibraryStore,
        store: RatingStore,
        ratings: RatingService,
        stickers: StickerStore,
        events: Events,
        clock: Clock,
        config: schema.Ratings,
    ) -> None:
        self._player = player
        self._events = events
        self._clock = clock
        self._config = config
        tracks = TrackIdCache(library, events)
        self._rating_stickers = RatingStickers(
            player=player,
            library=library,
            store=store,
            ratings=ratings,
            stickers=stickers,
            tracks=tracks,
            config=config,
        )
        self._likes = LikeStickers(player, stickers, store, ratings, tracks)
        self._export = StickerExport(player, library, stickers)
        self._compare_needed = asyncio.Event()
        self._rated = asyncio.Event()
        self._last_error = LastMessage()
        self._configure_likes()

    def reconfigure(self, config: schema.Ratings) -> None:
        """Apply a changed configuration, and compare everything by it."""
        self._config = config
        self._rating_stickers.reconfigure(config)
        self._configure_likes()
        self._compare_needed.set()

    def _configure_likes(self) -> None:
        reader = self._likes.reader if self._config.read_like else None
        self._rating_stickers.pending.set_reader(LIKE, reader)

    def notice(self, changed: frozenset[str]) -> None:
        """Take note of changes in MPD, by the names of its subsystems, without waiting."""
        if changed & {"connected", "lost", "database", "update"}:
            # MPD removes the stickers of files that leave its database; no rating is cleared then.
            self._rating_stickers.expect_losses()
            self._likes.reader.expect_losses()
        if "sticker" in changed:
            self._rating_stickers.reader.record_event(self._clock.now())
            self._likes.reader.record_event(self._clock.now())
        if changed & {"connected", "database", "update", "sticker"}:
            self._compare_needed.set()

    async def run(self) -> None:
        """Synchronise after every change, until cancelled."""
        delay = DELAY_SECONDS
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch_events())
            tasks.create_task(self._write_ratings())
            while True:
                await self._compare_needed.wait()
                await self._clock.sleep(delay)
                self._compare_needed.clear()
                started = self._clock.monotonic()
                # If a comparison breaks the connection, the next one waits longer.
                succeeded = await self._attempt(self.synchronise)
                delay = DELAY_SECONDS if succeeded else min(MAX_DELAY_SECONDS, delay * 2)
                await self._clock.sleep((self._clock.monotonic() - started) * REST_FACTOR)

    async def _write_ratings(self) -> None:
        """Write each rating at once, so that a sticker which changes later is newer."""
        while True:
            await self._rated.wait()
            self._rated.clear()
            await self._attempt(self._rating_stickers.pending.write)

    async def _watch_events(self) -> None:
        with self._events.subscribe() as announcements:
            async for announcement in announcements:
                event = announcement.event
                if isinstance(event, TrackRated) and event.change.rating.source != SOURCE:
                    self._rating_stickers.pending.add(event.change.rating.track_id)
                    self._rated.set()
                if announcement.missed or self._affects_stickers(event):
                    self._compare_needed.set()

    def _affects_stickers(self, event: Event) -> bool:
        match event:
            case PredictionsUpdated():
                return self._config.write_predicted
            case PlayRecorded():
                return self._config.write_plays
        return isinstance(event, TrackRated | LibraryChanged)

    async def _attempt(self, action: Callable[[], Awaitable[None]]) -> bool:
        """Call `action` if MPD is connected; log an error once. Return whether there was none."""
        if not self._player.link().connected:
            return True
        try:
            await action()
        except AnagnorisisError as error:
            if self._last_error.changes_to(str(error)):
                log.warning("cannot synchronise ratings and stickers: %s", error)
            if not isinstance(error, PlayerRefused):  # MPD would refuse it again
                self._compare_needed.set()
            return False
        self._last_error.changes_to(None)
        return True

    async def synchronise(self) -> None:
        """Synchronise once.

        Raises:
            PlayerUnavailable: the connection was lost; the next call does the rest.
            PlayerRefused: the player has no stickers.
        """
        await self._rating_stickers.pending.write()
        again = False
        if self._config.read_stickers or self._config.write_stickers:
            again |= await self._rating_stickers.compare()
        if self._config.read_like:
            again |= await self._likes.compare()
        if again:
            self._compare_needed.set()
        if self._config.write_predicted:
            await self._export.write_predictions()
        if self._config.write_plays:
            await self._export.write_plays()
