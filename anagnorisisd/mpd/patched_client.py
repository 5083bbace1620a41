"""python-mpd2's asyncio client with command lists, and with seven fixes.

* Since MPD 0.24 `config` returns several settings, which python-mpd2 does not parse.
* python-mpd2 raises a connection that is lost while idling twice: to the caller, and as an
  unhandled exception in a callback, which fills the log.
* A connection that is closed at the moment of a command raises a NameError.
* An error with a code that python-mpd2 does not know closes the connection (see `errors.AckError`).
* python-mpd2 reads responses of any length; here each has a limit, and other tasks run while a long
  one is read.
* Names of files need not be UTF-8. Other bytes become surrogates, as in `os.fsdecode`.
* python-mpd2 reads single lines from the stream, which takes most of the time; here chunks are
  read. The lines of very long responses can be had without parsing.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import mpd
from mpd.asyncio import CommandResult, MPDClient
from mpd.base import ERROR_PREFIX, SUCCESS, escape

from anagnorisisd.mpd.errors import AckError

MAX_BYTES, MAX_LINES = 1 << 20, 20_000
"""The limits of a response whose length does not depend on the listener's music."""

MAX_LIST_BYTES, MAX_LIST_LINES = 1 << 24, 200_000
"""The limits of other responses. MPD sends at most 8 MiB unless it is configured otherwise."""

LIST_COMMANDS = frozenset(
    {"sticker find", "lsinfo", "list", "find", "playlistinfo", "plchanges", "plchangesposid",
     "readmessages", "listplaylist", "listplaylists"}
)  # fmt: skip

NAMES = (b"file: ", b"directory: ", b"playlist: ")
"""Begin lines with names on disk, which need not be UTF-8."""

SUCCESS_LINE, ERROR_START = SUCCESS.encode(), ERROR_PREFIX.encode()

CHUNK_BYTES = MAX_LINE_BYTES = 1 << 16

YIELD_LINES = 200
"""After so many lines, which take less than a millisecond, other tasks may run."""


def command_line(command: str, *args: str) -> str:
    """Return a command as a line of the protocol."""
    return " ".join((command, *(f'"{escape(arg)}"' for arg in args)))


class _Commands:
    """A class for `add_command`, which refuses to replace a command of MPDClient itself."""


def _parse_settings(client: MPDClient, lines: Iterable[str]) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in lines)


def _parse_positions(client: MPDClient, lines: Iterable[str]) -> list[tuple[int, int]]:
    """Parse `plchangesposid`: pairs of a position and the id of the entry that is there now."""
    pairs = [line.split(": ", 1) for line in lines]
    if any(name != ("cpos", "Id")[index % 2] for index, (name, _) in enumerate(pairs)):
        raise mpd.ProtocolError("plchangesposid did not return positions and ids")
    numbers = [int(number) for _, number in pairs]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def _parse_nothing(client: MPDClient, lines: Iterable[str]) -> None:
    return None


COMMAND_LIST = "command_list"
PARSERS: Mapping[str, Any] = {
    "config": _parse_settings,
    "plchangesposid": _parse_positions,
    COMMAND_LIST: _parse_nothing,
}
for _name, _parse in PARSERS.items():
    _parse.mpd_commands_binary = _parse.mpd_commands_direct = False
    MPDClient.add_command.__func__(_Commands, _name, _parse)


class _LinesResult(CommandResult):  # type: ignore[misc]
    """The unparsed lines of a response."""

    async def _feed_from(self, client: "PatchedClient") -> None:
        lines = await client.read_lines()
        if not self.done():  # its caller may have been cancelled
            self.set_result(lines)


class PatchedClient(MPDClient):  # type: ignore[misc]
    """The client that every connection uses."""

    config = _Commands.config  # type: ignore[attr-defined]
    plchangesposid = _Commands.plchangesposid  # type: ignore[attr-defined]
    command_list = _Commands.command_list  # type: ignore[attr-defined]

    def __init__(self) -> None:
        super().__init__()
        self._received: deque[bytes] = deque()
        self._partial_line = b""
        self._pending: deque[str] = deque()
        self._bytes = self._lines = 0

    async def lines(self, *commands: Sequence[str]) -> list[bytes]:
        """Send commands, as a list if there are several, and return the lines of the responses.

        They are not parsed, which takes a tenth of the time of parsing them one by one.
        """
        if not self.connected:
            raise mpd.ConnectionError("not connected")
        (name, *args), *others = commands
        result = _LinesResult(name, args, None)
        await self._MPDClient__command_queue.put(result)
        self._end_idle()
        if others:
            self._pending.append(name)
            lines = (command_line(*command) for command in commands)
            self._write_line("\n".join(("command_list_begin", *lines, "command_list_end")))
        else:
            self._write_command(name, args)
        received: list[bytes] = await result
        return received

    async def read_lines(self) -> list[bytes]:
        """Return the lines of the response that comes next."""
        lines: list[bytes] = []
        while self._received or await self._receive():
            size = 0
            while self._received:
                line = self._received.popleft()
                if line == SUCCESS_LINE:
                    self._end()
                    return lines
                if line.startswith(ERROR_START):
                    self._end()
                    raise AckError(line[len(ERROR_START) :].decode(errors="replace").strip())
                lines.append(line)
                size += len(line) + 1
            self._count(size, len(lines) - self._lines)
            await asyncio.sleep(0)
        raise mpd.ConnectionError("the connection was lost in the middle of a response")

    async def _receive(self) -> bool:
        """Wait until a line has arrived in `_received`; return `False` if the stream ends."""
        while not self._received:
            data = await self._MPDClient__rfile.read(CHUNK_BYTES)
            *lines, self._partial_line = (self._partial_line + data).split(b"\n")
            self._received.extend(lines)
            if not data:
                return False
            if len(self._partial_line) > MAX_LINE_BYTES:
                raise mpd.ProtocolError(f"a line of more than {MAX_LINE_BYTES} bytes")
        return True

    async def _MPDClient__readline(self) -> str:  # noqa: N802
        """Return the next line with its end, or without one where the stream ends."""
        if not await self._receive():
            return ""
        line = self._received.popleft()
        try:
            errors = "surrogateescape" if line.startswith(NAMES) else "strict"
            return f"{line.decode(errors=errors)}\n"
        except UnicodeDecodeError as error:
            raise mpd.ProtocolError("the response is not valid UTF-8") from error

    def _MPDClient__write(self, text: str) -> None:  # noqa: N802
        self._MPDClient__wfile.write(text.encode(errors="surrogateescape"))

    def _MPDClient__idle_result(self, result: "asyncio.Future[Any]") -> None:  # noqa: N802
        if result.cancelled() or isinstance(result.exception(), mpd.CommandError | None):
            super()._MPDClient__idle_result(result)

    def _write_command(self, command: str, args: Sequence[str] = ()) -> None:
        # Responses come in the order of the commands, also of those whose caller was cancelled.
        self._pending.append(command)
        if command == COMMAND_LIST:
            self._write_line("\n".join(("command_list_begin", *args, "command_list_end")))
        else:
            super()._write_command(command, args)

    async def _read_line(self) -> str | None:
        """Return the next line of a response, `None` at its end; raises as python-mpd2 expects."""
        if not self.connected:
            # `wait_for` of Python 3.11 may swallow the cancellation that came with `disconnect`.
            raise asyncio.CancelledError
        line: str = await self._MPDClient__readline()
        if not line.endswith("\n"):
            raise mpd.ConnectionError("the connection was lost in the middle of a response")
        self._count(len(line))
        if self._lines % YIELD_LINES == 0:
            await asyncio.sleep(0)
        line = line.rstrip("\n")
        if line.startswith(ERROR_PREFIX):
            self._end()
            raise AckError(line.removeprefix(ERROR_PREFIX).strip())
        if line == SUCCESS:
            self._end()
            return None
        return line

    def _count(self, size: int, lines: int = 1) -> None:
        command = self._pending[0] if self._pending else ""
        max_bytes, max_lines = (
            (MAX_LIST_BYTES, MAX_LIST_LINES) if command in LIST_COMMANDS else (MAX_BYTES, MAX_LINES)
        )
        self._bytes += size
        self._lines += lines
        if self._bytes > max_bytes or self._lines > max_lines:
            raise mpd.ProtocolError(
                f"more than {max_bytes} bytes or {max_lines} lines in response to {command!r}"
            )

    def _end(self) -> None:
        if self._pending:
            self._pending.popleft()
        self._bytes = self._lines = 0
