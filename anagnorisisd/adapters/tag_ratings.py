"""Ratings in file tags as the port sees them; mutagen is imported when the first one is read."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from anagnorisisd.domain.track import Uri


class TagRatings:
    """`FileRatings` by mutagen."""

    def __init__(self, path: Callable[[Uri], Path]) -> None:
        self._path = path

    async def of(self, uri: Uri) -> float | None:
        """Return the rating in a file's tags."""
        return await asyncio.to_thread(_read, self._path(uri))


def _read(path: Path) -> float | None:
    from anagnorisisd.adapters import file_ratings

    return file_ratings.read(path)
