"""The covers of tracks, in several sizes; a drawn picture for a track without one."""

import grpc
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from anagnorisis.v1.library_pb2 import GetCoverRequest
from anagnorisis.v1.track_pb2 import Target
from anagnorisis_web import placeholder
from anagnorisis_web.daemon import Daemon

SIZES = {"150": 150, "300": 300, "600": 600, "1200": 1200}
"""Maximum width and height in pixels, by the parameter `size`."""
COVER_TIMEOUT_SECONDS = 60.0
JPEG = "image/jpeg"
CACHED = "private, max-age=600"
"""A browser asks again after ten minutes, and gets the picture only if it changed."""
WITHOUT_COVER = {grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION}
"""Errors after which asking again soon is of no use."""


def routes(daemon: Daemon) -> list[Route]:
    """Return the route of the covers."""

    async def show(request: Request) -> Response:
        track_id = request.path_params["track_id"]
        size = SIZES.get(request.query_params.get("size", ""), SIZES["600"])
        headers = {"Cache-Control": CACHED}
        call = daemon.library.GetCover(
            GetCoverRequest(target=Target(track_id=track_id), max_pixels=size),
            timeout=COVER_TIMEOUT_SECONDS,
        )
        chunks = []
        try:
            async for answer in call:
                if not answer.HasField("cover"):
                    chunks.append(answer.chunk)
                    continue
                if answer.cover.media_type != JPEG:
                    return Response(status_code=502)
                headers["ETag"] = f'"{answer.cover.etag}"'
                if headers["ETag"] == request.headers.get("if-none-match"):
                    return Response(status_code=304, headers=headers)
        except grpc.aio.AioRpcError as error:
            if error.code() not in WITHOUT_COVER:
                headers["Cache-Control"] = "no-store"
            return Response(placeholder.draw(track_id), media_type="image/svg+xml", headers=headers)
        finally:
            call.cancel()
        return Response(b"".join(chunks), media_type=JPEG, headers=headers)

    return [Route("/covers/{track_id}", show)]
