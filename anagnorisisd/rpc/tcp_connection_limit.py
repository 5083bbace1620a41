"""TCP relay in front of the gRPC server that limits unauthenticated connections.

gRPC has one limit for all connections, whether or not they have sent the token, and closes none to
accept another. So this relay listens on TCP and forwards the bytes, TLS included, to the server's
Unix socket. It binds each forwarded connection to its own abstract address, which gRPC reports as
the peer of a call. A call with the token marks the connection with that peer as authenticated.

At the limit, a new connection replaces the oldest unauthenticated connection of the host that has
most of them.
"""

import asyncio
import socket
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

MAX_UNAUTHENTICATED_CONNECTIONS = 32
AUTHENTICATION_TIMEOUT_SECONDS = 10.0
"""Limit from the connection to its first call with the token."""
FLUSH_SECONDS = 5.0
CHUNK_BYTES = 1 << 16
PEER = "unix-abstract:"


@dataclass(frozen=True, slots=True)
class _UnauthenticatedConnection:
    host: str
    transport: asyncio.WriteTransport


class TcpRelay:
    """Forwards TCP connections to the Unix socket `inner`."""

    def __init__(self, inner: Path) -> None:
        self._inner = inner
        self._server: asyncio.Server | None = None
        self._unauthenticated: dict[str, _UnauthenticatedConnection] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self, host: str, port: int) -> None:
        """Listen on an address.

        Raises:
            OSError: the address is not available.
        """
        self._server = await asyncio.start_server(self._accept, host, port)

    def stop_listening(self) -> None:
        """Accept no new connections; open connections stay."""
        if self._server is not None:
            self._server.close()

    async def close(self) -> None:
        """Close all connections."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def mark_authenticated(self, peer: str) -> None:
        """Mark the connection that gRPC reports as `peer` as authenticated."""
        self._unauthenticated.pop(peer.removeprefix(PEER), None)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "asyncio runs the callback as a task"
        self._tasks.add(task)
        try:
            await self._forward(reader, writer)
        except asyncio.CancelledError:
            pass  # By `close`. asyncio would log it as an error of the callback.
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        name = f"anagnorisisd-{token_hex(8)}"
        peer = writer.get_extra_info("peername")
        if len(self._unauthenticated) >= MAX_UNAUTHENTICATED_CONNECTIONS:
            self._close_unauthenticated(self._eviction_candidate())
        self._unauthenticated[name] = _UnauthenticatedConnection(
            str(peer[0]) if peer else "", writer.transport
        )
        timer = asyncio.get_running_loop().call_later(
            AUTHENTICATION_TIMEOUT_SECONDS, self._close_unauthenticated, name
        )
        try:
            with suppress(OSError):
                await forward(reader, writer, await self._connect_inner(name))
        finally:
            timer.cancel()
            self._unauthenticated.pop(name, None)

    async def _connect_inner(self, name: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.setblocking(False)
            connection.bind(f"\0{name}")
            await asyncio.get_running_loop().sock_connect(connection, str(self._inner))
            return await asyncio.open_unix_connection(sock=connection)
        except BaseException:
            connection.close()
            raise

    def _eviction_candidate(self) -> str:
        counts = Counter(connection.host for connection in self._unauthenticated.values())
        ((host, _),) = counts.most_common(1)
        return next(
            name for name, connection in self._unauthenticated.items() if connection.host == host
        )

    def _close_unauthenticated(self, name: str) -> None:
        connection = self._unauthenticated.pop(name, None)
        if connection is not None:
            connection.transport.abort()


async def forward(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    inner: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    on_chunk: Callable[[], None] = lambda: None,
) -> None:
    """Forward bytes in both directions until one side ends, then flush the response.

    Calls `on_chunk` for each chunk.
    """
    inner_reader, inner_writer = inner
    copies = [
        asyncio.create_task(_copy(reader, inner_writer, on_chunk)),
        asyncio.create_task(_copy(inner_reader, writer, on_chunk)),
    ]
    try:
        await asyncio.wait(copies, return_when=asyncio.FIRST_COMPLETED)
        writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(FLUSH_SECONDS):
                await writer.wait_closed()
    finally:
        for copy in copies:
            copy.cancel()
        inner_writer.transport.abort()
        await asyncio.gather(*copies, return_exceptions=True)


async def _copy(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, on_chunk: Callable[[], None]
) -> None:
    with suppress(OSError):
        while chunk := await reader.read(CHUNK_BYTES):
            on_chunk()
            writer.write(chunk)
            await writer.drain()
