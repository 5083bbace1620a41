"""The page Map: every embedded track as a dot, close to those that sound alike."""

import asyncio
import re
import struct

import grpc
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from anagnorisis.v1 import library_pb2 as library
from anagnorisis.v1.daemon_pb2 import GetStatusRequest
from anagnorisis.v1.track_pb2 import Target, Track
from anagnorisis_web.daemon import TIMEOUT_SECONDS, Daemon
from anagnorisis_web.library_map import Columns, Numbering, encode
from anagnorisis_web.pages import Pages

MAP_TIMEOUT_SECONDS = 600.0
"""The first map of a large library takes the daemon some seconds, more on a slow computer."""
MAX_DOTS = 20
SEARCH_PAGE, MAX_FOUND = 1000, 10_000
BINARY = "application/octet-stream"
NUMBERS = re.compile(r"\d{1,9}")


def routes(daemon: Daemon, pages: Pages) -> list[Route]:
    """Return the routes of this page."""
    numbering = Numbering()

    async def show(request: Request) -> Response:
        status, tags = await asyncio.gather(
            daemon.daemon.GetStatus(GetStatusRequest(), timeout=TIMEOUT_SECONDS), _tags(daemon)
        )
        values = {"tracks": status.library.embedded, "tags": tags}
        return pages.respond(request, "map.html", values)

    async def data(request: Request) -> Response:
        asked = library.GetLibraryMapRequest(sound_tag=request.query_params.get("tag", ""))
        call = daemon.library.GetLibraryMap(asked, timeout=MAP_TIMEOUT_SECONDS)
        messages = [message async for message in call]
        columns = await asyncio.to_thread(Columns.joined, messages)
        numbering.add(columns)
        return Response(await asyncio.to_thread(encode, columns), media_type=BINARY)

    async def dots(request: Request) -> Response:
        version = _version(request, numbering)
        numbers = map(int, NUMBERS.findall(request.query_params.get("dots", ""))[:MAX_DOTS])
        ids = numbering.track_ids(version, numbers)
        found = await asyncio.gather(*(_track(daemon, track_id) for track_id in ids))
        tracks = [track for track in found if track is not None]
        return pages.respond(request, "map_tracks.html", {"tracks": tracks})

    async def search(request: Request) -> Response:
        version = _version(request, numbering)
        asked = library.ListTracksRequest(
            text=request.query_params.get("q", "").strip(), page_size=SEARCH_PAGE
        )
        found: list[str] = []
        while len(found) < MAX_FOUND:
            answer = await daemon.library.ListTracks(asked, timeout=TIMEOUT_SECONDS)
            found += (track.track_id for track in answer.tracks)
            if not answer.next_page_token:
                break
            asked.page_token = answer.next_page_token
        numbers = await asyncio.to_thread(numbering.numbers, version, found)
        return Response(struct.pack(f"<{len(numbers)}I", *numbers), media_type=BINARY)

    return [
        Route("/map", show),
        Route("/map/data", data),
        Route("/map/tracks", dots),
        Route("/map/search", search),
    ]


def _version(request: Request, numbering: Numbering) -> str:
    version = request.query_params.get("version", "")
    if version not in numbering:
        raise HTTPException(409, "The library has changed; load the map again.")
    return version


async def _tags(daemon: Daemon) -> list[str]:
    """Return the names of the sound tags; none if the embedder knows no tags."""
    call = daemon.library.ListSoundTags(library.ListSoundTagsRequest(), timeout=TIMEOUT_SECONDS)
    answer, _reason = await daemon.answer_or_reason(call)
    return [tag.name for tag in answer.sound_tags if tag.tracks] if answer else []


async def _track(daemon: Daemon, track_id: str) -> Track | None:
    request = library.GetTrackRequest(target=Target(track_id=track_id))
    try:
        answer = await daemon.library.GetTrack(request, timeout=TIMEOUT_SECONDS)
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.NOT_FOUND:
            raise
        return None
    track: Track = answer.track
    return track
