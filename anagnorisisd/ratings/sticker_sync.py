"""Bringing ratings and `rating` stickers together.

A rating given here is written at once, so that a sticker which changes after that is newer. All
else is found by comparing all stickers with what was last seen or written: the player names no
song when a sticker changes, and tells of our own writing, too.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import islice

from anagnorisisd.config import schema
from anagnorisisd.domain.player import Player
from anagnorisisd.domain.rating import Rating, SyncedSticker
from anagnorisisd.domain.track import TrackId, Uri
from anagnorisisd.errors import PlayerRefused, RatedMeanwhile
from anagnorisisd.library.track_resolver import TrackIdCache
from anagnorisisd.ratings import sticker_rules
from anagnorisisd.ratings.service import RatingService
from anagnorisisd.ratings.sticker_reader import NOTICE_SECONDS, Reading, StickerReader
from anagnorisisd.ratings.sticker_rules import SyncAction, SyncState
from anagnorisisd.ratings.sticker_writer import NAME, StickerWriter, by_track
from anagnorisisd.storage.library import LibraryStore
from anagnorisisd.storage.ratings import RatingStore
from anagnorisisd.storage.stickers import StickerStore

log = logging.getLogger(__name__)

SOURCE = "sticker"
BATCH = 500
"""How many tracks are handled between two transactions."""

PROGRESS = 1000
"""After how many ratings taken from stickers it is said how far the comparison is."""

LOOKED_AT = 20
"""Of at most so many ratings that are not written the stickers are looked at one by one."""


class StickerSync:
    """Follows whichever of the two, a track's rating or the sticker of one of its files, is newer.

    `told_at` of `changed` is when the player last told that a sticker changed.
    """

    def __init__(
        self,
        *,
        player: Player,
        library: LibraryStore,
        store: RatingStore,
        ratings: RatingService,
        stickers: StickerStore,
        tracks: TrackIdCache,
        config: schema.Ratings,
    ) -> None:
        self._player = player
        self._library = library
        self._store = store
        self._ratings = ratings
        self._stickers = stickers
        self._tracks = tracks
        self._config = config
        self._reader = StickerReader(
            player, NAME, lambda text: sticker_rules.rating_of(text) is not None
        )
        self._writer = StickerWriter(player, stickers, self._reader)
        self._observers: dict[str, StickerReader] = {}
        self._due: dict[TrackId, None] = {}
        self._followed: set[TrackId] = set()
        # Held while one track is compared, or some are written: not while all stickers are read.
        self._turn = asyncio.Lock()
        self._spreading: dict[TrackId, tuple[Rating, Uri]] = {}
        self._mentioned: set[tuple[Uri, str]] = set()
        self._told_at = 0.0
        self._taken = 0

    def observe(self, name: str, reader: StickerReader | None) -> None:
        """Have stickers of another name looked at, or not, whenever a rating is given here."""
        self._observers.pop(name, None)
        if reader is not None:
            self._observers[name] = reader

    def reconfigure(self, config: schema.Ratings) -> None:
        """Follow other wishes from now on."""
        self._config = config

    def shake(self) -> None:
        """Note that stickers may vanish now without the listener's doing."""
        self._reader.shake()
        self._writer.retry()

    def changed(self, told_at: float) -> None:
        """Note when the player told that a sticker changed."""
        self._told_at = told_at

    def rated(self, track_id: TrackId) -> None:
        """Note that a track was rated here."""
        self._due[track_id] = None

    async def follow_ratings(self) -> None:
        """Write the ratings that were given here since the last time.

        Raises:
            PlayerUnavailable: the player went away; the rest is done when it is back.
        """
        while self._due:
            async with self._turn:
                batch = list(islice(self._due, BATCH))
                for track_id in batch:
                    del self._due[track_id]
                try:
                    await self._follow_batch(batch)
                except BaseException:
                    self._due |= dict.fromkeys(batch)
                    raise

    async def _follow_batch(self, batch: Sequence[TrackId]) -> None:
        copies = by_track(await self._library.copies(batch))
        newest = dict(await self._store.newest(batch))
        for track_id, entry in list(newest.items()):
            uris = copies.get(track_id, ())
            if self._told_at > entry.rated_at + NOTICE_SECONDS and await self._any_changed(uris):
                # Perhaps after our rating was given; comparing tells.
                del newest[track_id]
        files = [uri for track_id in newest for uri in copies.get(track_id, ())]
        if self._config.write_stickers:
            await self._writer.expect(files)
            for track_id, entry in newest.items():
                await self._writer.write(track_id, entry, copies.get(track_id, ()))
            await self._writer.flush()
            await self._look_at(newest, copies, self._observers)
        else:
            await self._look_at(newest, copies, {NAME: self._reader, **self._observers})
        self._followed.update(newest)

    async def _any_changed(self, uris: Sequence[Uri]) -> bool:
        """Whether one of these stickers is another than was read last."""
        for uri in uris:
            with suppress(PlayerRefused):
                if not self._reader.is_known(uri, await self._player.sticker(uri, NAME)):
                    return True
        return False

    async def _look_at(
        self,
        newest: Mapping[TrackId, Rating],
        copies: Mapping[TrackId, Sequence[Uri]],
        observers: Mapping[str, StickerReader],
    ) -> None:
        """Look at stickers as they are now: what they say later is newer than our rating."""
        if len(newest) > LOOKED_AT:
            return
        for track_id, entry in newest.items():
            for name, reader in observers.items():
                with suppress(PlayerRefused):
                    texts = {
                        uri: await self._player.sticker(uri, name)
                        for uri in copies.get(track_id, ())
                    }
                    reader.note(texts, track_id, entry.sequence)

    async def compare(self) -> bool:
        """Compare everything once; return whether it should be compared again soon.

        Raises:
            PlayerUnavailable: the player went away; the rest is done when it is back.
            PlayerRefused: the player has no stickers.
        """
        await self.follow_ratings()
        self._followed.clear()
        newest = await self._store.newest()
        last = max((entry.sequence for entry in newest.values()), default=0)
        reading = await self._reader.read(last)
        if reading.lost:
            log.warning(
                "%d rating stickers vanished from MPD at once; no rating is cleared", reading.lost
            )
        seen = await self._stickers.seen(NAME)
        self._taken, again = 0, bool(reading.suspects)
        try:
            groups = await self._grouped(reading, seen, newest)
            for done, (track_id, uris) in enumerate(groups.items(), 1):
                async with self._turn:
                    if not self._was_rated(track_id):
                        sides = _Track(track_id, newest.get(track_id), reading, seen)
                        again |= not await self._follow(sides, uris)
                if done % BATCH == 0:
                    await self._between(reading)
            await self._between(reading)
        finally:
            await self._writer.flush()
            if self._taken >= PROGRESS:
                log.info("took %d ratings from stickers", self._taken)
        await self._reader.complete(reading)
        return again

    async def _between(self, reading: Reading) -> None:
        """Write to further copies of tracks, note what is agreed on, and let others go on."""
        spreading, self._spreading = self._spreading, {}
        copies = by_track(await self._library.copies(list(spreading))) if spreading else {}
        for track_id, (entry, origin) in spreading.items():
            uris = [
                uri
                for uri in copies.get(track_id, ())
                if uri != origin and not sticker_rules.says(reading.texts.get(uri), entry.value)
            ]
            async with self._turn:
                if uris and self._config.write_stickers and not self._was_rated(track_id):
                    await self._writer.expect(uris)
                    await self._writer.write(track_id, entry, uris)
        await self._writer.flush()
        await asyncio.sleep(0)
        await self.follow_ratings()

    def _was_rated(self, track_id: TrackId) -> bool:
        """Whether a track was rated here since this comparison began."""
        return track_id in self._due or track_id in self._followed

    async def _grouped(
        self, reading: Reading, seen: Mapping[Uri, SyncedSticker], newest: Mapping[TrackId, Rating]
    ) -> dict[TrackId, list[Uri]]:
        """Return the files of each track that may have something to compare."""
        copies = dict(await self._library.copies(list(newest)))
        for done, uri in enumerate({*reading.texts, *seen} - copies.keys()):
            if done % BATCH == 0:
                await asyncio.sleep(0)
            track_id = await self._tracks.get(uri)
            if track_id is not None:
                copies[uri] = track_id
        return by_track(copies)

    async def _follow(self, track: "_Track", uris: Sequence[Uri]) -> bool:
        """Do what one track's files ask for; return whether that could be done."""
        moves = {uri: track.move(uri, self._told_at) for uri in uris}
        words = [uri for uri in uris if moves[uri] is SyncAction.RATE]
        if words and self._config.read_stickers:
            # Of several copies that changed, one whose change is known to be new comes first.
            word = min(words, key=lambda uri: not track.reading.changed(uri))
            return await self._take(track, word)
        for uri in uris:
            if moves[uri] is SyncAction.CLEAR and self._config.read_stickers:
                if await self._player.has(uri):
                    return await self._clear(track, uri)
                moves[uri] = SyncAction.KEEP
        for uri in uris:
            await self._settle(track, uri, moves[uri])
        return True

    async def _settle(self, track: "_Track", uri: Uri, move: SyncAction) -> None:
        match move:
            case SyncAction.AGREE:
                track.agree(uri, self._writer)
            case SyncAction.CLEAR | SyncAction.WRITE | SyncAction.DELETE if (
                self._config.write_stickers
            ):
                if uri not in track.reading.suspects and track.newest is not None:
                    await self._expect(track, uri)
                    await self._writer.write(track.track_id, track.newest, [uri])
            case SyncAction.IGNORE:
                track.agree(uri, self._writer)
                self._mention(track.track_id, uri, track.reading.texts[uri])

    async def _expect(self, track: "_Track", uri: Uri) -> None:
        if uri not in track.seen:
            await self._writer.expect([uri])

    async def _take(self, track: "_Track", uri: Uri) -> bool:
        """Make a sticker the track's rating, unless one was given here meanwhile."""
        text = track.reading.texts[uri]
        value = sticker_rules.rating_of(text)
        assert value is not None
        try:
            change = await self._ratings.rate(
                track.track_id, value, source=SOURCE, after=track.entry
            )
        except RatedMeanwhile:
            return False
        self._note_taken()
        self._follow_further(track, uri, text, change.rating)
        return True

    async def _clear(self, track: "_Track", uri: Uri) -> bool:
        try:
            change = await self._ratings.clear(track.track_id, source=SOURCE, after=track.entry)
        except RatedMeanwhile:
            return False
        self._follow_further(track, uri, None, change.rating)
        return True

    def _follow_further(self, track: "_Track", uri: Uri, text: str | None, entry: Rating) -> None:
        self._writer.agree(uri, SyncedSticker(text, entry.sequence))
        self._reader.note({uri: text}, track.track_id, entry.sequence)
        self._spreading[track.track_id] = (entry, uri)

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


class _Track:
    """What is known of one track in one comparison."""

    def __init__(
        self,
        track_id: TrackId,
        newest: Rating | None,
        reading: Reading,
        seen: Mapping[Uri, SyncedSticker],
    ) -> None:
        self.track_id = track_id
        self.newest = newest
        self.reading = reading
        self.seen = seen
        self.entry = 0 if newest is None else newest.sequence
        self._rating = None if newest is None else newest.value

    def move(self, uri: Uri, told_at: float) -> SyncAction:
        """Return what one file's sticker asks for."""
        live = self.reading.changed(uri) and self._is_newer(told_at)
        return sticker_rules.sync_action(
            SyncState(
                self.reading.texts.get(uri), self.seen.get(uri), self._rating, self.entry, live
            )
        )

    def agree(self, uri: Uri, writer: StickerWriter) -> None:
        """Have it noted that sticker and rating are as they are, if that is news."""
        now = SyncedSticker(self.reading.texts.get(uri), self.entry)
        if self.seen.get(uri) != now and (uri in self.seen or now != SyncedSticker(None, 0)):
            writer.agree(uri, now)

    def _is_newer(self, told_at: float) -> bool:
        """Whether a sticker that changed just now is newer than our rating."""
        if self.newest is None or self.reading.is_after(self.track_id, self.entry):
            return True
        return told_at > self.newest.rated_at + NOTICE_SECONDS
