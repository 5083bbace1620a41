"""`RatingService`: rating, clearing, undoing, and the rating history."""

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
from anagnorisisd.rpc.track_lookup import TrackLookup
from anagnorisisd.runtime.event_loop import run_to_completion
from anagnorisisd.storage.ratings import RatingStore

Context = ServicerContext[Any, Any]


class RatingServicer(RatingServiceServicer):
    """Implements `RatingService`."""

    def __init__(self, ratings: RatingService, history: RatingStore, tracks: TrackLookup) -> None:
        self._ratings = ratings
        self._history = history
        self._tracks = tracks

    async def RateTrack(
        self, request: messages.RateTrackRequest, context: Context
    ) -> messages.RateTrackResponse:
        """Set a track's rating, or change it by a delta."""
        return messages.RateTrackResponse(
            change=await self._change_message(await self._rate(request))
        )

    async def ClearRating(
        self, request: messages.ClearRatingRequest, context: Context
    ) -> messages.ClearRatingResponse:
        """Clear a track's rating."""
        source = validation.source(request.source)
        request_id = validation.request_id(request.request_id)
        track_id = await self._tracks.resolve(request.target)
        change = await run_to_completion(
            self._ratings.clear(track_id, source=source, request_id=request_id)
        )
        return messages.ClearRatingResponse(change=await self._change_message(change))

    async def UndoRating(
        self, request: messages.UndoRatingRequest, context: Context
    ) -> messages.UndoRatingResponse:
        """Undo the newest rating change that is not undone yet."""
        change = await run_to_completion(
            self._ratings.undo(
                source=validation.source(request.source),
                request_id=validation.request_id(request.request_id),
            )
        )
        return messages.UndoRatingResponse(change=await self._change_message(change))

    async def ListRatings(
        self, request: messages.ListRatingsRequest, context: Context
    ) -> messages.ListRatingsResponse:
        """List the rating history in pages, newest first."""
        size = validation.count("page_size", request.page_size, validation.DEFAULT_PAGE)
        track_id = (
            await self._tracks.resolve(request.target) if request.HasField("target") else None
        )
        before = paging.position(request.page_token, track_id)
        if track_id:
            await self._tracks.read(track_id)
        found = await self._history.history(
            track_id=track_id, limit=size + 1, before=before, with_plays_only=True
        )
        page = found[:size]
        more = len(found) > size
        uris = await self._tracks.uris(entry.track_id for entry in page)
        return messages.ListRatingsResponse(
            ratings=[conversion.rating_message(entry, uris.get(entry.track_id)) for entry in page],
            next_page_token=paging.token(page[-1].sequence, track_id) if more else "",
        )

    async def _rate(self, request: messages.RateTrackRequest) -> RatingChange:
        # Validate before asking MPD, so that an invalid value fails the same without MPD.
        source = validation.source(request.source)
        request_id = validation.request_id(request.request_id)
        change = self._rating_operation(request)
        track_id = await self._tracks.resolve(request.target)
        return await run_to_completion(change(track_id, source=source, request_id=request_id))

    def _rating_operation(
        self, request: messages.RateTrackRequest
    ) -> Callable[..., Coroutine[Any, Any, RatingChange]]:
        match request.WhichOneof("value"):
            case "rating":
                return partial(self._ratings.rate, value=rating.check(request.rating))
            case "delta":
                return partial(self._ratings.adjust, delta=rating.check_delta(request.delta))
            case _:
                raise InvalidValue("value", "set one of rating or delta")

    async def _change_message(self, change: RatingChange) -> messages.RatingChange:
        return conversion.change_message(change, await self._tracks.read(change.rating.track_id))
