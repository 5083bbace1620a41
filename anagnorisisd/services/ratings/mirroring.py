"""Mirroring: ratings and the player's `rating` stickers follow each other.

What changed is found by comparing all stickers with what was last seen or written, because the
player names no song when a sticker changes, and tells of our own writing too.
"""

import asyncio
import logging

from anagnorisisd.config import schema
from anagnorisisd.domain import mirror
from anagnorisisd.domain.event import (
    Event,
    LibraryChanged,
    PlayJudged,
    PredictionsUpdated,
    TrackRated,
)
from anagnorisisd.domain.mirror import Move, Sides
from anagnorisisd.domain.track import TrackId, Uri
from anagnorisisd.errors import AnagnorisisError, PlayerRefused
from anagnorisisd.ports.clock import Clock
from anagnorisisd.ports.player import Player
from anagnorisisd.ports.stores import LibraryStore, RatingStore, StickerStore
from anagnorisisd.services.events import Events
from anagnorisisd.services.ratings.likes import Likes
from anagnorisisd.services.ratings.notes import Notes
from anagnorisisd.services.ratings.ratings import Ratings
from anagnorisisd.services.ratings.uri_tracks import UriTracks

log = logging.getLogger(__name__)

NAME = "rating"
SOURCE = "sticker"
PAUSE_SECONDS = 0.3
"""How long to wait for further changes before everything is compared."""

LONGEST_PAUSE_SECONDS = 60.0
REST = 3.0
"""A comparison is followed by a rest of this many times its own length."""

BATCH = 500
"""How many agreements are remembered in one transaction."""

PROGRESS = 1000
"""After how many ratings taken from stickers it is said how far the comparison is."""


class Mirroring:
    """Keeps both sides alike while the player is there, and after it was away."""

    def __init__(
        self,
        *,
        player: Player,
        library: LibraryStore,
        store: RatingStore,
        ratings: Ratings,
        stickers: StickerStore,
        events: Events,
        clock: Clock,
        config: schema.Ratings,
    ) -> None:
        self._player = player
        self._library = library
        self._store = store
        self._ratings = ratings
        self._stickers = stickers
        self._events = events
        self._clock = clock
        self._config = config
        self._tracks = UriTracks(library, events)
        self._likes = Likes(player, stickers, store, ratings, self._tracks)
        self._notes = Notes(player, library, stickers)
        self._wake = asyncio.Event()
        self._fresh: set[TrackId] = set()
        self._refused: set[Uri] = set()
        self._mentioned: set[tuple[Uri, str]] = set()
        self._shaken = True
        self._said: str | None = None
        self._taken = 0

    def reconfigure(self, config: schema.Ratings) -> None:
        """Follow other wishes from now on, beginning with a comparison."""
        self._config = config
        self._wake.set()

    def notice(self, changed: frozenset[str]) -> None:
        """Note what changed in the player, without waiting."""
        if changed & {"connected", "database", "update"}:
            # Stickers vanish together with their files; that takes no rating away.
            self._shaken = True
            self._refused.clear()
        if changed & {"connected", "database", "sticker"}:
            self._wake.set()

    async def run(self) -> None:
        """Compare and bring together whenever something changed, until cancelled."""
        pause = PAUSE_SECONDS
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch_events())
            while True:
                await self._wake.wait()
                await self._clock.sleep(pause)
                self._wake.clear()
                began = self._clock.monotonic()
                # A comparison that breaks the link must not break each one that follows.
                done = await self._attempt()
                pause = PAUSE_SECONDS if done else min(LONGEST_PAUSE_SECONDS, pause * 2)
                await self._clock.sleep((self._clock.monotonic() - began) * REST)

    async def _watch_events(self) -> None:
        with self._events.subscribe() as announcements:
            async for told in announcements:
                if isinstance(told.event, TrackRated):
                    rating = told.event.change.rating
                    if rating.source != SOURCE:
                        self._fresh.add(rating.track_id)
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

    async def _attempt(self) -> bool:
        """Synchronise if the player is there; what goes wrong is said once."""
        if not self._player.link().connected:
            return True
        try:
            await self.synchronise()
        except AnagnorisisError as error:
            if str(error) != self._said:
                log.warning("ratings and stickers could not be compared: %s", error)
            self._said = str(error)
            return False
        self._said = None
        return True

    async def synchronise(self) -> None:
        """Bring both sides together once.

        Raises:
            PlayerUnavailable: the player went away; the rest is done when it is back.
            PlayerRefused: the player has no stickers.
        """
        if self._config.read_stickers or self._config.write_stickers:
            await self._compare()
        if self._config.read_like:
            await self._likes.read()
        if self._config.write_predicted:
            await self._notes.write_predicted()
        if self._config.write_plays:
            await self._notes.write_plays()

    async def _compare(self) -> None:
        fresh, self._fresh = self._fresh, set()
        trusting = await self._is_settled()
        stickers = await self._player.stickers(NAME)
        seen = await self._stickers.seen(NAME)
        values = {track: entry.value for track, entry in (await self._store.current()).items()}
        rated = {uri: track for track, uri in (await self._library.uris(list(values))).items()}
        agreed: dict[Uri, str | None] = {}
        self._taken = 0
        try:
            for done, uri in enumerate(sorted({*stickers, *seen, *rated})):
                if done % BATCH == 0:
                    await asyncio.sleep(0)  # others want to go on, too
                track_id = rated.get(uri) or await self._tracks.at(uri)
                if track_id is None:
                    continue
                sides = Sides(
                    stickers.get(uri), seen.get(uri), values.get(track_id), track_id in fresh
                )
                await self._follow(uri, track_id, sides, trusting, agreed)
                if len(agreed) >= BATCH:
                    await self._remember(agreed)
        finally:
            await self._remember(agreed)
            if self._taken >= PROGRESS:
                log.info("took %d ratings from stickers", self._taken)

    async def _is_settled(self) -> bool:
        """Whether a sticker that is gone was taken away by somebody, not by an update."""
        shaken, self._shaken = self._shaken, False
        if shaken and (await self._player.state()).updating:
            self._shaken = True
        return not shaken

    async def _remember(self, agreed: dict[Uri, str | None]) -> None:
        if agreed:
            await self._stickers.remember(NAME, dict(agreed))
            agreed.clear()

    async def _follow(
        self,
        uri: Uri,
        track_id: TrackId,
        sides: Sides,
        trusting: bool,
        agreed: dict[Uri, str | None],
    ) -> None:
        """Do what one file asks for, and note what both sides agree on then."""
        match mirror.move(sides):
            case Move.AGREE if sides.sticker != sides.seen:
                agreed[uri] = sides.sticker
            case Move.RATE if self._config.read_stickers and sides.sticker is not None:
                value = mirror.rating_of(sides.sticker)
                await self._ratings.rate(track_id, value or 0.0, source=SOURCE)
                agreed[uri] = sides.sticker
                self._note_taken()
            case Move.CLEAR if not await self._player.has(uri):
                agreed[uri] = None
            case Move.CLEAR if trusting and self._config.read_stickers:
                await self._ratings.clear(track_id, source=SOURCE)
                agreed[uri] = None
            case Move.CLEAR | Move.WRITE | Move.DELETE if self._config.write_stickers:
                await self._write(uri, sides.rating, agreed)
            case Move.IGNORE:
                self._mention(track_id, uri, sides.sticker or "")

    async def _write(self, uri: Uri, rating: float | None, agreed: dict[Uri, str | None]) -> None:
        if uri in self._refused:
            return
        text = None if rating is None else mirror.text_of(rating)
        try:
            await self._player.set_sticker(uri, NAME, text)
        except PlayerRefused as error:
            self._refused.add(uri)
            log.debug("the sticker of %s was not written: %s", uri, error)
        else:
            agreed[uri] = text

    def _note_taken(self) -> None:
        """Count a rating that came from a sticker, and tell of many on the way."""
        self._taken += 1
        if self._taken % PROGRESS == 0:
            log.info("took %d ratings from stickers so far", self._taken)

    def _mention(self, track_id: TrackId, uri: Uri, text: str) -> None:
        if (uri, text) not in self._mentioned:
            self._mentioned.add((uri, text))
            log.warning(
                "the rating sticker of track %s says %r, which is not 0 to 10: ignored",
                track_id,
                text,
            )
            log.debug("track %s lies at %s", track_id, uri)
