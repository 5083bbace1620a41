"""TCP connections on their way to the gRPC server: strangers get few places and little time.

gRPC itself cannot tell a connection that has shown the token from one that has not, and never gives
the place of one to another. So this listens in front of it and passes the bytes on, TLS and all, to
a Unix socket. Each connection has a name there, which gRPC tells as its peer: that of a call with
the token is no stranger any more. When strangers have taken all their places, the next connection
gets that of the oldest, from the host that has most of them.
"""

import asyncio
import socket
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

MOST_STRANGERS = 32
STRANGER_SECONDS = 10.0
"""From the connection to its first call with the token."""
FLUSH_SECONDS = 5.0
CHUNK_BYTES = 1 << 16
PEER = "unix-abstract:"


@dataclass(frozen=True, slots=True)
class _Stranger:
    host: str
    transport: asyncio.WriteTransport


class Relay:
    """Passes connections to `address` on to the Unix socket `inner`."""

    def __init__(self, inner: Path) -> None:
        self._inner = inner
        self._server: asyncio.Server | None = None
        self._strangers: dict[str, _Stranger] = {}
        self._under_way: set[asyncio.Task[None]] = set()

    async def listen(self, host: str, port: int) -> None:
        """Take connections.

        Raises:
            OSError: the address cannot be listened on.
        """
        self._server = await asyncio.start_server(self._accepted, host, port)

    def stop_listening(self) -> None:
        """Take no more connections; those that are open go on."""
        if self._server is not None:
            self._server.close()

    async def close(self) -> None:
        """Hang up on all."""
        tasks = tuple(self._under_way)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def recognise(self, peer: str) -> None:
        """Note that a connection has shown the token; `peer` is what gRPC calls it."""
        self._strangers.pop(peer.removeprefix(PEER), None)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "asyncio runs it as one"
        self._under_way.add(task)
        try:
            await self._pass_on(reader, writer)
        except asyncio.CancelledError:
            pass  # From `close`: asyncio would report it as an error of this task.
        finally:
            self._under_way.discard(task)
            writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        name = f"anagnorisisd-{token_hex(8)}"
        peer = writer.get_extra_info("peername")
        if len(self._strangers) >= MOST_STRANGERS:
            self._drop(self._least_wanted())
        self._strangers[name] = _Stranger(str(peer[0]) if peer else "", writer.transport)
        late = asyncio.get_running_loop().call_later(STRANGER_SECONDS, self._drop, name)
        try:
            with suppress(OSError):
                await joined(reader, writer, await self._connected(name))
        finally:
            late.cancel()
            self._strangers.pop(name, None)

    async def _connected(self, name: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        caller = socket.socket(socket.AF_UNIX)
        try:
            caller.setblocking(False)
            caller.bind(f"\0{name}")
            await asyncio.get_running_loop().sock_connect(caller, str(self._inner))
            return await asyncio.open_unix_connection(sock=caller)
        except BaseException:
            caller.close()
            raise

    def _least_wanted(self) -> str:
        counts = Counter(stranger.host for stranger in self._strangers.values())
        ((host, _),) = counts.most_common(1)
        return next(name for name, stranger in self._strangers.items() if stranger.host == host)

    def _drop(self, name: str) -> None:
        stranger = self._strangers.pop(name, None)
        if stranger is not None:
            stranger.transport.abort()


async def joined(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    inner: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    note: Callable[[], None] = lambda: None,
) -> None:
    """Carry bytes both ways until one side ends; what was said by then still arrives.

    `note` is called whenever bytes pass.
    """
    inner_reader, inner_writer = inner
    ways = [
        asyncio.create_task(_carry(reader, inner_writer, note)),
        asyncio.create_task(_carry(inner_reader, writer, note)),
    ]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(FLUSH_SECONDS):
                await writer.wait_closed()
    finally:
        for way in ways:
            way.cancel()
        inner_writer.transport.abort()
        await asyncio.gather(*ways, return_exceptions=True)


async def _carry(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, note: Callable[[], None]
) -> None:
    with suppress(OSError):
        while chunk := await reader.read(CHUNK_BYTES):
            note()
            writer.write(chunk)
            await writer.drain()
