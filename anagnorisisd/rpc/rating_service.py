"""`RatingService`: the listener's ratings."""

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from grpc.aio import ServicerContext

from anagnorisis.v1 import rating_pb2 as messages
from anagnorisis.v1.rating_pb2_grpc import RatingServiceServicer
from anagnorisisd.domain import rating
from anagnorisisd.domain.rating import RatingChange
from anagnorisisd.errors import InvalidValue
from anagnorisisd.ratings.service import RatingService
from anagnorisisd.rpc import conversion, paging, validation
from anagnorisisd.rpc.shielded_calls import shielded_call
from anagnorisisd.rpc.track_lookup import TrackLookup
from anagnorisisd.storage.ratings import RatingStore

Context = ServicerContext[Any, Any]


class RatingServicer(RatingServiceServicer):
    """Takes ratings, and shows their history."""

    def __init__(self, ratings: RatingService, history: RatingStore, tracks: TrackLookup) -> None:
        self._ratings = ratings
        self._history = history
        self._tracks = tracks

    async def RateTrack(
        self, request: messages.RateTrackRequest, context: Context
    ) -> messages.RateTrackResponse:
        """Rate a track, absolutely or relative to the rating it has."""
        return messages.RateTrackResponse(change=await self._answer(await self._rate(request)))

    async def ClearRating(
        self, request: messages.ClearRatingRequest, context: Context
    ) -> messages.ClearRatingResponse:
        """Take a track's rating away."""
        source = validation.source(request.source)
        request_id = validation.request_id(request.request_id)
        track_id = await self._tracks.meant(request.target)
        change = await shielded_call(
            self._ratings.clear(track_id, source=source, request_id=request_id)
        )
        return messages.ClearRatingResponse(change=await self._answer(change))

    async def UndoRating(
        self, request: messages.UndoRatingRequest, context: Context
    ) -> messages.UndoRatingResponse:
        """Take the newest change that still stands back."""
        change = await shielded_call(
            self._ratings.undo(
                source=validation.source(request.source),
                request_id=validation.request_id(request.request_id),
            )
        )
        return messages.UndoRatingResponse(change=await self._answer(change))

    async def ListRatings(
        self, request: messages.ListRatingsRequest, context: Context
    ) -> messages.ListRatingsResponse:
        """List the history, newest first."""
        size = validation.count("page_size", request.page_size, validation.DEFAULT_PAGE)
        track_id = await self._tracks.meant(request.target) if request.HasField("target") else None
        before = paging.position(request.page_token, track_id)
        if track_id:
            await self._tracks.read(track_id)
        found = await self._history.history(track_id=track_id, limit=size + 1, before=before)
        page = found[:size]
        more = len(found) > size
        uris = await self._tracks.uris(entry.track_id for entry in page)
        return messages.ListRatingsResponse(
            ratings=[conversion.rating_message(entry, uris.get(entry.track_id)) for entry in page],
            next_page_token=paging.token(page[-1].sequence, track_id) if more else "",
        )

    async def _rate(self, request: messages.RateTrackRequest) -> RatingChange:
        # Everything is checked before MPD is asked: a bad value is one whether or not MPD is there.
        source = validation.source(request.source)
        request_id = validation.request_id(request.request_id)
        change = self._change(request)
        track_id = await self._tracks.meant(request.target)
        return await shielded_call(change(track_id, source=source, request_id=request_id))

    def _change(
        self, request: messages.RateTrackRequest
    ) -> Callable[..., Coroutine[Any, Any, RatingChange]]:
        match request.WhichOneof("value"):
            case "rating":
                return partial(self._ratings.rate, value=rating.checked(request.rating))
            case "delta":
                return partial(self._ratings.adjust, delta=rating.checked_delta(request.delta))
            case _:
                raise InvalidValue("value", "set one of rating or delta")

    async def _answer(self, change: RatingChange) -> messages.RatingChange:
        return conversion.change_message(change, await self._tracks.read(change.rating.track_id))
