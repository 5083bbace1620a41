"""The HTTP server of the metrics: one page for Prometheus, in the daemon's own loop.

Anybody on this computer can connect, so a connection costs little: it has one request, a few
seconds for it, and one of a few places. The oldest connection makes room for the next.
"""

import asyncio
import ipaddress
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress

from anagnorisisd.errors import ConfigError

log = logging.getLogger(__name__)

Page = Callable[[str], Awaitable[tuple[str, bytes]]]
"""Takes the header Accept; returns content type and content, or raises TimeoutError."""

MOST_CONNECTIONS = 32
REQUEST_SECONDS = 5.0
"""For a whole request to arrive, and once more for its answer to be taken."""
LARGEST_REQUEST_BYTES = 16 << 10
PATHS = {"/", "/metrics"}
REASONS = {
    200: "OK",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    503: "Service Unavailable",
}


@asynccontextmanager
async def listening(address: str, page: Page) -> AsyncIterator[None]:
    """Serve `page` on host:port until the end of the block.

    Raises:
        ConfigError: the address cannot be listened on.
    """
    host, _, port = address.rpartition(":")
    connections = _Connections(page)
    try:
        server = await asyncio.start_server(
            connections.serve, host.strip("[]"), int(port), limit=LARGEST_REQUEST_BYTES
        )
    except (OSError, OverflowError) as error:
        raise ConfigError(
            [f"metrics.address: cannot listen on {address}: {_why(error)}; choose another port"]
        ) from error
    try:
        yield
    finally:
        server.close()
        connections.abort()
        await server.wait_closed()


def _why(error: OSError | OverflowError) -> str:
    number = getattr(error, "errno", None) or 0
    return os.strerror(number) if number > 0 else getattr(error, "strerror", None) or str(error)


class _Connections:
    """Those who are connected, the oldest first."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._open: dict[asyncio.StreamWriter, None] = {}

    def abort(self) -> None:
        """Hang up on all."""
        for writer in tuple(self._open):
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        if len(self._open) >= MOST_CONNECTIONS:
            oldest = next(iter(self._open))
            del self._open[oldest]
            oldest.transport.abort()
        self._open[writer] = None
        try:
            # Whoever leaves, is slow, or says nonsense without end is of no interest to anybody.
            with suppress(OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
                async with asyncio.timeout(REQUEST_SECONDS):
                    request = await reader.readuntil(b"\r\n\r\n")
                writer.write(await self._answer(request))
                async with asyncio.timeout(REQUEST_SECONDS):
                    await writer.drain()
                    writer.close()
                    await writer.wait_closed()
        finally:
            self._open.pop(writer, None)
            writer.transport.abort()

    async def _answer(self, request: bytes) -> bytes:
        line, _, rest = request.decode("latin-1").partition("\r\n")
        headers = dict(_header(each) for each in rest.split("\r\n") if ":" in each)
        status = _judged(line.split(" "), headers.get("host", ""))
        if status != 200:
            return _response(status)
        try:
            return _response(200, *await self._page(headers.get("accept", "")))
        except TimeoutError:
            return _response(503)
        except Exception:
            log.exception("the metrics could not be read")
            return _response(503)


def _judged(words: Sequence[str], host: str) -> int:
    """Return the status for a request line and the header Host."""
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        return 400
    if words[0] != "GET":
        return 405
    if not _is_local(host):
        return 403
    return 200 if words[1].partition("?")[0] in PATHS else 404


def _header(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip().lower(), value.strip()


def _is_local(host: str) -> bool:
    """Return whether a request was meant for this computer.

    A web page can have its own name point here (DNS rebinding), but the browser says the name then.
    """
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
    if not name or name.lower() == "localhost":
        return True
    try:
        return bool(ipaddress.ip_address(name.strip("[]")))
    except ValueError:
        return False


def _response(status: int, kind: str = "text/plain; charset=utf-8", content: bytes = b"") -> bytes:
    content = content or f"{status} {REASONS[status]}\n".encode()
    head = (
        f"HTTP/1.1 {status} {REASONS[status]}\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {len(content)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + content
