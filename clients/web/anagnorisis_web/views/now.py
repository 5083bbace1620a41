"""The page Now: the current song, its rating and why it was picked, the player, the next picks."""

from collections.abc import Awaitable
from typing import Any, TypeVar

import grpc
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from anagnorisis import text
from anagnorisis.v1 import pick_pb2 as picks
from anagnorisis.v1 import playback_pb2 as playback
from anagnorisis.v1.daemon_pb2 import GetStatusRequest, GetStatusResponse
from anagnorisis.v1.track_pb2 import Target
from anagnorisis_web import reason
from anagnorisis_web.access import form_route
from anagnorisis_web.daemon import TIMEOUT_SECONDS, Daemon
from anagnorisis_web.pages import Pages, fragment, redirect_back
from anagnorisis_web.views.mood import SoundTags, chosen_wishes, end_time

ACTIONS = {
    "play": playback.PLAYBACK_ACTION_PLAY,
    "pause": playback.PLAYBACK_ACTION_PAUSE,
    "next": playback.PLAYBACK_ACTION_NEXT,
    "previous": playback.PLAYBACK_ACTION_PREVIOUS,
}
OPTIONAL = {
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.UNAVAILABLE,
}
"""Why a part of the page may be left out: the song has just changed, MPD is not connected."""

T = TypeVar("T")


def routes(daemon: Daemon, pages: Pages) -> list[Route]:
    """Return the routes of this page."""
    sound_tags = SoundTags(daemon)

    async def show(request: Request) -> Response:
        wanted = fragment(request)
        status: GetStatusResponse = await daemon.daemon.GetStatus(
            GetStatusRequest(), timeout=TIMEOUT_SECONDS
        )
        context: dict[str, Any] = {"status": status}
        if wanted in ("", "why"):
            context |= await _why(daemon, pages, request, status)
        if wanted in ("", "picks"):
            context |= await _picks(daemon, pages, request)
        if wanted in ("", "mood"):
            context["sound_tags"] = await sound_tags.names()
            context["chosen"] = chosen_wishes(status.steering)
            context["ends"] = end_time(status.steering)
        return pages.respond(request, "now.html", context)

    async def control(request: Request, form: FormData) -> Response:
        action = ACTIONS.get(str(form.get("command", "")), playback.PLAYBACK_ACTION_UNSPECIFIED)
        await daemon.playback.ControlPlayback(
            playback.ControlPlaybackRequest(action=action), timeout=TIMEOUT_SECONDS
        )
        return redirect_back(request, form)

    async def remove(request: Request, form: FormData) -> Response:
        song_id = str(form.get("song_id", ""))
        number = int(song_id) if song_id.isascii() and song_id.isdigit() else -1
        answer = await daemon.picks.RemovePick(
            picks.RemovePickRequest(song_id=min(number, 2**63 - 1)), timeout=TIMEOUT_SECONDS
        )
        message = pages.texts(request)("now.removed", name=text.name(answer.track))
        return redirect_back(request, form, message)

    async def switch(request: Request, form: FormData) -> Response:
        answer = await daemon.picks.SetPicking(
            picks.SetPickingRequest(enabled=form.get("picking") == "on"), timeout=TIMEOUT_SECONDS
        )
        texts = pages.texts(request)
        message = texts("now.switched_on") if answer.enabled else texts("now.switched_off")
        return redirect_back(request, form, message)

    return [
        Route("/", show),
        form_route("/player", control),
        form_route("/picks/remove", remove),
        form_route("/picks/switch", switch),
    ]


async def _why(
    daemon: Daemon, pages: Pages, request: Request, status: GetStatusResponse
) -> dict[str, Any]:
    if not status.playback.HasField("track"):
        return {"why": None}
    track_id = status.playback.track.track_id
    answer: picks.ExplainTrackResponse | None = await _optional(
        daemon.picks.ExplainTrack(
            picks.ExplainTrackRequest(target=Target(track_id=track_id)), timeout=TIMEOUT_SECONDS
        )
    )
    if answer is None:
        return {"why": None}
    texts = pages.texts(request)
    return {"why": answer, "reason": reason.describe(answer.track, answer.explanation, texts)}


async def _picks(daemon: Daemon, pages: Pages, request: Request) -> dict[str, Any]:
    listed: picks.ListUpcomingPicksResponse | None = await _optional(
        daemon.picks.ListUpcomingPicks(picks.ListUpcomingPicksRequest(), timeout=TIMEOUT_SECONDS)
    )
    texts = pages.texts(request)
    return {
        "upcoming": [
            (pick, reason.describe(pick.track, pick.explanation, texts))
            if pick.HasField("explanation")
            else (pick, "")
            for pick in (listed.picks if listed else ())
        ]
    }


async def _optional(call: Awaitable[T]) -> T | None:
    """Return the response, or `None` if there is none at present."""
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        if error.code() in OPTIONAL:
            return None
        raise
