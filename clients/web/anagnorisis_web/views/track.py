"""The page of one track: facts, rating history, reasons, similar tracks."""

import asyncio
from collections.abc import Awaitable
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from anagnorisis.v1 import library_pb2 as library
from anagnorisis.v1 import pick_pb2 as picks
from anagnorisis.v1 import rating_pb2 as ratings
from anagnorisis.v1.track_pb2 import Target
from anagnorisis_web.daemon import TIMEOUT_SECONDS, Daemon
from anagnorisis_web.pages import Pages, fragment

MAX_RATINGS = 50
SIMILAR_TRACKS = 10


def routes(daemon: Daemon, pages: Pages) -> list[Route]:
    """Return the routes of this page."""

    async def show(request: Request) -> Response:
        target = Target(track_id=request.path_params["track_id"])
        wanted = fragment(request)
        asked: dict[str, Awaitable[Any]] = {
            "found": daemon.library.GetTrack(
                library.GetTrackRequest(target=target), timeout=TIMEOUT_SECONDS
            )
        }
        if wanted in ("", "history"):
            asked["history"] = daemon.ratings.ListRatings(
                ratings.ListRatingsRequest(target=target, page_size=MAX_RATINGS),
                timeout=TIMEOUT_SECONDS,
            )
        if wanted in ("", "reasons"):
            asked["why"] = daemon.answer_or_reason(
                daemon.picks.ExplainTrack(
                    picks.ExplainTrackRequest(target=target), timeout=TIMEOUT_SECONDS
                ),
            )
        if wanted == "":
            asked["similar"] = daemon.answer_or_reason(
                daemon.library.FindSimilar(
                    library.FindSimilarRequest(target=target, count=SIMILAR_TRACKS),
                    timeout=TIMEOUT_SECONDS,
                ),
            )
        answers = dict(zip(asked, await asyncio.gather(*asked.values()), strict=True))
        return pages.respond(request, "track.html", {**answers, "track": answers["found"].track})

    async def row(request: Request) -> Response:
        track_id = request.path_params["track_id"]
        if fragment(request) != "row":
            return RedirectResponse(f"/tracks/{track_id}", 303)
        answer = await daemon.library.GetTrack(
            library.GetTrackRequest(target=Target(track_id=track_id)), timeout=TIMEOUT_SECONDS
        )
        return pages.respond(request, "row.html", {"track": answer.track})

    return [Route("/tracks/{track_id:str}", show), Route("/tracks/{track_id:str}/row", row)]
