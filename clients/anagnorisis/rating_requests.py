"""Changing ratings: the requests behind `anagnorisis` and `anagnorisis-rate`."""

import os
from typing import TYPE_CHECKING, TypeAlias

from anagnorisis.connection import SECONDS_TO_ANSWER
from anagnorisis.v1 import rating_pb2 as messages
from anagnorisis.v1.rating_pb2_grpc import RatingServiceStub

if TYPE_CHECKING:
    import grpc

    from anagnorisis.rating_value import Value
    from anagnorisis.v1.track_pb2 import Target

Answer: TypeAlias = (
    messages.RateTrackResponse | messages.ClearRatingResponse | messages.UndoRatingResponse
)


def rate(channel: "grpc.Channel", target: "Target", value: "Value", source: str) -> Answer:
    """Rate a track, or change the rating that it has."""
    request = messages.RateTrackRequest(target=target, source=source, request_id=_new_id())
    if value.relative:
        request.delta = value.number
    else:
        request.rating = value.number
    return RatingServiceStub(channel).RateTrack(request, timeout=SECONDS_TO_ANSWER)


def clear(channel: "grpc.Channel", target: "Target", source: str) -> Answer:
    """Clear a track's rating."""
    request = messages.ClearRatingRequest(target=target, source=source, request_id=_new_id())
    return RatingServiceStub(channel).ClearRating(request, timeout=SECONDS_TO_ANSWER)


def undo(channel: "grpc.Channel", source: str) -> Answer:
    """Take the last change back."""
    request = messages.UndoRatingRequest(source=source, request_id=_new_id())
    return RatingServiceStub(channel).UndoRating(request, timeout=SECONDS_TO_ANSWER)


def _new_id() -> str:
    """Return an id that makes it harmless if a request arrives twice."""
    return os.urandom(16).hex()
