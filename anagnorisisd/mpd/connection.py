"""One connection to MPD: every call has a timeout, and every failure is one of our errors."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self

import mpd

from anagnorisis.mpd_address import Address
from anagnorisisd import clock
from anagnorisisd.mpd.errors import CommandRefused, refused, unavailable
from anagnorisisd.mpd.patched_client import COMMAND_LIST, PatchedClient, command_line

Row = dict[str, Any]
"""The fields of one object in a response, as python-mpd2 returns them."""

SUBSYSTEMS = (
    "player", "playlist", "options", "sticker", "message", "database", "update", "stored_playlist"
)  # fmt: skip

KEEPALIVE_SECONDS = 10.0
"""How often an idle network connection is tested by a ping. A half-open one is noticed after this
and one timeout."""

LOCAL_KEEPALIVE_SECONDS = 60.0
"""The same for a local socket. There the kernel reports at once that MPD ended; only one that hangs
is noticed by the ping."""

IDLE_DELAY_SECONDS = 0.01
"""How soon after a command the client idles again; python-mpd2's 0.1 s would delay changes."""

STALL_SECONDS = 0.1
"""A timer that is so late shows that the event loop was stalled by other work or by the machine."""


class Connection:
    """A client that never hangs.

    After a timeout, a lost connection or an unexpected response the connection is closed: the next
    response could belong to an earlier command.
    """

    def __init__(self, client: PatchedClient, address: Address, timeout_seconds: float) -> None:
        self._client = client
        self._address = address
        self._timeout_seconds = timeout_seconds
        self._lock = asyncio.Lock()
        self._linked: list[Connection] = []

    @classmethod
    async def open(cls, address: Address, timeout_seconds: float) -> Self:
        """Connect and read the greeting.

        Raises:
            PlayerUnavailable: no MPD answers at this address.
        """
        client = PatchedClient()
        client.IMMEDIATE_COMMAND_TIMEOUT = IDLE_DELAY_SECONDS
        try:
            async with _timeout(timeout_seconds):
                await client.connect(address.host, address.port)
        except Exception as error:
            client.disconnect()
            raise unavailable(error, f"connecting to {address}") from error
        except asyncio.CancelledError:
            client.disconnect()
            raise
        return cls(client, address, timeout_seconds)

    @property
    def version(self) -> str:
        """The version of the protocol that the server speaks."""
        return str(self._client.mpd_version)

    async def call(self, command: str, *args: object) -> Any:
        """Send a command and return python-mpd2's reading of the response.

        Raises:
            CommandRefused: MPD answered with an error.
            PlayerUnavailable: the connection is lost, too slow, or returns something unexpected.
        """
        return await self._send(command, args, _read_value)

    async def call_list(self, *commands: Sequence[str]) -> None:
        """Send commands without a response as one command list.

        MPD executes them without executing other clients' commands in between, and stops at the
        first that it refuses. Raises as `call` does.
        """
        lines = [command_line(*map(_encodable, command)) for command in commands]
        await self._send(COMMAND_LIST, lines, _read_value)

    async def rows(self, command: str, *args: object) -> list[Row]:
        """Send a command whose response is a list and return its rows; raises as `call` does."""
        rows: list[Row] = await self._send(command, args, _read_rows)
        return rows

    async def lines(self, *commands: Sequence[str]) -> list[bytes]:
        """Send commands together and return the lines of their responses; raises as `call` does.

        For responses of ten thousands of lines: they are not parsed.
        """
        texts = [[_encodable(arg) for arg in command] for command in commands]
        lines: list[bytes] = await self._answer(commands[0][0], lambda: self._client.lines(*texts))
        return lines

    async def _send(self, command: str, args: Iterable[object], read: Any) -> Any:
        texts = [_encodable(str(arg)) for arg in args]
        send = getattr(self._client, command.replace(" ", "_"))
        return await self._answer(command, lambda: read(send(*texts)))

    async def _answer(self, command: str, send: Callable[[], Awaitable[Any]]) -> Any:
        """Send a command by `send`, and return its result."""
        async with self._lock:
            try:
                async with _timeout(self._timeout_seconds):
                    return await send()
            except mpd.CommandError as error:
                raise refused(error, command) from error
            except Exception as error:
                self.close()
                raise unavailable(error, f"sending {command!r} to MPD") from error

    async def changes(self) -> AsyncGenerator[frozenset[str], None]:
        """Yield the subsystems that changed.

        Raises:
            PlayerUnavailable: the connection is lost; a silent one is tested by a ping.
        """
        idle = self._client.idle(SUBSYSTEMS)
        upcoming = asyncio.ensure_future(_next(idle))
        seconds = LOCAL_KEEPALIVE_SECONDS if self._address.is_socket else KEEPALIVE_SECONDS
        try:
            while True:
                wait = clock.coalesced_wait(time.monotonic(), seconds)
                done, _ = await asyncio.wait({upcoming}, timeout=wait)
                if not done:
                    await self.call("ping")
                    continue
                yield _subsystems(upcoming)
                upcoming = asyncio.ensure_future(_next(idle))
        finally:
            upcoming.cancel()
            await asyncio.gather(upcoming, return_exceptions=True)

    def link(self, other: "Connection") -> None:
        """Close `other` whenever this one is closed."""
        self._linked.append(other)

    def close(self) -> None:
        """Close the connection; calls in progress fail."""
        self._client.disconnect()
        for connection in self._linked:
            connection.close()


@asynccontextmanager
async def _timeout(seconds: float) -> AsyncIterator[None]:
    """Raise `TimeoutError` in the body after so many seconds in which this process could run.

    If the event loop was stalled until the deadline, the response may be there, unread. A timeout
    then would lose the messages in it.
    """
    loop = asyncio.get_running_loop()
    timer: asyncio.TimerHandle | None = None

    def wait_until(due: float) -> None:
        nonlocal timer
        timer = loop.call_at(due, check, due)

    def check(due: float) -> None:
        now = loop.time()
        if now - due > STALL_SECONDS:
            wait_until(now + seconds)
        else:
            timeout.reschedule(now)

    async with asyncio.timeout(None) as timeout:
        wait_until(loop.time() + seconds)
        try:
            yield
        finally:
            if timer is not None:
                timer.cancel()


async def _read_value(response: Awaitable[Any]) -> Any:
    value = await response
    return list(value) if hasattr(value, "__next__") else value


async def _read_rows(response: Any) -> list[Row]:
    # Iterated, not awaited: awaiting leaves a task behind when the connection is lost.
    return [row async for row in response]


async def _next(idle: AsyncIterator[Iterable[str]]) -> Iterable[str]:
    return await anext(idle)


def _subsystems(upcoming: "asyncio.Future[Iterable[str]]") -> frozenset[str]:
    try:
        return frozenset(upcoming.result())
    except Exception as error:
        raise unavailable(error, "waiting for changes of MPD") from error


def _encodable(text: str) -> str:
    """Return an argument that MPD's protocol can carry: one line."""
    if "\n" in text:
        printable = text.encode("utf-8", "backslashreplace").decode()
        raise CommandRefused(f"MPD's protocol cannot carry the name {printable!r}", None)
    return text
