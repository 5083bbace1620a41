"""Writing `rating` stickers, and noting what both sides agree on then."""

import logging
from collections.abc import Collection, Mapping

from anagnorisisd.domain.player import Player
from anagnorisisd.domain.rating import Rating, SyncedSticker
from anagnorisisd.domain.track import TrackId, Uri
from anagnorisisd.errors import PlayerRefused
from anagnorisisd.ratings import sticker_rules
from anagnorisisd.ratings.sticker_reader import StickerReader
from anagnorisisd.storage.stickers import StickerStore

log = logging.getLogger(__name__)

NAME = "rating"


class StickerWriter:
    """Writes what the rating store says; what was written is noted in batches."""

    def __init__(self, player: Player, stickers: StickerStore, reader: StickerReader) -> None:
        self._player = player
        self._stickers = stickers
        self._reader = reader
        self._refused: dict[Uri, str | None] = {}
        self._agreed: dict[Uri, SyncedSticker] = {}

    @property
    def waiting(self) -> int:
        """How many agreements are not noted yet."""
        return len(self._agreed)

    def retry(self) -> None:
        """Try again what the player refused."""
        self._refused.clear()

    def agree(self, uri: Uri, seen: SyncedSticker) -> None:
        """Have it noted what both sides agree on."""
        self._agreed[uri] = seen

    async def flush(self) -> None:
        """Note all agreements on disk."""
        if self._agreed:
            agreed, self._agreed = self._agreed, {}
            try:
                await self._stickers.remember(NAME, agreed)
            except BaseException:
                self._agreed = agreed | self._agreed
                raise

    async def write(self, track_id: TrackId, newest: Rating, uris: Collection[Uri]) -> None:
        """Write a track's rating into the stickers of these files; a cleared one deletes them.

        Raises:
            PlayerUnavailable: the player went away.
        """
        text = None if newest.value is None else sticker_rules.text_of(newest.value)
        for uri in uris:
            if uri in self._refused and self._refused[uri] == text:
                continue
            try:
                await self._player.set_sticker(uri, NAME, text)
            except PlayerRefused as error:
                self._refused[uri] = text
                log.debug("the sticker of %s was not written: %s", uri, error)
            else:
                self._refused.pop(uri, None)
                self.agree(uri, SyncedSticker(text, newest.sequence))
                self._reader.note({uri: text}, track_id, newest.sequence)

    async def expect(self, uris: Collection[Uri]) -> None:
        """Note on disk that these stickers are about to be written."""
        await self._stickers.expect(NAME, uris)


def by_track(copies: Mapping[Uri, TrackId]) -> dict[TrackId, list[Uri]]:
    """Return the files of each track, by path."""
    found: dict[TrackId, list[Uri]] = {}
    for uri in sorted(copies):
        found.setdefault(copies[uri], []).append(uri)
    return found
