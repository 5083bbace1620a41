"""Ratings that other programs left in file tags and in MPD's stickers, as entries to import."""

import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from anagnorisisd.domain.player import Player
from anagnorisisd.domain.track import Uri
from anagnorisisd.errors import WorkerLost
from anagnorisisd.library.file_access import FILE_TIMEOUT_SECONDS
from anagnorisisd.ratings.import_export import HistoryEntry, RatingEntry
from anagnorisisd.ratings.stickers.rules import parse_rating
from anagnorisisd.storage.library import LibraryStore
from anagnorisisd.workers.pool import WorkerPool

READ_FUNCTION = "anagnorisisd.ratings.rating_tag_reader:read"
STICKER = "rating"
TAG_SOURCE = "tag"
STICKER_SOURCE = "sticker"


class ImportableRatings:
    """Finds ratings in file tags and in stickers. When they were set is not known."""

    def __init__(
        self,
        library: LibraryStore,
        player: Player,
        path: Callable[[Uri], Path],
        workers: WorkerPool,
    ) -> None:
        self._library = library
        self._player = player
        self._path = path
        self._workers = workers

    async def in_tags(self) -> AsyncIterator[HistoryEntry]:
        """Yield the rating of every present file that has one in its tags."""
        for path, *_ in sorted(await self._library.present_files()):
            uri = Uri(os.fsdecode(path))
            value = await self.tag_rating(uri)
            if value is not None:
                yield HistoryEntry(None, uri, None, TAG_SOURCE, RatingEntry(value))

    async def tag_rating(self, uri: Uri) -> float | None:
        """Return the rating in a file's tags, `None` if it has none or cannot be read."""
        path = str(self._path(uri))
        try:
            rating = await self._workers.run(
                READ_FUNCTION,
                path,
                timeout_seconds=FILE_TIMEOUT_SECONDS,
                result_type=float | None,
                reads=[path],
            )
        except (WorkerLost, MemoryError):
            return None
        return None if rating is None else float(rating)

    async def in_stickers(self) -> AsyncIterator[HistoryEntry]:
        """Yield the rating of every file whose `rating` sticker is a number from 0 to 10.

        Raises:
            PlayerUnavailable: MPD is not connected.
            PlayerRefused: MPD has no stickers.
        """
        for uri, text in sorted((await self._player.stickers(STICKER)).items()):
            value = parse_rating(text)
            if value is not None:
                yield HistoryEntry(None, uri, None, STICKER_SOURCE, RatingEntry(value))
