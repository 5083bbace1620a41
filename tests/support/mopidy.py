"""A small working server that speaks version 0.19 of MPD's protocol, as Mopidy's front end does.

It has a queue and plays without end. What that front end lacks is refused with its own words:
stickers, messages between clients, and parts of the list of changes.
"""

import asyncio
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

COMMANDS = (
    "addid", "close", "commands", "config", "currentsong", "deleteid", "find", "idle", "next",
    "noidle", "notcommands", "ping", "play", "playlistid", "playlistinfo", "plchanges",
    "plchangesposid", "readmessages", "sendmessage", "stats", "status", "sticker", "subscribe",
    "update",
)  # fmt: skip
NOT_IMPLEMENTED = ("sticker", "subscribe", "sendmessage", "readmessages")


class Refusal(Exception):
    """An error of a command."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass
class Mopidy:
    """The server; `talk` answers one connection."""

    files: Sequence[str]
    connections: int = 0
    queue: list[tuple[int, str]] = field(default_factory=list)
    version: int = 0
    current: int | None = None
    _ids: int = 0
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    _changes: int = 0
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Greet, and answer what is asked until the client leaves."""
        self.connections += 1
        self._writers.append(writer)
        writer.write(b"OK MPD 0.19.0\n")
        seen = self._changes
        line = asyncio.ensure_future(reader.readline())
        try:
            while text := (await line).decode().strip():
                line = asyncio.ensure_future(reader.readline())
                name, *arguments = shlex.split(text)
                if name == "idle":
                    seen = await self._idle(seen, line, writer)
                elif name != "noidle":
                    writer.write(self._answer(name, arguments).encode())
                    await writer.drain()
        finally:
            # The client may leave while it is written to; that ends the reading, too.
            line.cancel()
            await asyncio.gather(line, return_exceptions=True)

    async def _idle(
        self, seen: int, line: "asyncio.Future[bytes]", writer: asyncio.StreamWriter
    ) -> int:
        changed = asyncio.ensure_future(self._after(seen))
        waiting: set[asyncio.Future[Any]] = {changed, line}
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        news = "changed: playlist\nchanged: player\n" if self._changes > seen else ""
        changed.cancel()
        writer.write(f"{news}OK\n".encode())
        return self._changes

    async def _after(self, seen: int) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self._changes > seen)

    async def tell(self) -> None:
        """Let those who idle know that something changed."""
        async with self._changed:
            self._changes += 1
            self._changed.notify_all()

    def hang_up(self) -> None:
        """Close every connection."""
        for writer in self._writers:
            writer.close()
        self._writers.clear()

    def add(self, uri: str, position: int | None = None) -> int:
        """Put a file at a position of the queue, by default at its end."""
        self._ids += 1
        self.queue.insert(len(self.queue) if position is None else position, (self._ids, uri))
        self.version += 1
        return self._ids

    def _answer(self, name: str, arguments: list[str]) -> str:
        try:
            if name not in COMMANDS:
                raise Refusal(5, f'unknown command "{name}"')
            if name in NOT_IMPLEMENTED:
                raise Refusal(0, "Not implemented")
            handler: Callable[..., str] = getattr(self, f"_{name}", lambda: "")
            return f"{handler(*arguments)}OK\n"
        except TypeError:
            return f'ACK [2@0] {{{name}}} wrong number of arguments for "{name}"\n'
        except Refusal as refusal:
            return f"ACK [{refusal.code}@0] {{{name}}} {refusal}\n"

    def _commands(self) -> str:
        return "".join(f"command: {name}\n" for name in COMMANDS)

    def _config(self) -> str:
        raise Refusal(4, 'you don\'t have permission for "config"')

    def _stats(self) -> str:
        return f"songs: {len(self.files)}\n"

    def _status(self) -> str:
        answer = "repeat: 0\nrandom: 0\nsingle: 0\nconsume: 0\n"
        answer += f"playlist: {self.version}\nplaylistlength: {len(self.queue)}\n"
        if self.current is None:
            return f"{answer}state: stop\n"
        ids = [song_id for song_id, _ in self.queue]
        place = ids.index(self.current)
        return f"{answer}state: play\nsong: {place}\nsongid: {self.current}\nelapsed: 1.0\n"

    def _song(self, place: int) -> str:
        song_id, uri = self.queue[place]
        return f"file: {uri}\nTime: 20\nPos: {place}\nId: {song_id}\n"

    def _playlistinfo(self, window: str = "0:") -> str:
        start, _, end = window.partition(":")
        return "".join(map(self._song, range(len(self.queue))[int(start) : int(end or 10**9)]))

    def _plchanges(self, version: str) -> str:
        return self._playlistinfo() if int(version) < self.version else ""

    def _plchangesposid(self, version: str) -> str:
        if int(version) >= self.version:
            return ""
        return "".join(f"cpos: {at}\nId: {song}\n" for at, (song, _) in enumerate(self.queue))

    def _playlistid(self, song_id: str) -> str:
        for place, (known, _) in enumerate(self.queue):
            if known == int(song_id):
                return self._song(place)
        raise Refusal(50, "No such song")

    def _addid(self, uri: str, position: str | None = None) -> str:
        if uri not in self.files:
            raise Refusal(50, "No such song")
        if position is not None and not position.isdecimal():
            raise Refusal(2, "incorrect arguments")  # positions relative to the song are newer
        return f"Id: {self.add(uri, None if position is None else int(position))}\n"

    def _deleteid(self, song_id: str) -> str:
        self.queue = [entry for entry in self.queue if entry[0] != int(song_id)]
        self.version += 1
        return ""

    def _play(self) -> str:
        self.current = self.queue[0][0]
        return ""
