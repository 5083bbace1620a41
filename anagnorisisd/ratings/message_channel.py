"""Channel: commands that any client of the player can send, answered on the reply channel.

A message that was read exists nowhere else any more, so it stays here until it was done and
answered. Commands are done in the order of their arrival, each once.
"""

import contextlib
import logging
import uuid
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from anagnorisisd.clock import Clock
from anagnorisisd.domain.player import Player
from anagnorisisd.domain.rating import RatingChange
from anagnorisisd.domain.track import TrackId, Uri
from anagnorisisd.errors import (
    AnagnorisisError,
    InvalidValue,
    PlayerRefused,
    PlayerUnavailable,
    StoreError,
)
from anagnorisisd.library.track_resolver import TrackResolver
from anagnorisisd.ratings.message_command import Adjust, Clear, Command, Rate, Switch, Undo, parse
from anagnorisisd.ratings.service import RatingService

log = logging.getLogger(__name__)

SOURCE = "channel"
PATIENCE_SECONDS = 60.0
"""For so long a command that cannot be stored is tried again; then its sender is told so."""

MOST_COMMANDS = 1000
"""While so many wait no more are read; the player keeps some, and then refuses others."""

MOST_ANSWERS = 64
"""So many answers are kept for a player that went away; the oldest are dropped."""


def _request_id() -> str:
    return f"{SOURCE}-{uuid.uuid4().hex}"


@dataclass(slots=True)
class _Waiting:
    """A message that was read: when, what played then, and which file it names."""

    message: str
    playing: Uri | None
    named: Uri | None
    read_at: float
    request_id: str = field(default_factory=_request_id)
    """So that a command whose end was not seen is not done a second time."""


class MessageChannel:
    """Reads the messages that wait, does what they say, and answers each with one line."""

    def __init__(
        self,
        player: Player,
        targets: TrackResolver,
        ratings: RatingService,
        set_picking: Callable[[bool], Awaitable[None]],
        clock: Clock,
    ) -> None:
        self._player = player
        self._targets = targets
        self._ratings = ratings
        self._set_picking = set_picking
        self._clock = clock
        self._waiting: deque[_Waiting] = deque()
        self._answers: deque[str] = deque(maxlen=MOST_ANSWERS)

    async def obey(self) -> None:
        """Do everything that was asked for since the last time, and what was left then.

        Raises:
            StoreError: a command could not be stored yet; it waits for the next call.
            PlayerUnavailable: the player went away; what was read is done all the same.
        """
        if len(self._waiting) >= MOST_COMMANDS:
            await self._work()
        try:
            await self._read()
        except PlayerUnavailable:
            await self._work()
            raise
        await self._work()

    async def close(self) -> None:
        """Do what was read and is not done yet; say what cannot be done."""
        try:
            await self._work()
        except AnagnorisisError as error:
            log.warning("%d commands of the MPD channel are lost: %s", len(self._waiting), error)

    async def _read(self) -> None:
        if not self._player.link().connected:
            return
        # What plays is read first: once a message was read, nothing may fail.
        playing = (await self._player.state()).uri
        with contextlib.suppress(PlayerRefused):  # The link says what is not permitted.
            messages = await self._player.messages()
            now = self._clock.monotonic()
            self._waiting += [
                _Waiting(message, playing, self._named(message), now) for message in messages
            ]

    def _named(self, message: str) -> Uri | None:
        """Return the file that a message names; the player may be away when it is done."""
        with contextlib.suppress(InvalidValue, PlayerUnavailable):
            match parse(message):
                case Rate(_, str(name)) | Adjust(_, str(name)) | Clear(str(name)):
                    return self._player.uri(name)
        return None

    async def _work(self) -> None:
        """Do what waits; answers follow as soon as the player takes them."""
        while self._waiting:
            waiting = self._waiting[0]
            answer = await self._answer(waiting)
            self._waiting.popleft()
            self._answers.append(answer)
            log.debug("%r: %s", waiting.message, answer)
            with contextlib.suppress(PlayerUnavailable):
                await self._send_answers()
        await self._send_answers()

    async def _send_answers(self) -> None:
        while self._answers and self._player.link().connected:
            with contextlib.suppress(PlayerRefused):
                await self._player.reply(self._answers[0])
            self._answers.popleft()

    async def _answer(self, waiting: _Waiting) -> str:
        try:
            return await self._do(parse(waiting.message), waiting)
        except PlayerUnavailable:
            raise
        except StoreError as error:
            if self._clock.monotonic() - waiting.read_at < PATIENCE_SECONDS:
                raise
            log.warning("a command of the MPD channel was given up: %s", error)
            return f"error: {error}"
        except AnagnorisisError as error:
            return f"error: {error}"

    async def _do(self, command: Command, waiting: _Waiting) -> str:
        request_id = waiting.request_id
        match command:
            case Rate(value, name):
                track_id = await self._meant(name, waiting)
                return _told(
                    await self._ratings.rate(track_id, value, source=SOURCE, request_id=request_id)
                )
            case Adjust(delta, name):
                track_id = await self._meant(name, waiting)
                return _told(
                    await self._ratings.adjust(
                        track_id, delta, source=SOURCE, request_id=request_id
                    )
                )
            case Clear(name):
                track_id = await self._meant(name, waiting)
                return _told(
                    await self._ratings.clear(track_id, source=SOURCE, request_id=request_id)
                )
            case Undo():
                return _told(await self._ratings.undo(source=SOURCE, request_id=request_id))
            case Switch(enabled):
                await self._set_picking(enabled)
                return f"picking is {'on' if enabled else 'off'}"

    async def _meant(self, name: str | None, waiting: _Waiting) -> TrackId:
        if name is None:
            return await self._targets.playing(waiting.playing)
        if waiting.named is not None:
            return await self._targets.at_uri(waiting.named)
        return await self._targets.named(name)


def _told(change: RatingChange) -> str:
    return f"rated {_shown(change.rating.value)}, was {_shown(change.previous)}"


def _shown(value: float | None) -> str:
    return "nothing" if value is None else f"{value:g}"
