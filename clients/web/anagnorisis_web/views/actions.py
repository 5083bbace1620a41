"""What the forms of all pages do: rate, clear, undo."""

import os

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from anagnorisis import text
from anagnorisis.v1 import rating_pb2 as ratings
from anagnorisis.v1.track_pb2 import Target
from anagnorisis_web.access import form_route
from anagnorisis_web.daemon import TIMEOUT_SECONDS, Daemon
from anagnorisis_web.pages import Pages, redirect_back

SOURCE = "web"
"""Source of ratings in the history."""


def routes(daemon: Daemon, pages: Pages) -> list[Route]:
    """Return the routes of the forms."""

    async def rate(request: Request, form: FormData) -> Response:
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

    return [form_route("/rate", rate), form_route("/clear", clear), form_route("/undo", undo)]


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
