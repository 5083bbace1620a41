"""Writing ratings into `rating` stickers of MPD.

A rating that is set in the daemon is written at once, so that a sticker which changes later is
known to be newer.
"""

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from itertools import islice

from anagnorisisd.config import schema
from anagnorisisd.domain.player import Player
from anagnorisisd.domain.rating import Rating, SyncedSticker
from anagnorisisd.domain.track import TrackId, Uri
from anagnorisisd.errors import PlayerRefused
from anagnorisisd.ratings.stickers import rules
from anagnorisisd.ratings.stickers.snapshot import SnapshotReader
from anagnorisisd.storage.library import LibraryStore
from anagnorisisd.storage.ratings import RatingStore
from anagnorisisd.storage.stickers import StickerStore

log = logging.getLogger(__name__)

NAME = "rating"
BATCH_TRACKS = 500
MAX_CHECKED_TRACKS = 20
"""With more pending ratings than this, stickers that are not written are not read one by one."""


class StickerWriter:
    """Writes stickers, and stores the synced state of each in batches."""

    def __init__(self, player: Player, stickers: StickerStore, reader: SnapshotReader) -> None:
        self._player = player
        self._stickers = stickers
        self._reader = reader
        self._refused: dict[Uri, str | None] = {}
        self._unsaved: dict[Uri, SyncedSticker] = {}

    def retry_refused(self) -> None:
        """Write the stickers again that MPD refused."""
        self._refused.clear()

    def record_synced(self, uri: Uri, synced: SyncedSticker) -> None:
        """Record the synced state of a sticker; `save` stores it."""
        self._unsaved[uri] = synced

    async def save(self) -> None:
        """Store all recorded synced states."""
        if self._unsaved:
            unsaved, self._unsaved = self._unsaved, {}
            try:
                await self._stickers.remember(NAME, unsaved)
            except BaseException:
                self._unsaved = unsaved | self._unsaved
                raise

    async def write(self, track_id: TrackId, newest: Rating, uris: Collection[Uri]) -> None:
        """Write a rating into the stickers of these files; delete them if it was cleared.

        Raises:
            PlayerUnavailable: the connection was lost.
        """
        text = None if newest.value is None else rules.sticker_text(newest.value)
        for uri in uris:
            if uri in self._refused and self._refused[uri] == text:
                continue
            try:
                await self._player.set_sticker(uri, NAME, text)
            except PlayerRefused as error:
                self._refused[uri] = text
                log.debug("cannot write the sticker of %s: %s", uri, error)
            else:
                self._refused.pop(uri, None)
                self.record_synced(uri, SyncedSticker(text, newest.sequence))
                self._reader.record({uri: text}, track_id, newest.sequence)

    async def announce(self, uris: Collection[Uri]) -> None:
        """Store that these stickers are about to be written.

        If the daemon is killed after a write, it does not take the sticker for the listener's.
        """
        await self._stickers.expect(NAME, uris)


class PendingRatings:
    """Ratings that were set in the daemon and are not written into stickers yet.

    `lock` is held while stickers of some tracks are read or written, so that the comparison of all
    stickers and `write` do not overwrite each other's.
    """

    def __init__(
        self,
        *,
        player: Player,
        library: LibraryStore,
        store: RatingStore,
        writer: StickerWriter,
        reader: SnapshotReader,
        config: schema.Ratings,
    ) -> None:
        self._player = player
        self._library = library
        self._store = store
        self._writer = writer
        self._reader = reader
        self._config = config
        self._other_readers: dict[str, SnapshotReader] = {}
        self._pending: dict[TrackId, None] = {}
        self._written: set[TrackId] = set()
        self.lock = asyncio.Lock()

    def reconfigure(self, config: schema.Ratings) -> None:
        """Apply a changed configuration."""
        self._config = config

    def set_reader(self, name: str, reader: SnapshotReader | None) -> None:
        """Record in `reader` the stickers called `name`, too, whenever a rating is set here."""
        self._other_readers.pop(name, None)
        if reader is not None:
            self._other_readers[name] = reader

    def add(self, track_id: TrackId) -> None:
        """Add a track that was rated here."""
        self._pending[track_id] = None

    def start_comparison(self) -> None:
        """Let `was_rated` report what is rated from now on."""
        self._written.clear()

    def was_rated(self, track_id: TrackId) -> bool:
        """Return whether a track was rated here since the comparison started."""
        return track_id in self._pending or track_id in self._written

    async def write(self) -> None:
        """Write all pending ratings.

        Raises:
            PlayerUnavailable: the connection was lost; what is not written remains pending.
        """
        while self._pending:
            async with self.lock:
                batch = list(islice(self._pending, BATCH_TRACKS))
                for track_id in batch:
                    del self._pending[track_id]
                try:
                    await self._write_batch(batch)
                except BaseException:
                    self._pending |= dict.fromkeys(batch)
                    raise

    async def _write_batch(self, batch: Sequence[TrackId]) -> None:
        files = files_by_track(await self._library.copies(batch))
        newest = dict(await self._store.newest(batch))
        for track_id, entry in list(newest.items()):
            uris = files.get(track_id, ())
            if self._reader.has_event_after(entry) and await self._any_changed(uris):
                # The sticker may be newer than our rating: the next comparison decides.
                del newest[track_id]
        if self._config.write_stickers:
            await self._writer.announce(
                [uri for track_id in newest for uri in files.get(track_id, ())]
            )
            for track_id, entry in newest.items():
                await self._writer.write(track_id, entry, files.get(track_id, ()))
            await self._writer.save()
            await self._read_stickers(newest, files, self._other_readers)
        else:
            readers = {NAME: self._reader, **self._other_readers}
            await self._read_stickers(newest, files, readers)
        self._written.update(newest)

    async def _any_changed(self, uris: Sequence[Uri]) -> bool:
        """Return whether one of these stickers differs from the latest snapshot."""
        for uri in uris:
            with suppress(PlayerRefused):
                if not self._reader.is_unchanged(uri, await self._player.sticker(uri, NAME)):
                    return True
        return False

    async def _read_stickers(
        self,
        newest: Mapping[TrackId, Rating],
        files: Mapping[TrackId, Sequence[Uri]],
        readers: Mapping[str, SnapshotReader],
    ) -> None:
        """Read stickers that are not written here, so that their later changes are newer."""
        if len(newest) > MAX_CHECKED_TRACKS:
            return
        for track_id, entry in newest.items():
            # A copy: `set_reader` may change them while a sticker is read.
            for name, reader in tuple(readers.items()):
                with suppress(PlayerRefused):
                    texts = {
                        uri: await self._player.sticker(uri, name)
                        for uri in files.get(track_id, ())
                    }
                    reader.record(texts, track_id, entry.sequence)


def files_by_track(copies: Mapping[Uri, TrackId]) -> dict[TrackId, list[Uri]]:
    """Return the files of each track, sorted."""
    found: dict[TrackId, list[Uri]] = {}
    for uri in sorted(copies):
        found.setdefault(copies[uri], []).append(uri)
    return found
