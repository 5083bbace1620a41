"""Unix connections on their way to the gRPC server: a process that has many makes room for others.

gRPC closes further connections when its places are taken, so that one process that keeps 128 of
them open locks all others out. So this listens in front of it. When all places are taken, the next
connection gets that of the process with most connections, of the user with most, and of these the
one that was silent the longest. The kernel says who connected (`SO_PEERCRED`, unix(7)).
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
"""Open at once. Each takes three of the files that the daemon may have open."""

CREDENTIALS = struct.Struct("3i")
"""Process, user and group, as `struct ucred` has them."""


@dataclass(slots=True, eq=False)
class _Connection:
    """A connection of a process; `passed_at` is when bytes passed last, in the loop's time."""

    process: int
    user: int
    transport: asyncio.WriteTransport
    passed_at: float


class UnixRelay(Relay):
    """Passes connections to a socket on to the Unix socket `inner`."""

    def __init__(self, inner: Path) -> None:
        super().__init__(inner)
        self._connections: set[_Connection] = set()

    async def listen_at(self, path: Path) -> None:
        """Take connections.

        Raises:
            OSError: the path cannot be listened on.
        """
        self._server = await asyncio.start_unix_server(self._accepted, path)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        process, user = _peer(writer)
        if len(self._connections) >= MOST_CONNECTIONS:
            self._drop_connection(self._least_needed())
        connection = _Connection(process, user, writer.transport, loop.time())
        self._connections.add(connection)

        def note() -> None:
            connection.passed_at = loop.time()

        try:
            with suppress(OSError):
                inner = await asyncio.open_unix_connection(self._inner)
                await joined(reader, writer, inner, note)
        finally:
            self._connections.discard(connection)

    def _least_needed(self) -> _Connection:
        users = Counter(each.user for each in self._connections)
        processes = Counter((each.user, each.process) for each in self._connections)
        return max(
            self._connections,
            key=lambda each: (
                users[each.user],
                processes[each.user, each.process],
                -each.passed_at,
            ),
        )

    def _drop_connection(self, connection: _Connection) -> None:
        self._connections.discard(connection)
        connection.transport.abort()


def _peer(writer: asyncio.StreamWriter) -> tuple[int, int]:
    """Return the process and the user at the other end."""
    peer = writer.get_extra_info("socket")
    packed = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    process, user, _ = CREDENTIALS.unpack(packed)
    return process, user
