"""Attending: whatever happens to the player, its state is read and the others are told.

Changes are hints. They may come doubled or late, so each of them, and the clock now and then,
leads to the same reading of the same state. While nothing changes nothing is done: a computer
that plays music should be able to sleep between two songs.
"""

import asyncio
import logging
import math
from typing import Protocol

from anagnorisisd.domain.event import (
    EvaluatorPromoted,
    LibraryChanged,
    PickingSwitched,
    PlayerConnected,
    PlayerLost,
    PredictionsUpdated,
    TrackRated,
)
from anagnorisisd.errors import AnagnorisisError
from anagnorisisd.ports.clock import Clock
from anagnorisisd.ports.player import Player
from anagnorisisd.services.events import Events
from anagnorisisd.services.listening import Listening
from anagnorisisd.services.picking.queueing import Queueing
from anagnorisisd.services.ratings.channel import Channel

log = logging.getLogger(__name__)

TICK_SECONDS = 60.0
"""How often the player is looked at although nothing seems to have changed."""

RETRY_SECONDS = 5.0
"""How soon after a failure it is tried again."""

SETTLE_SECONDS = 0.25
"""After a change of song MPD's numbers are not final: a song faded in is at 0 for a moment."""

REASONS = (TrackRated, EvaluatorPromoted, PredictionsUpdated, LibraryChanged, PickingSwitched)
"""Announcements after which the queue may want something else."""


class Mirror(Protocol):
    """Keeps ratings and the player's stickers alike, as `Mirroring` does."""

    def notice(self, changed: frozenset[str]) -> None:
        """Note what changed, without waiting."""
        ...


class Attending:
    """The daemon's eye on the player."""

    def __init__(
        self,
        *,
        player: Player,
        listening: Listening,
        queueing: Queueing,
        channel: Channel,
        mirror: Mirror,
        events: Events,
        clock: Clock,
    ) -> None:
        self._player = player
        self._listening = listening
        self._queueing = queueing
        self._channel = channel
        self._mirror = mirror
        self._events = events
        self._clock = clock
        self._changed: set[str] = set()
        self._wake = asyncio.Event()
        self._settled_at = -math.inf
        self._said: str | None = None

    async def run(self) -> None:
        """Look after the player until cancelled; then store the plays that were held back."""
        await self._queueing.restore()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._watch_player())
                tasks.create_task(self._watch_events())
                waiting = tasks.create_task(self._wake_after(TICK_SECONDS))
                while True:
                    await self._wake.wait()
                    self._wake.clear()
                    waiting.cancel()
                    changed, self._changed = frozenset(self._changed), set()
                    seconds = await self._attend(changed)
                    waiting = tasks.create_task(self._wake_after(seconds))
        finally:
            await self._listening.close()

    async def _attend(self, changed: frozenset[str]) -> float:
        """Read the state and act on it; return in how many seconds to do so again, unasked.

        What goes wrong is said once and tried again.
        """
        self._note(changed)
        if not self._player.link().connected:
            return TICK_SECONDS
        try:
            await self._look(changed)
            self._said = None
        except AnagnorisisError as error:
            if str(error) != self._said:
                log.warning("the player could not be attended to: %s", error)
            self._said = str(error)
            return RETRY_SECONDS
        return self._until_due()

    def _until_due(self) -> float:
        """Return in how many seconds something is to be done although nothing changes."""
        now = self._clock.monotonic()
        settled = self._settled_at if self._settled_at > now else math.inf
        due = min(settled, self._listening.due(), self._queueing.due())
        return min(TICK_SECONDS, max(0.0, due - now))

    async def _look(self, changed: frozenset[str]) -> None:
        state = await self._player.state()
        await self._listening.observe(
            state, await self._player.queue(), announced="player" in changed
        )
        if changed & {"message", "connected"}:
            await self._channel.obey()
        await self._queueing.refill(state)

    def _note(self, changed: frozenset[str]) -> None:
        link = self._player.link()
        if "lost" in changed:
            self._listening.lost()
            self._events.publish(PlayerLost(link.reason or "the link broke"))
        if "connected" in changed:
            self._queueing.reconnected()
            self._events.publish(PlayerConnected(link.address))
        if "player" in changed:
            self._settled_at = self._clock.monotonic() + SETTLE_SECONDS
        if "database" in changed:
            self._queueing.reconsider()
        self._mirror.notice(changed)

    async def _watch_player(self) -> None:
        async for changed in self._player.changes():
            self._changed |= changed
            self._wake.set()

    async def _watch_events(self) -> None:
        with self._events.subscribe() as announcements:
            async for told in announcements:
                if told.missed or isinstance(told.event, REASONS):
                    self._wake.set()

    async def _wake_after(self, seconds: float) -> None:
        await (self._clock.sleep if seconds < TICK_SECONDS else self._clock.rest)(seconds)
        self._wake.set()
