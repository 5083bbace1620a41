"""Attending: whatever happens to the player, its state is read and the others are told.

Changes are hints. They may come doubled or late, so each of them, and the clock now and then,
leads to the same reading of the same state. While nothing changes nothing is done: a computer
that plays music should be able to sleep between two songs.

Those who are told work beside each other: storing plays, commands on the channel, and refilling the
queue. None of them waits for another one, or for a failure of another one.
"""

import asyncio
import math
from typing import Protocol

from anagnorisisd.clock import Clock
from anagnorisisd.domain.player import Player, PlayerState
from anagnorisisd.events import (
    EvaluatorPromoted,
    Events,
    LibraryChanged,
    PickingSwitched,
    PlayerConnected,
    PlayerLost,
    PredictionsUpdated,
    TrackRated,
)
from anagnorisisd.listening.change_consumer import TICK_SECONDS, Consumer
from anagnorisisd.listening.service import PlayService
from anagnorisisd.picks.queue_manager import QueueManager
from anagnorisisd.ratings.message_channel import MessageChannel

SETTLE_SECONDS = 0.25
"""After a change of song MPD's numbers are not final: a song faded in is at 0 for a moment."""

REASONS = (TrackRated, EvaluatorPromoted, PredictionsUpdated, LibraryChanged, PickingSwitched)
"""Announcements after which the queue may want something else."""


class Mirror(Protocol):
    """Keeps ratings and the player's stickers alike, as `Mirroring` does."""

    def notice(self, changed: frozenset[str]) -> None:
        """Note what changed, without waiting."""
        ...


class PlayerMonitor:
    """The daemon's eye on the player."""

    def __init__(
        self,
        *,
        player: Player,
        listening: PlayService,
        queueing: QueueManager,
        channel: MessageChannel,
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
        self._reading = Consumer("reading the player's state", self._read, clock)
        self._plays = Consumer("storing plays", self._store_plays, clock)
        self._commands = Consumer("doing what the MPD channel says", self._obey, clock)
        self._refilling = Consumer("refilling the queue", self._refill, clock)
        self._state: PlayerState | None = None
        self._settled_at = -math.inf
        self._restored = False

    async def run(self) -> None:
        """Look after the player until cancelled; then finish what was begun."""
        consumers = (self._reading, self._plays, self._commands, self._refilling)
        try:
            async with asyncio.TaskGroup() as tasks:
                for consumer in consumers:
                    tasks.create_task(consumer.run())
                tasks.create_task(self._watch_player())
                tasks.create_task(self._watch_events())
                self._commands.wake()  # what was left when this part of the daemon failed
        finally:
            try:
                await self._channel.close()
            finally:
                await self._listening.close()

    async def _watch_player(self) -> None:
        async for changed in self._player.changes():
            self._publish(changed)
            self._mirror.notice(changed)
            if changed & {"message", "connected"}:
                self._commands.wake()
            self._reading.wake(changed)

    def _publish(self, changed: frozenset[str]) -> None:
        link = self._player.link()
        if "lost" in changed:
            self._events.publish(PlayerLost(link.reason or "the link broke"))
        if "connected" in changed:
            self._events.publish(PlayerConnected(link.address))

    async def _watch_events(self) -> None:
        with self._events.subscribe() as announcements:
            async for told in announcements:
                if told.missed or isinstance(told.event, REASONS):
                    self._reading.wake()

    async def _read(self, changed: frozenset[str]) -> float:
        """Read the state, and hand it to those who act on it."""
        if "lost" in changed:
            self._listening.lost()
        if "player" in changed:
            self._settled_at = self._clock.monotonic() + SETTLE_SECONDS
        if not self._player.link().connected:
            return TICK_SECONDS
        state = await self._player.state()
        queue = await self._player.queue()
        await self._listening.observe(state, queue, announced="player" in changed)
        self._plays.wake()
        self._state = state
        self._refilling.wake(changed)
        return self._until_due()

    def _until_due(self) -> float:
        """Return in how many seconds the state is to be read although nothing changes."""
        now = self._clock.monotonic()
        settled = self._settled_at if self._settled_at > now else math.inf
        return min(TICK_SECONDS, max(0.0, min(settled, self._listening.due()) - now))

    async def _store_plays(self, changed: frozenset[str]) -> float:
        await self._listening.save()
        return math.inf

    async def _obey(self, changed: frozenset[str]) -> float:
        await self._channel.obey()
        return math.inf

    async def _refill(self, changed: frozenset[str]) -> float:
        if not self._restored:
            await self._queueing.restore()
            self._restored = True
        if "connected" in changed:
            self._queueing.reconnected()
        if "database" in changed:
            self._queueing.reconsider()
        state, self._state = self._state, None
        if state is None:  # The state is read again first, and then handed over.
            self._reading.wake()
            return math.inf
        if self._player.link().connected:
            await self._queueing.refill(state)
        return max(0.0, self._queueing.due() - self._clock.monotonic())
