"""The page Teach me: the tracks whose ratings would improve the predictions most, one by one."""

import asyncio
import time
from collections.abc import Awaitable, Mapping
from typing import Any, NamedTuple

import grpc
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from anagnorisis.v1 import library_pb2 as library
from anagnorisis.v1.daemon_pb2 import GetStatusRequest
from anagnorisis.v1.track_pb2 import TRACK_STATE_EMBEDDED, Target, Track
from anagnorisis_web.access import form_route
from anagnorisis_web.daemon import TIMEOUT_SECONDS, Daemon
from anagnorisis_web.pages import Pages, fragment, redirect_back
from anagnorisis_web.suggestions import Suggestions
from anagnorisis_web.teaching import MAX_WAITING, Baselines, Visit
from anagnorisis_web.views import audio

COMPARED_TRACKS = 1000

PREVIEW_SECONDS = 30.0
PREVIEW_AT = 1 / 3
"""Where the preview begins, as a share of the track: beginnings say little."""
UNPLAYABLE = "application/octet-stream"


class Preview(NamedTuple):
    """What a browser plays: the media type, and the part in seconds of the file."""

    media_type: str
    start: float
    end: float


def routes(daemon: Daemon, pages: Pages, suggestions: Suggestions) -> list[Route]:
    """Return the routes of this page."""
    baselines = Baselines()

    async def show(request: Request) -> Response:
        wanted = fragment(request)
        # The progress is fetched beside other requests, whose changes it must not overwrite.
        session = dict(request.session) if wanted == "progress" else request.session
        visit = Visit(session, time.time())
        context: dict[str, Any] = {"visit": visit}
        parts: list[Awaitable[Mapping[str, Any]]] = []
        if wanted != "lesson":
            parts.append(_progress(daemon, visit, baselines))
        if wanted != "progress":
            parts.append(_lesson(daemon, visit, suggestions))
        for part in await asyncio.gather(*parts):
            context |= part
        return pages.respond(request, "teach.html", context)

    async def skip(request: Request, form: FormData) -> Response:
        Visit(request.session, time.time()).skip(str(form.get("track_id", "")))
        return redirect_back(request, form)

    async def play(request: Request, form: FormData) -> Response:
        Visit(request.session, time.time()).plays = form.get("play") == "yes"
        return redirect_back(request, form)

    return [
        Route("/teach", show),
        form_route("/teach/skip", skip),
        form_route("/teach/play", play),
    ]


async def _lesson(daemon: Daemon, visit: Visit, suggestions: Suggestions) -> Mapping[str, Any]:
    """Return the track to rate now with its preview, and the tracks that were rated last."""
    track, problem, searching = await _next_track(daemon, visit), "", False
    if track is None:
        try:
            count = MAX_WAITING + visit.skipped
            found = await suggestions.take(visit.visit_id, count, visit.seed)
            searching = found is None
            visit.suggest(found or ())
        except grpc.aio.AioRpcError as error:
            if error.code() != grpc.StatusCode.FAILED_PRECONDITION:
                raise
            problem = daemon.describe(error)
        track = await _next_track(daemon, visit)
    rated = await asyncio.gather(*(_track(daemon, track_id) for track_id in visit.rated))
    return {
        "track": track,
        "problem": problem,
        "searching": searching,
        "preview": await _preview(daemon, track) if track else None,
        "rated": [each for each in rated if each and each.HasField("rating")],
    }


async def _next_track(daemon: Daemon, visit: Visit) -> Track | None:
    """Return the first waiting track that is not rated yet, wherever ratings were given."""
    for track_id in visit.waiting:
        track = await _track(daemon, track_id)
        if track and track.state == TRACK_STATE_EMBEDDED and not track.HasField("rating"):
            return track
        visit.leave(track or Track(track_id=track_id))
    return None


async def _track(daemon: Daemon, track_id: str) -> Track | None:
    try:
        answer = await daemon.library.GetTrack(
            library.GetTrackRequest(target=Target(track_id=track_id)), timeout=TIMEOUT_SECONDS
        )
    except grpc.aio.AioRpcError as error:
        if error.code() != grpc.StatusCode.NOT_FOUND:
            raise
        return None
    track: Track = answer.track
    return track


async def _preview(daemon: Daemon, track: Track) -> Preview | None:
    """Return what a browser may play; `None` if it certainly cannot."""
    try:
        file = await audio.describe(daemon, Target(track_id=track.track_id))
    except grpc.aio.AioRpcError:
        return None
    if file.media_type == UNPLAYABLE:
        return None
    latest = max(0.0, track.duration_seconds - PREVIEW_SECONDS)
    start = file.start_seconds + min(PREVIEW_AT * track.duration_seconds, latest)
    end = start + PREVIEW_SECONDS
    if file.HasField("end_seconds"):
        end = min(end, file.end_seconds)
    return Preview(file.media_type, start, end)


async def _progress(daemon: Daemon, visit: Visit, baselines: Baselines) -> Mapping[str, Any]:
    """Return how far the learning is, and how much surer the predictions became."""
    status, listed = await asyncio.gather(
        daemon.daemon.GetStatus(GetStatusRequest(), timeout=TIMEOUT_SECONDS),
        daemon.library.ListTracks(
            library.ListTracksRequest(
                filter=library.TRACK_FILTER_UNRATED, page_size=COMPARED_TRACKS
            ),
            timeout=TIMEOUT_SECONDS,
        ),
    )
    metrics = status.evaluator.metrics
    error = metrics.error_ratio if status.HasField("evaluator") else None
    return {
        "training": status.training,
        "error": error,
        "error_before": visit.first_error(error),
        "sharpening": baselines.compare(visit.visit_id, listed.tracks),
    }
