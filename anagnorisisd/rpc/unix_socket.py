"""The daemon's Unix socket: its lock, its permissions, and the relay in front of the gRPC server.

At its connection limit, gRPC closes new connections, so one process with many open connections
could lock out all others. At the limit of the relay, a new connection instead replaces an open
one: of the user with most connections, of that user's process with most, the one that has been idle
longest. User and process come from the kernel (`SO_PEERCRED`, unix(7)).
"""

import asyncio
import os
import socket
import struct
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import filelock

from anagnorisisd.errors import AlreadyRunning, ConfigError
from anagnorisisd.rpc.tcp_connection_limit import TcpRelay, forward

CONNECT_SECONDS = 1.0

MAX_CONNECTIONS = 128
"""Limit of open connections. Each uses three file descriptors of the daemon."""

CREDENTIALS = struct.Struct("3i")
"""Process, user and group ids: `struct ucred`."""


@contextmanager
def lock_socket(path: Path, folder_mode: int) -> Iterator[None]:
    """Hold a lock file beside `path`, and remove the socket at exit.

    The folder is created if it is missing. Without the lock, a second server would silently replace
    the socket of the first. The kernel releases the lock of a killed daemon.

    Raises:
        ConfigError: the folder cannot be created or written.
        AlreadyRunning: another daemon holds the lock.
    """
    lock = filelock.FileLock(path.with_name(f"{path.name}.lock"), blocking=False, mode=0o600)
    try:
        path.parent.mkdir(mode=folder_mode, parents=True, exist_ok=True)
        lock.acquire()
        if _has_listener(path):  # A daemon is running whose lock file was deleted.
            lock.release()
            raise filelock.Timeout(str(path))
    except filelock.Timeout:
        raise AlreadyRunning(
            f"another daemon listens on {path}; stop it, or set rpc.socket to another path"
        ) from None
    except OSError as error:
        raise ConfigError([f"rpc.socket: {path}: {error.strerror}"]) from error
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        lock.release()


def _has_listener(path: Path) -> bool:
    """Return whether a process listens on the socket; a stale socket refuses connections."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(CONNECT_SECONDS)
        try:
            client.connect(str(path))
        except (TimeoutError, BlockingIOError):
            return True  # The backlog of the listener is full.
        except OSError:
            return False
    return True


@contextmanager
def limit_permissions(mode: int) -> Iterator[None]:
    """Set the umask so that sockets bound in this context have at most the permissions `mode`."""
    previous = os.umask(0o777 & ~mode)
    try:
        yield
    finally:
        os.umask(previous)


@dataclass(slots=True, eq=False)
class _Connection:
    """A client connection; `active_at` is the loop time of the last forwarded bytes."""

    process: int
    user: int
    transport: asyncio.WriteTransport
    active_at: float


class UnixRelay(TcpRelay):
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
        if len(self._connections) >= MAX_CONNECTIONS:
            self._close_connection(self._connection_to_evict())
        connection = _Connection(process, user, writer.transport, loop.time())
        self._connections.add(connection)

        def record_activity() -> None:
            connection.active_at = loop.time()

        try:
            with suppress(OSError):
                inner = await asyncio.open_unix_connection(self._inner)
                await forward(reader, writer, inner, record_activity)
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
