"""The history of ratings."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from anagnorisisd.domain.rating import Rating, RatingChange
from anagnorisisd.domain.track import TrackId


class RatingStore(Protocol):
    """The listener's ratings: an append-only history, the newest entry of a track counts."""

    async def rate(
        self,
        track_id: TrackId,
        value: float | None,
        *,
        at: float,
        source: str,
        delta: float | None = None,
        default: float | None = None,
        request_id: str | None = None,
        after: int | None = None,
    ) -> RatingChange:
        """Append a rating (`None` clears it) and return the change.

        With `delta`, `value` is ignored: the current rating, else the rounded predicted rating,
        else `default`, is moved by it, within the same transaction. A `request_id` seen before
        appends nothing and returns what it did the first time. A value equal to the one that
        counts is appended too: it is a fresh word of the listener. With `after`, it is appended
        only if this is the sequence of the track's newest entry, 0 for none.

        Raises:
            UnknownTrack: the library has no such track.
            RatedMeanwhile: the track has a newer entry than `after`.
        """
        ...

    async def undo(self, *, at: float, source: str, request_id: str | None = None) -> RatingChange:
        """Take the newest change not yet undone back, by appending what counted before it.

        Raises:
            NothingToUndo: no change is left.
        """
        ...

    async def history(
        self, *, track_id: TrackId | None = None, limit: int, before: int | None = None
    ) -> Sequence[Rating]:
        """Return entries, newest first, with a sequence below `before`."""
        ...

    async def current(self) -> Mapping[TrackId, Rating]:
        """Return the entry that counts of every track that has a rating."""
        ...

    async def newest(self, track_ids: Sequence[TrackId] | None = None) -> Mapping[TrackId, Rating]:
        """Return the newest entry of every track that has one, cleared ratings included.

        With `track_ids`, of these tracks only.
        """
        ...

    async def summary(self) -> tuple[int, float | None]:
        """Return how many tracks have a rating, and the mean of these ratings."""
        ...
