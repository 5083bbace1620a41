"""One connection to MPD: every call has a deadline, and every failure is one of our errors."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterable
from contextlib import asynccontextmanager
from typing import Any, Self

import mpd
from mpd.base import FailureResponseCode

from anagnorisisd import clock
from anagnorisisd.errors import PlayerRefused, PlayerUnavailable
from anagnorisisd.mpd.address import Address
from anagnorisisd.mpd.client import Client

Row = dict[str, Any]

SUBSYSTEMS = ("player", "playlist", "options", "sticker", "message", "database", "update")
KEEPALIVE_SECONDS = 10.0
"""How often a silent link over the network is tried; a half-open one is noticed after this and one
timeout."""

LOCAL_KEEPALIVE_SECONDS = 60.0
"""The same on this computer, where the kernel tells at once of an MPD that is gone; one that hangs
is noticed when it is asked for something."""

READY_FOR_IDLE_SECONDS = 0.01
"""How soon after a command the client idles again; its default of 0.1 s makes changes late."""

HELD_UP_SECONDS = 0.1
"""A timer that is so late says that the event loop was held up, by the machine or by other work."""

GONE = FailureResponseCode.NO_EXIST
BUSY = FailureResponseCode.UPDATE_ALREADY
FULL = FailureResponseCode.PLAYLIST_MAX


class Refused(PlayerRefused):
    """MPD said no; `code` is that of its ACK line, `None` when it gave none."""

    def __init__(self, message: str, code: FailureResponseCode | None) -> None:
        super().__init__(message)
        self.code = code


class Connection:
    """A client of python-mpd2 that never hangs.

    After a timeout, a lost link or an answer that makes no sense the connection is closed: what
    would come next could belong to an earlier question.
    """

    def __init__(self, client: Client, address: Address, timeout_seconds: float) -> None:
        self._client = client
        self._address = address
        self._timeout = timeout_seconds
        self._turn = asyncio.Lock()
        self._followers: list[Connection] = []

    @classmethod
    async def open(cls, address: Address, timeout_seconds: float) -> Self:
        """Connect and greet.

        Raises:
            PlayerUnavailable: nothing there answers as MPD does.
        """
        client = Client()
        client.IMMEDIATE_COMMAND_TIMEOUT = READY_FOR_IDLE_SECONDS
        try:
            async with _deadline(timeout_seconds):
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
        """Send a command and return python-mpd2's reading of the answer.

        Raises:
            Refused: MPD answered with an error.
            PlayerUnavailable: the link is gone, too slow, or talks nonsense.
        """
        return await self._ask(command, args, _value)

    async def rows(self, command: str, *args: object) -> list[Row]:
        """Send a command whose answer is a list and return its rows; raises as `call` does."""
        rows: list[Row] = await self._ask(command, args, _rows)
        return rows

    async def _ask(self, command: str, args: Iterable[object], read: Any) -> Any:
        texts = [_sendable(str(arg)) for arg in args]
        async with self._turn:
            try:
                async with _deadline(self._timeout):
                    return await read(getattr(self._client, command.replace(" ", "_"))(*texts))
            except mpd.CommandError as error:
                raise Refused(
                    f"MPD refused {command!r}: {error.msg or error}", error.errno
                ) from error
            except Exception as error:
                self.close()
                raise unavailable(error, f"MPD, asked for {command!r},") from error

    async def changes(self) -> AsyncGenerator[frozenset[str], None]:
        """Yield the subsystems that changed.

        Raises:
            PlayerUnavailable: the link is gone; a silent one is tried now and then.
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
                yield _changed(upcoming)
                upcoming = asyncio.ensure_future(_next(idle))
        finally:
            upcoming.cancel()
            await asyncio.gather(upcoming, return_exceptions=True)

    def takes_along(self, other: "Connection") -> None:
        """Let `other` be closed together with this one."""
        self._followers.append(other)

    def close(self) -> None:
        """Drop the link; calls under way fail."""
        self._client.disconnect()
        for follower in self._followers:
            follower.close()


@asynccontextmanager
async def _deadline(seconds: float) -> AsyncIterator[None]:
    """Raise `TimeoutError` in the body after so many seconds in which this process could run.

    When the event loop was held up until the deadline, the answer may lie there unread. To give up
    then would lose the messages in it.
    """
    loop = asyncio.get_running_loop()
    timer: asyncio.TimerHandle | None = None

    def wait_until(due: float) -> None:
        nonlocal timer
        timer = loop.call_at(due, check, due)

    def check(due: float) -> None:
        now = loop.time()
        if now - due > HELD_UP_SECONDS:
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


async def _value(answer: Awaitable[Any]) -> Any:
    value = await answer
    return list(value) if hasattr(value, "__next__") else value


async def _rows(answer: Any) -> list[Row]:
    # Iterating, not awaiting: the latter leaves a task behind when the link breaks.
    return [row async for row in answer]


async def _next(idle: AsyncIterator[Iterable[str]]) -> Iterable[str]:
    return await anext(idle)


def _changed(upcoming: "asyncio.Future[Iterable[str]]") -> frozenset[str]:
    try:
        return frozenset(upcoming.result())
    except Exception as error:
        raise unavailable(error, "waiting for MPD") from error


def _sendable(text: str) -> str:
    if "\n" in text or _is_undecodable(text):
        printable = text.encode("utf-8", "backslashreplace").decode()
        raise Refused(f"MPD has no way to name {printable!r}", None)
    return text


def _is_undecodable(text: str) -> bool:
    return any("\ud800" <= letter <= "\udfff" for letter in text)


def unavailable(error: BaseException, doing: str) -> PlayerUnavailable:
    """Translate whatever went wrong with the link into one line."""
    if isinstance(error, TimeoutError):
        reason = "no answer in time"
    elif isinstance(error, mpd.ConnectionError | OSError):
        reason = str(error) or "the link broke"
    else:
        reason = f"the answer makes no sense ({error})"
    return PlayerUnavailable(f"{doing}: {reason}")
