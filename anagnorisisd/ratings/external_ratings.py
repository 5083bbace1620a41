"""Ratings that other programs have left, as entries that can be imported."""

import os
from collections.abc import AsyncIterator

from anagnorisisd.domain.player import Player
from anagnorisisd.domain.track import Uri
from anagnorisisd.ratings import sticker_rules
from anagnorisisd.ratings.history_entries import GivenRating, HistoryEntry
from anagnorisisd.ratings.interfaces import FileRatings
from anagnorisisd.storage.library import LibraryStore

STICKER = "rating"
TAG_SOURCE = "tag"
STICKER_SOURCE = "sticker"


class ExternalRatings:
    """Finds ratings in file tags and in stickers; neither says when they were given."""

    def __init__(self, library: LibraryStore, files: FileRatings, player: Player) -> None:
        self._library = library
        self._files = files
        self._player = player

    async def in_tags(self) -> AsyncIterator[HistoryEntry]:
        """Yield the rating of every present file that has one in its tags."""
        for path, *_ in sorted(await self._library.seen()):
            uri = Uri(os.fsdecode(path))
            value = await self._files.of(uri)
            if value is not None:
                yield HistoryEntry(None, uri, None, TAG_SOURCE, GivenRating(value))

    async def in_stickers(self) -> AsyncIterator[HistoryEntry]:
        """Yield the rating in every sticker that has one on our scale.

        Raises:
            PlayerUnavailable: the player is away.
            PlayerRefused: the player has no stickers.
        """
        for uri, text in sorted((await self._player.stickers(STICKER)).items()):
            value = sticker_rules.rating_of(text)
            if value is not None:
                yield HistoryEntry(None, uri, None, STICKER_SOURCE, GivenRating(value))
