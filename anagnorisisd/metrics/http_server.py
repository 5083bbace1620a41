"""HTTP server for metrics: one page, in the daemon's event loop.

Every user of this computer can connect, so the cost of connections is bounded: one request per
connection, a timeout, and a maximum number of connections. At the maximum, a new connection aborts
the oldest one.
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
"""Takes the `Accept` header; returns content type and content, or raises `TimeoutError`."""

MAX_CONNECTIONS = 32
REQUEST_SECONDS = 5.0
"""Timeout for receiving a request, and again for sending the response."""
MAX_REQUEST_BYTES = 16 << 10
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
    """Serve `page` on `host:port` during the block.

    Raises:
        ConfigError: the address cannot be listened on.
    """
    host, _, port = address.rpartition(":")
    connections = _Connections(page)
    try:
        server = await asyncio.start_server(
            connections.serve, host.strip("[]"), int(port), limit=MAX_REQUEST_BYTES
        )
    except (OSError, OverflowError) as error:
        raise ConfigError(
            [f"metrics.address: cannot listen on {address}: {_reason(error)}; choose another port"]
        ) from error
    try:
        yield
    finally:
        server.close()
        connections.abort()
        await server.wait_closed()


def _reason(error: OSError | OverflowError) -> str:
    number = getattr(error, "errno", None) or 0
    return os.strerror(number) if number > 0 else getattr(error, "strerror", None) or str(error)


class _Connections:
    """The open connections, oldest first."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._open: dict[asyncio.StreamWriter, None] = {}

    def abort(self) -> None:
        """Abort all connections."""
        for writer in tuple(self._open):
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one request, then close the connection."""
        if len(self._open) >= MAX_CONNECTIONS:
            oldest = next(iter(self._open))
            del self._open[oldest]
            oldest.transport.abort()
        self._open[writer] = None
        try:
            # Disconnects, timeouts and oversized requests are not logged: every user of this
            # computer could fill the log with them.
            with suppress(OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
                async with asyncio.timeout(REQUEST_SECONDS):
                    request = await reader.readuntil(b"\r\n\r\n")
                writer.write(await self._respond(request))
                async with asyncio.timeout(REQUEST_SECONDS):
                    await writer.drain()
                    writer.close()
                    await writer.wait_closed()
        finally:
            self._open.pop(writer, None)
            writer.transport.abort()

    async def _respond(self, request: bytes) -> bytes:
        line, _, rest = request.decode("latin-1").partition("\r\n")
        headers = dict(
            _parse_header(header_line) for header_line in rest.split("\r\n") if ":" in header_line
        )
        status = _status(line.split(" "), headers.get("host", ""))
        if status != 200:
            return _response(status)
        try:
            return _response(200, *await self._page(headers.get("accept", "")))
        except TimeoutError:
            return _response(503)
        except Exception:
            log.exception("cannot read the metrics")
            return _response(503)


def _status(words: Sequence[str], host: str) -> int:
    """Return the HTTP status for the words of a request line and the `Host` header."""
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        return 400
    if words[0] != "GET":
        return 405
    if not _is_local(host):
        return 403
    return 200 if words[1].partition("?")[0] in PATHS else 404


def _parse_header(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip().lower(), value.strip()


def _is_local(host: str) -> bool:
    """Return whether a `Host` header is missing, `localhost` or an IP address.

    Other names are refused to prevent DNS rebinding: a web page can resolve its own domain to
    127.0.0.1, but the browser then sends that domain as `Host`.
    """
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
    if not name or name.lower() == "localhost":
        return True
    try:
        return bool(ipaddress.ip_address(name.strip("[]")))
    except ValueError:
        return False


def _response(
    status: int, content_type: str = "text/plain; charset=utf-8", content: bytes = b""
) -> bytes:
    content = content or f"{status} {REASONS[status]}\n".encode()
    head = (
        f"HTTP/1.1 {status} {REASONS[status]}\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(content)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + content
