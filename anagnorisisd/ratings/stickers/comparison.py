"""Comparing all `rating` stickers with all ratings, and storing or writing whichever is newer.

MPD does not report which song's sticker changed, and reports our own writes, too. So all stickers
are compared with the snapshot before and with the synced state.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from anagnorisisd.config import schema
from anagnorisisd.domain.player import Player
from anagnorisisd.domain.rating import Rating, SyncedSticker
from anagnorisisd.domain.track import TrackId, Uri
from anagnorisisd.errors import RatedMeanwhile
from anagnorisisd.library.track_resolver import TrackIdCache
from anagnorisisd.ratings.service import RatingService
from anagnorisisd.ratings.stickers import rules
from anagnorisisd.ratings.stickers.rules import SyncAction, SyncState
from anagnorisisd.ratings.stickers.snapshot import Snapshot, SnapshotReader
from anagnorisisd.ratings.stickers.writer import (
    BATCH_TRACKS,
    NAME,
    PendingRatings,
    StickerWriter,
    files_by_track,
)
from anagnorisisd.storage.library import LibraryStore
from anagnorisisd.storage.ratings import RatingStore
from anagnorisisd.storage.stickers import StickerStore

log = logging.getLogger(__name__)

SOURCE = "sticker"
PROGRESS_RATINGS = 1000
"""A line is logged after each so many ratings that were imported from stickers."""


@dataclass(slots=True)
class _Comparison:
    """The state at the start of a comparison, and the number of ratings imported by it."""

    snapshot: Snapshot
    synced: Mapping[Uri, SyncedSticker]
    newest: Mapping[TrackId, Rating]
    imported: int = 0


class RatingStickers:
    """Compares `rating` stickers with ratings; `pending` writes those that are set in between."""

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
        self.reader = SnapshotReader(
            player, NAME, lambda text: rules.parse_rating(text) is not None
        )
        self._writer = StickerWriter(player, stickers, self.reader)
        self.pending = PendingRatings(
            player=player,
            library=library,
            store=store,
            writer=self._writer,
            reader=self.reader,
            config=config,
        )
        # Tracks rated by the sticker of one file, whose other files are still to be written.
        self._to_copy: dict[TrackId, tuple[Rating, Uri]] = {}
        self._logged_invalid: set[tuple[Uri, str]] = set()

    def reconfigure(self, config: schema.Ratings) -> None:
        """Apply a changed configuration."""
        self._config = config
        self.pending.reconfigure(config)

    def expect_losses(self) -> None:
        """Do not take stickers that are missing from now on for removed by the listener."""
        self.reader.expect_losses()
        self._writer.retry_refused()

    async def compare(self) -> bool:
        """Compare all stickers once; return whether another comparison is needed soon.

        Raises:
            PlayerUnavailable: the connection was lost; the next comparison does the rest.
            PlayerRefused: the player has no stickers.
        """
        await self.pending.write()
        self.pending.start_comparison()
        newest = await self._store.newest()
        last_entry = max((entry.sequence for entry in newest.values()), default=0)
        snapshot = await self.reader.read(last_entry)
        if snapshot.lost:
            log.warning(
                "%d rating stickers disappeared from MPD at once; no rating is cleared",
                snapshot.lost,
            )
        comparison = _Comparison(snapshot, await self._stickers.seen(NAME), newest)
        again = bool(snapshot.unconfirmed)
        try:
            files = await self._files_to_compare(comparison)
            for done, (track_id, uris) in enumerate(files.items(), 1):
                async with self.pending.lock:
                    if not self.pending.was_rated(track_id):
                        track = _Track(track_id, comparison, self.reader)
                        again |= not await self._sync_track(track, uris)
                if done % BATCH_TRACKS == 0:
                    await self._finish_batch(snapshot)
            await self._finish_batch(snapshot)
        finally:
            await self._writer.save()
            if comparison.imported >= PROGRESS_RATINGS:
                log.info("imported %d ratings from stickers", comparison.imported)
        await self.reader.complete(snapshot)
        return again

    async def _files_to_compare(self, comparison: _Comparison) -> dict[TrackId, list[Uri]]:
        """Return the files of each track that has a rating or a sticker, now or before."""
        copies = dict(await self._library.copies(list(comparison.newest)))
        others = {*comparison.snapshot.texts, *comparison.synced} - copies.keys()
        for done, uri in enumerate(others):
            if done % BATCH_TRACKS == 0:
                await asyncio.sleep(0)
            track_id = await self._tracks.get(uri)
            if track_id is not None:
                copies[uri] = track_id
        return files_by_track(copies)

    async def _finish_batch(self, snapshot: Snapshot) -> None:
        """Write the ratings of the batch to other files of its tracks, and save synced states."""
        to_copy, self._to_copy = self._to_copy, {}
        files = files_by_track(await self._library.copies(list(to_copy))) if to_copy else {}
        for track_id, (entry, origin) in to_copy.items():
            uris = [
                uri
                for uri in files.get(track_id, ())
                if uri != origin and not rules.equals(snapshot.texts.get(uri), entry.value)
            ]
            async with self.pending.lock:
                write = self._config.write_stickers and not self.pending.was_rated(track_id)
                if uris and write:
                    await self._writer.announce(uris)
                    await self._writer.write(track_id, entry, uris)
        await self._writer.save()
        await asyncio.sleep(0)
        await self.pending.write()

    async def _sync_track(self, track: "_Track", uris: Sequence[Uri]) -> bool:
        """Do what the stickers of a track's files require; return whether that was possible."""
        actions = {uri: track.action(uri) for uri in uris}
        rated = [uri for uri in uris if actions[uri] is SyncAction.RATE]
        if rated and self._config.read_stickers:
            # Of several files whose stickers changed, one that is known to be new counts.
            uri = min(rated, key=lambda uri: not track.snapshot.changed(uri))
            return await self._rate(track, uri)
        for uri in uris:
            if actions[uri] is SyncAction.CLEAR and self._config.read_stickers:
                if await self._player.has(uri):
                    return await self._clear(track, uri)
                actions[uri] = SyncAction.KEEP
        for uri in uris:
            await self._sync_file(track, uri, actions[uri])
        return True

    async def _sync_file(self, track: "_Track", uri: Uri, action: SyncAction) -> None:
        match action:
            case SyncAction.AGREE:
                track.record_synced(uri, self._writer)
            case SyncAction.CLEAR | SyncAction.WRITE | SyncAction.DELETE if (
                self._config.write_stickers
            ):
                if uri not in track.snapshot.unconfirmed and track.newest is not None:
                    if uri not in track.synced:
                        await self._writer.announce([uri])
                    await self._writer.write(track.track_id, track.newest, [uri])
            case SyncAction.IGNORE:
                track.record_synced(uri, self._writer)
                self._log_invalid(track.track_id, uri, track.snapshot.texts[uri])

    async def _rate(self, track: "_Track", uri: Uri) -> bool:
        """Store a sticker as the track's rating, unless it was rated here meanwhile."""
        text = track.snapshot.texts[uri]
        value = rules.parse_rating(text)
        assert value is not None
        try:
            change = await self._ratings.rate(
                track.track_id, value, source=SOURCE, after=track.entry
            )
        except RatedMeanwhile:
            return False
        track.comparison.imported += 1
        if track.comparison.imported % PROGRESS_RATINGS == 0:
            log.info("imported %d ratings from stickers so far", track.comparison.imported)
        self._record_change(track, uri, text, change.rating)
        return True

    async def _clear(self, track: "_Track", uri: Uri) -> bool:
        """Clear the track's rating, unless it was rated here meanwhile."""
        try:
            change = await self._ratings.clear(track.track_id, source=SOURCE, after=track.entry)
        except RatedMeanwhile:
            return False
        self._record_change(track, uri, None, change.rating)
        return True

    def _record_change(self, track: "_Track", uri: Uri, text: str | None, entry: Rating) -> None:
        self._writer.record_synced(uri, SyncedSticker(text, entry.sequence))
        self.reader.record({uri: text}, track.track_id, entry.sequence)
        self._to_copy[track.track_id] = (entry, uri)

    def _log_invalid(self, track_id: TrackId, uri: Uri, text: str) -> None:
        """Log once that a sticker is not a rating."""
        if (uri, text) not in self._logged_invalid:
            self._logged_invalid.add((uri, text))
            log.warning("ignored the rating sticker of track %s: %r is not 0 to 10", track_id, text)
            log.debug("track %s is at %s", track_id, uri)


class _Track:
    """One track in a comparison."""

    def __init__(self, track_id: TrackId, comparison: _Comparison, reader: SnapshotReader) -> None:
        self.track_id = track_id
        self.comparison = comparison
        self.snapshot = comparison.snapshot
        self.synced = comparison.synced
        self.newest = comparison.newest.get(track_id)
        self.entry = 0 if self.newest is None else self.newest.sequence
        self._reader = reader

    def action(self, uri: Uri) -> SyncAction:
        """Return what to do about the sticker of a file."""
        newer = self.snapshot.changed(uri) and self._reader.is_newer(
            self.snapshot, self.track_id, self.newest
        )
        rating = None if self.newest is None else self.newest.value
        text = self.snapshot.texts.get(uri)
        return rules.rating_action(SyncState(text, self.synced.get(uri), rating, self.entry, newer))

    def record_synced(self, uri: Uri, writer: StickerWriter) -> None:
        """Record the state of sticker and rating as synced, if it changed."""
        now = SyncedSticker(self.snapshot.texts.get(uri), self.entry)
        if self.synced.get(uri) != now and (uri in self.synced or now != SyncedSticker(None, 0)):
            writer.record_synced(uri, now)
