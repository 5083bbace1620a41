"""Commands that MPD clients send as messages (`mpc sendmessage`), each answered with one line.

MPD delivers a message only once, so it is kept here until it was executed and answered. Commands
are executed in the order of their arrival, each once.
"""

import contextlib
import logging
import uuid
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from anagnorisisd.clock import Clock
from anagnorisisd.domain.player import Player
from anagnorisisd.domain.rating import RatingChange
from anagnorisisd.domain.steering import SeedKind, SeedWish, Steering
from anagnorisisd.domain.steering_words import SteeringWords
from anagnorisisd.domain.track import TrackId, Uri
from anagnorisisd.errors import (
    AnagnorisisError,
    InvalidValue,
    PlayerRefused,
    PlayerUnavailable,
    PreconditionFailed,
    StoreError,
)
from anagnorisisd.library.track_resolver import TrackResolver
from anagnorisisd.ratings.message_command import (
    Adjust,
    Clear,
    Command,
    Mood,
    Rate,
    SkipAlbum,
    Switch,
    Undo,
    parse,
)
from anagnorisisd.ratings.service import RatingService
from anagnorisisd.runtime import daily_schedule

log = logging.getLogger(__name__)

SOURCE = "channel"
RETRY_SECONDS = 60.0
"""How long a command that cannot be stored is retried; then the answer is the error."""

MAX_PENDING = 1000
"""With so many pending messages no more are read; MPD keeps some, and then refuses others."""

MAX_ANSWERS = 64
"""The number of answers that are kept while MPD is not connected; the oldest are dropped."""


def _new_request_id() -> str:
    return f"{SOURCE}-{uuid.uuid4().hex}"


@dataclass(slots=True)
class _Message:
    """A message, with the file that played when it was read, and the file that it names."""

    text: str
    playing: Uri | None
    named: Uri | None
    read_at: float
    request_id: str = field(default_factory=_new_request_id)
    """So that a retry does not apply a command again that was stored in spite of an error."""


class SteeringControl(Protocol):
    """Sets and returns the steering; implemented by `steering.service.SteeringService`."""

    async def steer(self, steering: Steering) -> Steering | None:
        """Replace the steering; without wishes, end it."""
        ...

    async def current(self) -> Steering | None:
        """Return the steering, if there is one."""
        ...


class MessageChannel:
    """Reads messages, executes the commands in them, and answers."""

    def __init__(
        self,
        player: Player,
        tracks: TrackResolver,
        ratings: RatingService,
        set_picking: Callable[[bool], Awaitable[None]],
        clock: Clock,
        *,
        steering: SteeringControl | None = None,
        skip_album: Callable[[], Awaitable[int]] | None = None,
    ) -> None:
        self._steering = steering
        self._skip_album = skip_album
        self._player = player
        self._tracks = tracks
        self._ratings = ratings
        self._set_picking = set_picking
        self._clock = clock
        self._pending: deque[_Message] = deque()
        self._answers: deque[str] = deque(maxlen=MAX_ANSWERS)

    async def process(self) -> None:
        """Read new messages, and execute all pending ones.

        Raises:
            StoreError: a command could not be stored; the next call retries it.
            PlayerUnavailable: the connection was lost; messages read before were executed.
        """
        if len(self._pending) >= MAX_PENDING:
            await self._execute_pending()
        try:
            await self._read()
        except PlayerUnavailable:
            await self._execute_pending()
            raise
        await self._execute_pending()

    async def close(self) -> None:
        """Execute the pending messages; log how many cannot be."""
        try:
            await self._execute_pending()
        except AnagnorisisError as error:
            log.warning("lost commands of MPD clients: %d; %s", len(self._pending), error)

    async def _read(self) -> None:
        if not self._player.link().connected:
            return
        # The state is read first: after the messages were read, nothing may fail.
        playing = (await self._player.state()).uri
        with contextlib.suppress(PlayerRefused):  # The link reports missing permissions.
            messages = await self._player.messages()
            now = self._clock.monotonic()
            self._pending += [_Message(text, playing, self._named(text), now) for text in messages]

    def _named(self, text: str) -> Uri | None:
        """Return the URI of the file that a message names, while MPD is connected."""
        with contextlib.suppress(InvalidValue, PlayerUnavailable):
            match parse(text):
                case Rate(_, str(name)) | Adjust(_, str(name)) | Clear(str(name)):
                    return self._player.uri(name)
        return None

    async def _execute_pending(self) -> None:
        while self._pending:
            message = self._pending[0]
            answer = await self._answer(message)
            self._pending.popleft()
            self._answers.append(answer)
            log.debug("message %r: %s", message.text, answer)
            with contextlib.suppress(PlayerUnavailable):
                await self._send_answers()
        await self._send_answers()

    async def _send_answers(self) -> None:
        while self._answers and self._player.link().connected:
            with contextlib.suppress(PlayerRefused):
                await self._player.reply(self._answers[0])
            self._answers.popleft()

    async def _answer(self, message: _Message) -> str:
        try:
            return await self._execute(parse(message.text), message)
        except PlayerUnavailable:
            raise
        except StoreError as error:
            if self._clock.monotonic() - message.read_at < RETRY_SECONDS:
                raise
            log.warning("gave up a command of an MPD client: %s", error)
            return f"error: {error}"
        except AnagnorisisError as error:
            return f"error: {error}"

    async def _execute(self, command: Command, message: _Message) -> str:
        request_id = message.request_id
        match command:
            case Rate(value, name):
                track_id = await self._track(name, message)
                change = await self._ratings.rate(
                    track_id, value, source=SOURCE, request_id=request_id
                )
            case Adjust(delta, name):
                track_id = await self._track(name, message)
                change = await self._ratings.adjust(
                    track_id, delta, source=SOURCE, request_id=request_id
                )
            case Clear(name):
                track_id = await self._track(name, message)
                change = await self._ratings.clear(track_id, source=SOURCE, request_id=request_id)
            case Undo():
                change = await self._ratings.undo(source=SOURCE, request_id=request_id)
            case Switch(enabled):
                await self._set_picking(enabled)
                return f"picking is {'on' if enabled else 'off'}"
            case Mood(words):
                return await self._steer(words, message)
            case SkipAlbum():
                if self._skip_album is None:
                    raise PreconditionFailed("albums cannot be skipped here")
                return f"skipped the album, {await self._skip_album()} entries removed"
        return _describe(change)

    async def _steer(self, words: SteeringWords | None, message: _Message) -> str:
        """Steer the picks, or with `None` only say how they are steered."""
        if self._steering is None:
            raise PreconditionFailed("picks cannot be steered here")
        if words is not None:
            wishes = words.wishes
            if words.like_current:
                current = await self._tracks.playing(message.playing)
                wishes = (*wishes, SeedWish(SeedKind.TRACK, current))
            ends_at = self._end_of(words)
            await self._steering.steer(Steering(wishes, ends_at=ends_at, songs_left=words.songs))
        steering = await self._steering.current()
        return "mood is off" if steering is None else f"mood: {steering}"

    def _end_of(self, words: SteeringWords) -> float | None:
        """Return when the steering ends, in unix seconds; `None` if not at a time."""
        now = self._clock.now()
        if words.until is not None:
            return daily_schedule.next_due(now, words.until, zone=None)
        return None if words.seconds is None else now + words.seconds

    async def _track(self, name: str | None, message: _Message) -> TrackId:
        """Return the named track, or the one that played when the message was read."""
        if name is None:
            return await self._tracks.playing(message.playing)
        if message.named is not None:
            return await self._tracks.at_uri(message.named)
        return await self._tracks.named(name)


def _describe(change: RatingChange) -> str:
    if change.rating.plays_only:
        return "plays moved back to the track whose file was replaced"
    value, previous = change.rating.value, change.previous
    now = "rating cleared" if value is None else f"rated {value:g}"
    return f"{now}, was {'unrated' if previous is None else f'{previous:g}'}"
