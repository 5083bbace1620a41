"""Ratings in file tags as the port sees them, read by worker processes as all foreign bytes are."""

from collections.abc import Callable
from pathlib import Path

from anagnorisisd.domain.track import Uri
from anagnorisisd.errors import WorkerLost
from anagnorisisd.workers.pool import WorkerPool

TARGET = "anagnorisisd.ratings.tag_rating_reader:read"
TIMEOUT_SECONDS = 600.0
"""For a share that does not answer; the reader limits its own processor time."""


class TagRatingReader:
    """`FileRatings` by mutagen."""

    def __init__(self, path: Callable[[Uri], Path], workers: WorkerPool) -> None:
        self._path = path
        self._workers = workers

    async def of(self, uri: Uri) -> float | None:
        """Return the rating in a file's tags."""
        path = str(self._path(uri))
        try:
            rating = await self._workers.run(
                TARGET, path, timeout_seconds=TIMEOUT_SECONDS, answer=float | None, reads=[path]
            )
        except (WorkerLost, MemoryError):  # What killed its reader has no rating that can be read.
            return None
        return None if rating is None else float(rating)
