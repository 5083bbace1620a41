"""Changes of ratings, from whichever client or sticker they come.

A change is stored before it is returned, and then published as an event.
"""

from anagnorisisd.clock import Clock
from anagnorisisd.domain import rating
from anagnorisisd.domain.rating import RatingChange
from anagnorisisd.domain.track import TrackId
from anagnorisisd.events import Events, LibraryChanged, TrackRated
from anagnorisisd.storage.ratings import RatingStore


class RatingService:
    """Sets, adjusts, clears and undoes ratings; each method returns the change."""

    def __init__(self, store: RatingStore, events: Events, clock: Clock) -> None:
        self._store = store
        self._events = events
        self._clock = clock

    async def rate(
        self,
        track_id: TrackId,
        value: float,
        *,
        source: str,
        request_id: str | None = None,
        after: int | None = None,
    ) -> RatingChange:
        """Rate a track from 0 to 10; with `after`, only if that is its newest history entry.

        A repeated `request_id` returns the change of the first request.

        Raises:
            InvalidValue: `value` is not a rating.
            UnknownTrack: the library has no such track.
            RatedMeanwhile: the track has a newer entry than `after`.
        """
        return await self._append(
            track_id, rating.check(value), source=source, request_id=request_id, after=after
        )

    async def adjust(
        self, track_id: TrackId, delta: float, *, source: str, request_id: str | None = None
    ) -> RatingChange:
        """Add `delta` to a track's rating, else to its predicted rating, else to the middle.

        Raises:
            InvalidValue: `delta` is not between -10 and 10.
            UnknownTrack: the library has no such track.
        """
        return await self._append(
            track_id,
            None,
            delta=rating.check_delta(delta),
            source=source,
            request_id=request_id,
        )

    async def clear(
        self,
        track_id: TrackId,
        *,
        source: str,
        request_id: str | None = None,
        after: int | None = None,
    ) -> RatingChange:
        """Clear a track's rating, which is not the same as rating it 0. `after` as in `rate`."""
        return await self._append(track_id, None, source=source, request_id=request_id, after=after)

    async def restore(
        self, track_id: TrackId, value: float | None, *, at: float, source: str
    ) -> RatingChange:
        """Append a rating that was set, or cleared, at an earlier time, in unix seconds."""
        checked = None if value is None else rating.check(value)
        change = await self._store.rate(track_id, checked, at=at, source=source)
        self._events.publish(TrackRated(change))
        return change

    async def undo(self, *, source: str, request_id: str | None = None) -> RatingChange:
        """Undo the last change that was not undone yet.

        Raises:
            NothingToUndo: there is none.
        """
        change = await self._store.undo(at=self._clock.now(), source=source, request_id=request_id)
        # Stickers and the evaluator follow ratings; plays count for the weights of picks.
        self._events.publish(LibraryChanged() if change.rating.plays_only else TrackRated(change))
        return change

    async def _append(
        self,
        track_id: TrackId,
        value: float | None,
        *,
        source: str,
        request_id: str | None,
        delta: float | None = None,
        after: int | None = None,
    ) -> RatingChange:
        change = await self._store.rate(
            track_id,
            value,
            delta=delta,
            default=rating.DEFAULT_MEAN,
            at=self._clock.now(),
            source=source,
            request_id=request_id,
            after=after,
        )
        self._events.publish(TrackRated(change))
        return change
