"""A client that speaks MPD's protocol itself: for what mpc does not know, or not fast enough."""

import asyncio
import socket as socketlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path


class Refused(Exception):
    """MPD answered with an error."""


@dataclass
class ProtocolClient:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, *words: str) -> list[str]:
        """Send a command and return the lines of the response."""
        return await self.send(line(*words))

    async def ask_all(self, commands: Sequence[Sequence[str]]) -> list[str]:
        """Send a command list and return the lines of the response."""
        lines = (line(*words) for words in commands)
        return await self.send("\n".join(("command_list_begin", *lines, "command_list_end")))

    async def send(self, text: str) -> list[str]:
        """Send lines and return those of the response; raises `Refused` or `ConnectionError`."""
        self.writer.write(f"{text}\n".encode())
        found: list[str] = []
        while True:
            answer = (await self.reader.readline()).decode().removesuffix("\n")
            if not answer:
                raise ConnectionError("MPD closed the connection")
            if answer.startswith("ACK"):
                raise Refused(answer)
            if answer == "OK":
                return found
            found.append(answer)

    async def songs(self, playlist: str) -> list[str]:
        """Return the songs of a stored playlist."""
        lines = await self.ask("listplaylist", playlist)
        return [answer.removeprefix("file: ") for answer in lines]

    async def playlists(self) -> list[str]:
        """Return the names of the stored playlists, sorted."""
        lines = await self.ask("listplaylists")
        return sorted(
            answer.removeprefix("playlist: ") for answer in lines if answer.startswith("playlist: ")
        )


def line(command: str, *arguments: str) -> str:
    """Return a command as the protocol writes it."""
    quoted = (argument.replace("\\", "\\\\").replace('"', '\\"') for argument in arguments)
    return " ".join((command, *(f'"{argument}"' for argument in quoted)))


@asynccontextmanager
async def connected(socket: Path) -> AsyncIterator[ProtocolClient]:
    """Connect to the MPD at `socket`."""
    # In a thread, as asyncio takes "too many clients wait to be accepted" for a connection.
    link = socketlib.socket(socketlib.AF_UNIX)
    try:
        await asyncio.to_thread(link.connect, str(socket))
        link.setblocking(False)
        reader, writer = await asyncio.open_unix_connection(sock=link, limit=1 << 20)
    except BaseException:
        link.close()
        raise
    try:
        greeting = await reader.readline()
        if not greeting.startswith(b"OK MPD"):
            raise ConnectionError("MPD did not greet")
        yield ProtocolClient(reader, writer)
    finally:
        writer.close()
