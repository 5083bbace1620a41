"""Mirroring: ratings and the player's `rating` stickers follow each other.

This is when it happens; `StickerSync` and `LikeStickers` are how.
"""

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
    PlayJudged,
    PredictionsUpdated,
    TrackRated,
)
from anagnorisisd.library.track_resolver import TrackIdCache
from anagnorisisd.ratings.like_stickers import NAME as LIKE
from anagnorisisd.ratings.like_stickers import LikeStickers
from anagnorisisd.ratings.service import RatingService
from anagnorisisd.ratings.sticker_export import StickerExport
from anagnorisisd.ratings.sticker_sync import SOURCE, StickerSync
from anagnorisisd.storage.library import LibraryStore
from anagnorisisd.storage.ratings import RatingStore
from anagnorisisd.storage.stickers import StickerStore

log = logging.getLogger(__name__)

PAUSE_SECONDS = 0.3
"""How long to wait for further changes before everything is compared."""

LONGEST_PAUSE_SECONDS = 60.0
REST = 3.0
"""A comparison is followed by a rest of this many times its own length."""


class StickerService:
    """Keeps both sides alike while the player is there, and after it was away."""

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
        self._sync = StickerSync(
            player=player,
            library=library,
            store=store,
            ratings=ratings,
            stickers=stickers,
            tracks=tracks,
            config=config,
        )
        self._likes = LikeStickers(player, stickers, store, ratings, tracks)
        self._notes = StickerExport(player, library, stickers)
        self._wake = asyncio.Event()
        self._rated = asyncio.Event()
        self._said: str | None = None
        self._watch_likes()

    def reconfigure(self, config: schema.Ratings) -> None:
        """Follow other wishes from now on, beginning with a comparison."""
        self._config = config
        self._sync.reconfigure(config)
        self._watch_likes()
        self._wake.set()

    def _watch_likes(self) -> None:
        self._sync.observe(LIKE, self._likes.reader if self._config.read_like else None)

    def notice(self, changed: frozenset[str]) -> None:
        """Note what changed in the player, without waiting."""
        if changed & {"connected", "lost", "database", "update"}:
            # Stickers vanish together with their files; that takes no rating away.
            self._sync.shake()
            self._likes.reader.shake()
        if "sticker" in changed:
            self._sync.changed(self._clock.now())
            self._likes.changed(self._clock.now())
        if changed & {"connected", "database", "update", "sticker"}:
            self._wake.set()

    async def run(self) -> None:
        """Compare and bring together whenever something changed, until cancelled."""
        pause = PAUSE_SECONDS
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch_events())
            tasks.create_task(self._follow_ratings())
            while True:
                await self._wake.wait()
                await self._clock.sleep(pause)
                self._wake.clear()
                began = self._clock.monotonic()
                # A comparison that breaks the link must not break each one that follows.
                done = await self._attempt(self.synchronise)
                pause = PAUSE_SECONDS if done else min(LONGEST_PAUSE_SECONDS, pause * 2)
                await self._clock.sleep((self._clock.monotonic() - began) * REST)

    async def _follow_ratings(self) -> None:
        """Write each rating at once, so that a sticker which changes later is newer."""
        while True:
            await self._rated.wait()
            self._rated.clear()
            await self._attempt(self._sync.follow_ratings)

    async def _watch_events(self) -> None:
        with self._events.subscribe() as announcements:
            async for told in announcements:
                if isinstance(told.event, TrackRated):
                    rating = told.event.change.rating
                    if rating.source != SOURCE:
                        self._sync.rated(rating.track_id)
                        self._rated.set()
                if told.missed or self._concerns(told.event):
                    self._wake.set()

    def _concerns(self, event: Event) -> bool:
        """Whether something that is mirrored may have changed."""
        match event:
            case PredictionsUpdated():
                return self._config.write_predicted
            case PlayJudged():
                return self._config.write_plays
        return isinstance(event, TrackRated | LibraryChanged)

    async def _attempt(self, action: Callable[[], Awaitable[None]]) -> bool:
        """Do something if the player is there; what goes wrong is said once."""
        if not self._player.link().connected:
            return True
        try:
            await action()
        except AnagnorisisError as error:
            if str(error) != self._said:
                log.warning("ratings and stickers could not be compared: %s", error)
            self._said = str(error)
            if not isinstance(error, PlayerRefused):  # what MPD refuses it refuses again
                self._wake.set()
            return False
        self._said = None
        return True

    async def synchronise(self) -> None:
        """Bring both sides together once.

        Raises:
            PlayerUnavailable: the player went away; the rest is done when it is back.
            PlayerRefused: the player has no stickers.
        """
        await self._sync.follow_ratings()
        again = False
        if self._config.read_stickers or self._config.write_stickers:
            again |= await self._sync.compare()
        if self._config.read_like:
            again |= await self._likes.compare()
        if again:
            self._wake.set()
        if self._config.write_predicted:
            await self._notes.write_predicted()
        if self._config.write_plays:
            await self._notes.write_plays()
