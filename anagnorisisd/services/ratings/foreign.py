"""Ratings that other programs have left, as entries that can be imported."""

import os
from collections.abc import AsyncIterator

from anagnorisisd.domain import mirror
from anagnorisisd.domain.track import Uri
from anagnorisisd.domain.transfer import Entry, GivenRating
from anagnorisisd.ports.foreign import FileRatings
from anagnorisisd.ports.player import Player
from anagnorisisd.ports.stores import LibraryStore

STICKER = "rating"
TAG_SOURCE = "tag"
STICKER_SOURCE = "sticker"


class Foreign:
    """Finds ratings in file tags and in stickers; neither says when they were given."""

    def __init__(self, library: LibraryStore, files: FileRatings, player: Player) -> None:
        self._library = library
        self._files = files
        self._player = player

    async def in_tags(self) -> AsyncIterator[Entry]:
        """Yield the rating of every present file that has one in its tags."""
        for path, *_ in sorted(await self._library.seen()):
            uri = Uri(os.fsdecode(path))
            value = await self._files.of(uri)
            if value is not None:
                yield Entry(None, uri, None, TAG_SOURCE, GivenRating(value))

    async def in_stickers(self) -> AsyncIterator[Entry]:
        """Yield the rating in every sticker that has one on our scale.

        Raises:
            PlayerUnavailable: the player is away.
            PlayerRefused: the player has no stickers.
        """
        for uri, text in sorted((await self._player.stickers(STICKER)).items()):
            value = mirror.rating_of(text)
            if value is not None:
                yield Entry(None, uri, None, STICKER_SOURCE, GivenRating(value))
