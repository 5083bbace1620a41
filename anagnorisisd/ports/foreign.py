"""Ratings that other programs have left."""

from typing import Protocol

from anagnorisisd.domain.track import Uri


class FileRatings(Protocol):
    """Ratings in the tags of files."""

    async def of(self, uri: Uri) -> float | None:
        """Return the rating, 0 to 10, in a file's tags; `None` where there is none.

        Never raises: a file that cannot be read has no rating.
        """
        ...
