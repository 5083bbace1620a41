"""Channel: commands that any client of the player can send, answered on the reply channel."""

import contextlib
import logging

from anagnorisisd.domain.command import Adjust, Clear, Command, Rate, Switch, Undo, parse
from anagnorisisd.domain.rating import RatingChange
from anagnorisisd.domain.track import TrackId
from anagnorisisd.errors import AnagnorisisError, PlayerRefused
from anagnorisisd.ports.player import Player
from anagnorisisd.services.picking.queueing import Queueing
from anagnorisisd.services.ratings.ratings import Ratings
from anagnorisisd.services.ratings.targets import Targets

log = logging.getLogger(__name__)

SOURCE = "channel"


class Channel:
    """Reads the messages that wait, does what they say, and answers each with one line."""

    def __init__(
        self, player: Player, targets: Targets, ratings: Ratings, queueing: Queueing
    ) -> None:
        self._player = player
        self._targets = targets
        self._ratings = ratings
        self._queueing = queueing

    async def obey(self) -> None:
        """Do everything that was asked for since the last time.

        Raises:
            PlayerUnavailable: the player went away.
        """
        for message in await self._player.messages():
            answer = await self._answer(message)
            log.debug("%r: %s", message, answer)
            with contextlib.suppress(PlayerRefused):
                await self._player.reply(answer)

    async def _answer(self, message: str) -> str:
        try:
            return await self._do(parse(message))
        except AnagnorisisError as error:
            return f"error: {error}"

    async def _do(self, command: Command) -> str:
        match command:
            case Rate(value, name):
                track_id = await self._meant(name)
                return _told(await self._ratings.rate(track_id, value, source=SOURCE))
            case Adjust(delta, name):
                track_id = await self._meant(name)
                return _told(await self._ratings.adjust(track_id, delta, source=SOURCE))
            case Clear(name):
                return _told(await self._ratings.clear(await self._meant(name), source=SOURCE))
            case Undo():
                return _told(await self._ratings.undo(source=SOURCE))
            case Switch(enabled):
                await self._queueing.switch(enabled)
                return f"picking is {'on' if enabled else 'off'}"

    async def _meant(self, name: str | None) -> TrackId:
        if name is None:
            return await self._targets.current()
        return await self._targets.at_uri(self._player.uri(name))


def _told(change: RatingChange) -> str:
    return f"rated {_shown(change.rating.value)}, was {_shown(change.previous)}"


def _shown(value: float | None) -> str:
    return "nothing" if value is None else f"{value:g}"
