"""Requests shared by several commands: targets, paged lists, rating changes."""

import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from anagnorisis.connection import SECONDS_TO_ANSWER
from anagnorisis.v1 import rating_pb2 as messages
from anagnorisis.v1.rating_pb2_grpc import RatingServiceStub
from anagnorisis.v1.track_pb2 import CurrentSong, Target

if TYPE_CHECKING:
    import grpc

    from anagnorisis.rating_value import Value


def target(text: str | None) -> Target:
    """Return the target for a path or a track id; for `None` the current song."""
    if text is None:
        return Target(current=CurrentSong())
    if re.fullmatch("[0-9a-f]{32}", text):
        return Target(track_id=text)
    return Target(uri=text)


MAX_PAGE_SIZE = 1000


def collect_pages(method: Callable[..., Any], request: Any, field: str, limit: int) -> list[Any]:
    """Request pages until `limit` entries are read; `field` names the list in the response."""
    entries: list[Any] = []
    while len(entries) < limit:
        request.page_size = min(MAX_PAGE_SIZE, limit - len(entries))
        answer = method(request, timeout=SECONDS_TO_ANSWER)
        entries.extend(getattr(answer, field))
        request.page_token = answer.next_page_token
        if not request.page_token:
            break
    return entries


Answer: TypeAlias = (
    messages.RateTrackResponse | messages.ClearRatingResponse | messages.UndoRatingResponse
)


def rate(channel: "grpc.Channel", target: Target, value: "Value", source: str) -> Answer:
    """Set a track's rating, or change it if `value` is relative."""
    request = messages.RateTrackRequest(target=target, source=source, request_id=_new_request_id())
    if value.relative:
        request.delta = value.number
    else:
        request.rating = value.number
    return RatingServiceStub(channel).RateTrack(request, timeout=SECONDS_TO_ANSWER)


def clear(channel: "grpc.Channel", target: Target, source: str) -> Answer:
    request = messages.ClearRatingRequest(
        target=target, source=source, request_id=_new_request_id()
    )
    return RatingServiceStub(channel).ClearRating(request, timeout=SECONDS_TO_ANSWER)


def undo(channel: "grpc.Channel", source: str) -> Answer:
    """Undo the last rating change."""
    request = messages.UndoRatingRequest(source=source, request_id=_new_request_id())
    return RatingServiceStub(channel).UndoRating(request, timeout=SECONDS_TO_ANSWER)


def _new_request_id() -> str:
    """Return an idempotency key: a repeated request has no further effect."""
    return os.urandom(16).hex()
