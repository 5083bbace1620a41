"""`rate`, `clear`, `undo` and `ratings`."""

import os
from argparse import Namespace

from anagnorisis import text
from anagnorisis.connection import SECONDS_TO_ANSWER, connected
from anagnorisis.output import show_json, show_table
from anagnorisis.paging import collected
from anagnorisis.targets import target
from anagnorisis.v1 import rating_pb2 as messages
from anagnorisis.v1.rating_pb2_grpc import RatingServiceStub

SOURCE = "cli"

Answer = messages.RateTrackResponse | messages.ClearRatingResponse | messages.UndoRatingResponse


def rate(arguments: Namespace) -> None:
    """Rate a track."""
    request = messages.RateTrackRequest(
        target=target(arguments.uri), source=SOURCE, request_id=new_request_id()
    )
    if arguments.value.relative:
        request.delta = arguments.value.number
    else:
        request.rating = arguments.value.number
    with connected(arguments) as channel:
        answer = RatingServiceStub(channel).RateTrack(request, timeout=SECONDS_TO_ANSWER)
    _show(answer, arguments.json)


def clear(arguments: Namespace) -> None:
    """Take a track's rating away."""
    request = messages.ClearRatingRequest(
        target=target(arguments.uri), source=SOURCE, request_id=new_request_id()
    )
    with connected(arguments) as channel:
        answer = RatingServiceStub(channel).ClearRating(request, timeout=SECONDS_TO_ANSWER)
    _show(answer, arguments.json)


def undo(arguments: Namespace) -> None:
    """Take the last change back."""
    request = messages.UndoRatingRequest(source=SOURCE, request_id=new_request_id())
    with connected(arguments) as channel:
        answer = RatingServiceStub(channel).UndoRating(request, timeout=SECONDS_TO_ANSWER)
    _show(answer, arguments.json)


def history(arguments: Namespace) -> None:
    """List the ratings given."""
    only = target(arguments.uri) if arguments.uri else None
    with connected(arguments) as channel:
        entries = collected(
            RatingServiceStub(channel).ListRatings,
            messages.ListRatingsRequest(target=only),
            "ratings",
            arguments.limit,
        )
    if arguments.json:
        for entry in entries:
            show_json(entry, line=True)
    else:
        show_table(("WHEN", "RATING", "SOURCE", "TRACK"), [_row(entry) for entry in entries])


def new_request_id() -> str:
    """Return an id that makes it harmless if this request arrives twice."""
    return os.urandom(16).hex()


def said(change: messages.RatingChange) -> str:
    """Return what a change did, in a line without the track."""
    now = text.number(change.rating) if change.HasField("rating") else "no rating"
    before = text.number(change.previous_rating) if change.HasField("previous_rating") else "none"
    return f"{now} (was {before})"


def _show(answer: Answer, as_json: bool) -> None:
    if as_json:
        show_json(answer)
    else:
        print(f"{text.name(answer.change.track)}: {said(answer.change)}")


def _row(entry: messages.Rating) -> tuple[str, str, str, str]:
    value = text.number(entry.value) if entry.HasField("value") else "cleared"
    return text.when(entry.rated), value, text.printable(entry.source), entry.track_id
