"""Servers and links that misbehave."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(socket: Path, talk: Talk) -> AsyncIterator[None]:
    """Let `talk` answer every connection to `socket` until it returns."""
    tasks: set[asyncio.Task[None]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(answer(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    _forget(socket)
    server = await asyncio.start_unix_server(accept, str(socket))
    try:
        yield
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        _forget(socket)


def _forget(socket: Path) -> None:
    socket.unlink(missing_ok=True)


@dataclass
class Wire:
    """What a link does to the bytes that go through it."""

    delay_seconds: float = 0.0
    open: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.open.set()

    async def carry(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        """Pass bytes on; while the wire is not open they wait, and nobody is told."""
        while data := await source.read(65_536):
            await self.open.wait()
            await asyncio.sleep(self.delay_seconds)
            target.write(data)
            await target.drain()
        target.close()


@asynccontextmanager
async def wired(socket: Path, server: Path) -> AsyncIterator[Wire]:
    """Offer `server` at `socket`, by a link that can be made slow or dead."""
    wire = Wire()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind, before = await asyncio.open_unix_connection(str(server))
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(wire.carry(reader, before))
                tasks.create_task(wire.carry(behind, writer))
        finally:
            before.close()

    async with serving(socket, talk):
        yield wire
