"""The audio of tracks, for the browser's player: a whole file or a range of it."""

from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from anagnorisis.v1.library_pb2 import AudioFile, ReadAudioRequest
from anagnorisis.v1.track_pb2 import Target
from anagnorisis_web import byte_range
from anagnorisis_web.byte_range import ByteRange, Unsatisfiable
from anagnorisis_web.daemon import TIMEOUT_SECONDS, Daemon

CACHED = "private, max-age=600"


def routes(daemon: Daemon) -> list[Route]:
    """Return the route of the audio files."""

    async def send(request: Request) -> Response:
        target = Target(track_id=request.path_params["track_id"])
        file = await describe(daemon, target)
        etag = f'"{file.etag}"'
        headers = {
            "Accept-Ranges": "bytes",
            "Cache-Control": CACHED,
            "ETag": etag,
        }
        if etag == request.headers.get("if-none-match"):
            return Response(status_code=304, headers=headers)
        wanted = request.headers.get("range", "")
        if request.headers.get("if-range", etag) != etag:
            wanted = ""
        try:
            part = byte_range.parse(wanted, file.total_bytes)
        except Unsatisfiable:
            headers["Content-Range"] = f"bytes */{file.total_bytes}"
            return Response(status_code=416, headers=headers)
        sent = part or ByteRange(0, file.total_bytes)
        headers["Content-Length"] = str(sent.length)
        if part:
            last = part.offset + part.length - 1
            headers["Content-Range"] = f"bytes {part.offset}-{last}/{file.total_bytes}"
        status = 206 if part else 200
        if request.method == "HEAD":
            return Response(None, status, headers, file.media_type)
        chunks = _chunks(daemon, target, sent, file.etag)
        return StreamingResponse(chunks, status, headers, file.media_type)

    return [Route("/audio/{track_id:str}", send, methods=["GET"])]


async def describe(daemon: Daemon, target: Target) -> AudioFile:
    """Return what the file of a track is, without reading it.

    Raises:
        grpc.aio.AioRpcError: as `ReadAudio`.
    """
    call = daemon.library.ReadAudio(
        ReadAudioRequest(target=target, length=1), timeout=TIMEOUT_SECONDS
    )
    try:
        async for answer in call:
            file: AudioFile = answer.file
            return file
        raise AssertionError("ReadAudio sends what the file is, or an error")
    finally:
        call.cancel()


async def _chunks(
    daemon: Daemon, target: Target, part: ByteRange, etag: str
) -> AsyncIterator[bytes]:
    """Yield the bytes of a range. An error ends the response early, and the browser asks again."""
    call = daemon.library.ReadAudio(
        ReadAudioRequest(target=target, offset=part.offset, length=part.length)
    )
    try:
        async for answer in call:
            if not answer.HasField("file"):
                yield answer.chunk
            elif answer.file.etag != etag:
                raise ConnectionError("the file was replaced")
    finally:
        call.cancel()
