"""What the forms of all pages do: rate, clear, undo, add to the queue."""

import os

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from anagnorisis import text
from anagnorisis.v1 import playback_pb2 as playback
from anagnorisis.v1 import rating_pb2 as ratings
from anagnorisis.v1.library_pb2 import GetTrackRequest
from anagnorisis.v1.track_pb2 import Target
from anagnorisis_web.access import form_route
from anagnorisis_web.daemon import TIMEOUT_SECONDS, Daemon
from anagnorisis_web.pages import Pages, redirect_back

POSITIONS = {
    "now": playback.QUEUE_POSITION_NOW,
    "next": playback.QUEUE_POSITION_NEXT,
    "end": playback.QUEUE_POSITION_END,
}
SOURCE = "web"
"""Source of ratings in the history."""


def routes(daemon: Daemon, pages: Pages) -> list[Route]:
    """Return the routes of the forms."""

    async def rate(request: Request, form: FormData) -> Response:
        if form.get("rating") == "":
            return await clear(request, form)
        answer = await daemon.ratings.RateTrack(
            ratings.RateTrackRequest(
                target=_target(form),
                rating=_number(form, "rating"),
                source=SOURCE,
                request_id=_request_id(),
            ),
            timeout=TIMEOUT_SECONDS,
        )
        change = answer.change
        message = pages.texts(request)(
            "actions.rated", name=text.name(change.track), rating=text.number(change.rating)
        )
        return redirect_back(request, form, message)

    async def clear(request: Request, form: FormData) -> Response:
        answer = await daemon.ratings.ClearRating(
            ratings.ClearRatingRequest(
                target=_target(form), source=SOURCE, request_id=_request_id()
            ),
            timeout=TIMEOUT_SECONDS,
        )
        message = pages.texts(request)("actions.cleared", name=text.name(answer.change.track))
        return redirect_back(request, form, message)

    async def undo(request: Request, form: FormData) -> Response:
        answer = await daemon.ratings.UndoRating(
            ratings.UndoRatingRequest(source=SOURCE, request_id=_request_id()),
            timeout=TIMEOUT_SECONDS,
        )
        change = answer.change
        message = pages.texts(request)(
            "actions.undone", name=text.name(change.track), change=text.changed(change)
        )
        return redirect_back(request, form, message)

    async def queue(request: Request, form: FormData) -> Response:
        target, position = _target(form), str(form.get("position", ""))
        track = await daemon.library.GetTrack(
            GetTrackRequest(target=target), timeout=TIMEOUT_SECONDS
        )
        await daemon.playback.QueueTrack(
            playback.QueueTrackRequest(
                target=target, position=POSITIONS.get(position, playback.QUEUE_POSITION_END)
            ),
            timeout=TIMEOUT_SECONDS,
        )
        name, texts = text.name(track.track), pages.texts(request)
        message = {
            "now": texts("queue.now", name=name),
            "next": texts("queue.next", name=name),
        }.get(position, texts("queue.end", name=name))
        return redirect_back(request, form, message)

    return [
        form_route("/rate", rate),
        form_route("/queue", queue),
        form_route("/clear", clear),
        form_route("/undo", undo),
    ]


def _target(form: FormData) -> Target:
    return Target(track_id=str(form.get("track_id", "")))


def _number(form: FormData, name: str) -> float:
    """Return a number of the form; the daemon refuses NaN, which stands for no number."""
    try:
        return float(str(form.get(name, "")))
    except ValueError:
        return float("nan")


def _request_id() -> str:
    """Return an idempotency key: gRPC may send a request twice."""
    return os.urandom(16).hex()
