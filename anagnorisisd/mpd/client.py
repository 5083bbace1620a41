"""python-mpd2's asyncio client, mended in six places.

* Since MPD 0.24 `config` answers with several settings, of which python-mpd2 makes nothing.
* A link lost while idling is told to whoever waits, and then once more, as an unhandled exception
  in a callback; the second telling is noise in the log.
* A link that is closed in the moment in which a command was given ends in a NameError.
* An error with a code that python-mpd2 does not know ends its connection; it is a refusal like any
  other. Mopidy answers `ACK [0@0] {subscribe} Not implemented`.
* An answer may be of any length; here each has a limit, and while a long one is read others go on.
* Lines are taken from the stream many at once: one by one they cost more than all else together.
"""

import asyncio
import re
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import mpd
from mpd.asyncio import MPDClient
from mpd.base import ERROR_PREFIX, SUCCESS, FailureResponseCode

MOST_BYTES, MOST_LINES = 1 << 20, 20_000
"""The limits of an answer whose length does not depend on the listener's music."""

MOST_BYTES_OF_LISTS, MOST_LINES_OF_LISTS = 1 << 24, 200_000
"""The limits of the other answers. MPD itself sends at most 8 MiB unless it is told otherwise."""

LISTS = frozenset(
    {"sticker find", "lsinfo", "find", "playlistinfo", "plchanges", "plchangesposid",
     "readmessages"}
)  # fmt: skip

PIECE_BYTES = LONGEST_LINE = 1 << 16

BREATH_LINES = 200
"""After so many lines of an answer others have their turn: less than a millisecond of work."""

ACK = re.compile(r"\[(?P<code>\d{1,9})@(?P<place>\d{1,9})\]\s*{(?P<command>[^}]*)}\s*(?P<text>.*)")


class Ack(mpd.CommandError):  # type: ignore[misc]
    """MPD's word for "no"; `errno` is `None` where the code is none that MPD has."""

    def __init__(self, text: str) -> None:
        Exception.__init__(self, text)
        self.errno: FailureResponseCode | None = None
        self.offset: int | None = None
        self.command: str | None = None
        self.msg: str | None = text
        if found := ACK.match(text):
            self.offset, self.command = int(found["place"]), found["command"]
            self.msg = found["text"]
            with suppress(ValueError):
                self.errno = FailureResponseCode(int(found["code"]))


class _Command:
    """Where `add_command` leaves a command without looking whether the client has it already."""


def _settings(client: MPDClient, lines: Iterable[str]) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in lines)


def _places(client: MPDClient, lines: Iterable[str]) -> list[tuple[int, int]]:
    """Read `plchangesposid`: pairs of a position and the id of the entry that is there now."""
    pairs = [line.split(": ", 1) for line in lines]
    if any(name != ("cpos", "Id")[place % 2] for place, (name, _) in enumerate(pairs)):
        raise mpd.ProtocolError("plchangesposid does not answer with positions and ids")
    numbers = [int(number) for _, number in pairs]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


READERS: Mapping[str, Any] = {"config": _settings, "plchangesposid": _places}
for _name, _read in READERS.items():
    _read.mpd_commands_binary = _read.mpd_commands_direct = False
    MPDClient.add_command.__func__(_Command, _name, _read)


class Client(MPDClient):  # type: ignore[misc]
    """The client that every connection uses."""

    config = _Command.config  # type: ignore[attr-defined]
    plchangesposid = _Command.plchangesposid  # type: ignore[attr-defined]

    def __init__(self) -> None:
        super().__init__()
        self._arrived: deque[bytes] = deque()
        self._begun = b""
        self._asked: deque[str] = deque()
        self._bytes = self._lines = 0

    async def _MPDClient__readline(self) -> str:  # noqa: N802
        """Return the next line with its end, or without one where the stream ends."""
        while not self._arrived:
            data = await self._MPDClient__rfile.read(PIECE_BYTES)
            *lines, self._begun = (self._begun + data).split(b"\n")
            self._arrived.extend(lines)
            if not data:
                return ""
            if len(self._begun) > LONGEST_LINE:
                raise mpd.ProtocolError(f"a line of more than {LONGEST_LINE} bytes")
        try:
            return f"{self._arrived.popleft().decode()}\n"
        except UnicodeDecodeError as error:
            raise mpd.ProtocolError("the answer is not in UTF-8") from error

    def _MPDClient__idle_result(self, result: "asyncio.Future[Any]") -> None:  # noqa: N802
        if result.cancelled() or isinstance(result.exception(), mpd.CommandError | None):
            super()._MPDClient__idle_result(result)

    def _write_command(self, command: str, args: Sequence[str] = ()) -> None:
        # Answers come in the order of the commands, also of those whose caller has given up.
        self._asked.append(command)
        super()._write_command(command, args)

    async def _read_line(self) -> str | None:
        """Return the next line of an answer, `None` at its end; raises as python-mpd2 expects."""
        if not self.connected:
            # `wait_for` of Python 3.11 may swallow the cancellation that came with `disconnect`.
            raise asyncio.CancelledError
        line: str = await self._MPDClient__readline()
        if not line.endswith("\n"):
            raise mpd.ConnectionError("the link broke in the middle of an answer")
        self._count(len(line))
        if self._lines % BREATH_LINES == 0:
            await asyncio.sleep(0)
        line = line.rstrip("\n")
        if line.startswith(ERROR_PREFIX):
            self._end()
            raise Ack(line.removeprefix(ERROR_PREFIX).strip())
        if line == SUCCESS:
            self._end()
            return None
        return line

    def _count(self, size: int) -> None:
        command = self._asked[0] if self._asked else ""
        most_bytes, most_lines = (
            (MOST_BYTES_OF_LISTS, MOST_LINES_OF_LISTS)
            if command in LISTS
            else (MOST_BYTES, MOST_LINES)
        )
        self._bytes += size
        self._lines += 1
        if self._bytes > most_bytes or self._lines > most_lines:
            raise mpd.ProtocolError(
                f"more than {most_bytes} bytes or {most_lines} lines in answer to {command!r}"
            )

    def _end(self) -> None:
        if self._asked:
            self._asked.popleft()
        self._bytes = self._lines = 0
