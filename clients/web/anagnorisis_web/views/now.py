"""The page Now: the current song, its rating, and the next picks."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from anagnorisis.v1.daemon_pb2 import GetStatusRequest
from anagnorisis_web.daemon import TIMEOUT_SECONDS, Daemon
from anagnorisis_web.pages import Pages


def routes(daemon: Daemon, pages: Pages) -> list[Route]:
    """Return the routes of this page."""

    async def show(request: Request) -> Response:
        status = await daemon.daemon.GetStatus(GetStatusRequest(), timeout=TIMEOUT_SECONDS)
        return pages.respond(request, "now.html", {"status": status})

    return [Route("/", show)]
