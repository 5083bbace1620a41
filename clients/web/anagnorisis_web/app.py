"""The web application: its routes and what every request passes through."""

import functools
from collections.abc import AsyncIterator, Collection
from contextlib import aclosing, asynccontextmanager
from importlib.resources import files
from typing import NamedTuple

import grpc
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from anagnorisis_web import access, live, login, sessions
from anagnorisis_web.daemon import Daemon
from anagnorisis_web.evaluation import Evaluation
from anagnorisis_web.pages import Pages, static_version
from anagnorisis_web.passphrase import Passphrase
from anagnorisis_web.suggestions import Suggestions
from anagnorisis_web.training import Training
from anagnorisis_web.views import (
    actions,
    audio,
    covers,
    guide,
    library,
    library_map,
    manifest,
    mood,
    now,
    taste,
    teach,
    track,
)

LOGGED_OUT = "logged_out"
"""Event: a session has ended, and with it its event streams."""
PING_SECONDS = 25
MIN_COMPRESSED_BYTES = 1000
NOT_COMPRESSED = (*DEFAULT_EXCLUDED_CONTENT_TYPES, "application/octet-stream")
"""Among them those of audio files: a range is one of the file as it is."""
IMMUTABLE = "public, max-age=31536000, immutable"

HTTP_STATUS = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.FAILED_PRECONDITION: 409,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}


class Settings(NamedTuple):
    """What the command line decides.

    `names` are host names beside addresses in digits; `secret` is the key of the tokens in forms;
    `logins` has those who are logged in, if there is a passphrase; `secure` is set where the page
    is served by HTTPS.
    """

    names: Collection[str]
    secret: str
    passphrase: Passphrase | None = None
    logins: sessions.Logins | None = None
    secure: bool = False


def build(daemon: Daemon, settings: Settings) -> Starlette:
    """Return the application."""
    pages = Pages()
    logins = settings.logins
    events = live.LiveEvents(daemon)
    training = Training(daemon, events)
    evaluation = Evaluation(daemon, events)
    suggestions = Suggestions(daemon, events)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        training.close()
        evaluation.close()
        await suggestions.close()
        await events.close()
        await daemon.close()

    async def stream(request: Request) -> Response:
        # A browser that connects again names the last event that it received.
        seen = request.headers.get("last-event-id") or request.query_params.get("after", "")
        session = sessions.of(request).id

        async def while_logged_in() -> AsyncIterator[ServerSentEvent]:
            async with aclosing(events.subscribe(seen)) as subscription:
                async for event in subscription:
                    if logins and not logins.has(session):
                        return
                    yield ServerSentEvent(event.data, event=event.name, id=event.position)

        return EventSourceResponse(while_logged_in(), ping=PING_SECONDS)

    routes: list[BaseRoute] = [
        *now.routes(daemon, pages),
        *library.routes(daemon, pages, events),
        *audio.routes(daemon),
        *teach.routes(daemon, pages, suggestions),
        *track.routes(daemon, pages),
        *library_map.routes(daemon, pages),
        *taste.routes(daemon, pages, training, evaluation),
        *actions.routes(daemon, pages),
        *manifest.routes(pages),
        *mood.routes(daemon, pages),
        *covers.routes(daemon),
        *guide.routes(pages),
        Route("/events", stream),
        Mount("/static", _Static(files("anagnorisis_web").joinpath("static"))),
    ]
    if settings.passphrase and logins:
        ended = functools.partial(events.publish, LOGGED_OUT)
        routes += login.routes(pages, settings.passphrase, logins, ended)

    async def daemon_failed(request: Request, error: Exception) -> Response:
        assert isinstance(error, grpc.aio.AioRpcError)
        status_code = HTTP_STATUS.get(error.code(), 502)
        context = {
            "problem": daemon.describe(error),
            "retry": request.method == "GET" and status_code in {503, 504},
        }
        return pages.respond(request, "error.html", context, status_code)

    async def not_found(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        context = {"problem": error.detail, "retry": False}
        return pages.respond(request, "error.html", context, error.status_code)

    app = Starlette(
        routes=routes,
        middleware=[
            Middleware(access.HostCheck, names=access.host_names(settings.names)),
            Middleware(
                GZipMiddleware,
                minimum_size=MIN_COMPRESSED_BYTES,
                exclude_content_types=NOT_COMPRESSED,
            ),
            Middleware(
                sessions.SessionCookie,
                key=settings.secret.encode(),
                logins=logins,
                secure=settings.secure,
            ),
            Middleware(login.LoginRequired, required=logins is not None),
            Middleware(live.PagePosition, events=events),
        ],
        exception_handlers={grpc.aio.AioRpcError: daemon_failed, HTTPException: not_found},
        lifespan=lifespan,
    )
    app.state.messages = sessions.Messages()
    return app


class _Static(StaticFiles):
    """Static files, which browsers keep: their URLs change with their content."""

    def __init__(self, directory: object) -> None:
        super().__init__(directory=str(directory))

    async def get_response(self, path: str, scope: Scope) -> Response:
        version = f"{static_version()}/"
        response = await super().get_response(path.removeprefix(version), scope)
        if response.status_code == 200 and path.startswith(version):
            response.headers["Cache-Control"] = IMMUTABLE
        return response
