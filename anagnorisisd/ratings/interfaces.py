"""Ratings where other programs look for them, and leave theirs."""

from typing import Protocol

from anagnorisisd.domain.track import TrackId, Uri


class FileRatings(Protocol):
    """Ratings in the tags of files."""

    async def of(self, uri: Uri) -> float | None:
        """Return the rating, 0 to 10, in a file's tags; `None` where there is none.

        Never raises: a file that cannot be read has no rating.
        """
        ...


class RatingTags(Protocol):
    """Writes ratings into the tags of files."""

    async def write(self, uri: Uri, track_id: TrackId, rating: float | None) -> bool:
        """Make the file of a track say `rating`, 0 to 10; return whether that took a change.

        `None` takes our own tag away, and nobody else's. The audio stays what it is.

        Raises:
            MediaError: it cannot be done; the text says why.
        """
        ...
