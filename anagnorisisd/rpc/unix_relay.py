"""Unix socket relay in front of the gRPC server that shares connections between processes.

At its connection limit, gRPC closes new connections, so one process with many open connections
could lock out all others. At the limit of this relay, a new connection instead replaces an open
one: of the user with most connections, of that user's process with most, the one that has been idle
longest. User and process come from the kernel (`SO_PEERCRED`, unix(7)).
"""

import asyncio
import socket
import struct
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from anagnorisisd.rpc.tcp_relay import Relay, joined

MOST_CONNECTIONS = 128
"""Limit of open connections. Each uses three file descriptors of the daemon."""

CREDENTIALS = struct.Struct("3i")
"""Process, user and group ids: `struct ucred`."""


@dataclass(slots=True, eq=False)
class _Connection:
    """A client connection; `active_at` is the loop time of the last forwarded bytes."""

    process: int
    user: int
    transport: asyncio.WriteTransport
    active_at: float


class UnixRelay(Relay):
    """Forwards connections to a Unix socket to the Unix socket `inner`."""

    def __init__(self, inner: Path) -> None:
        super().__init__(inner)
        self._connections: set[_Connection] = set()

    async def listen_at(self, path: Path) -> None:
        """Listen on a socket path.

        Raises:
            OSError: the path is not available.
        """
        self._server = await asyncio.start_unix_server(self._accept, path)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        process, user = _peer_ids(writer)
        if len(self._connections) >= MOST_CONNECTIONS:
            self._close_connection(self._connection_to_evict())
        connection = _Connection(process, user, writer.transport, loop.time())
        self._connections.add(connection)

        def record_activity() -> None:
            connection.active_at = loop.time()

        try:
            with suppress(OSError):
                inner = await asyncio.open_unix_connection(self._inner)
                await joined(reader, writer, inner, record_activity)
        finally:
            self._connections.discard(connection)

    def _connection_to_evict(self) -> _Connection:
        users = Counter(each.user for each in self._connections)
        processes = Counter((each.user, each.process) for each in self._connections)
        return max(
            self._connections,
            key=lambda each: (
                users[each.user],
                processes[each.user, each.process],
                -each.active_at,
            ),
        )

    def _close_connection(self, connection: _Connection) -> None:
        self._connections.discard(connection)
        connection.transport.abort()


def _peer_ids(writer: asyncio.StreamWriter) -> tuple[int, int]:
    """Return the process id and the user id of the client."""
    peer = writer.get_extra_info("socket")
    packed = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    process, user, _ = CREDENTIALS.unpack(packed)
    return process, user
