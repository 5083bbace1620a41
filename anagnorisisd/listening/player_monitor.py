"""Reads the player's state whenever it may have changed, and passes it to the services.

Changes are hints. They may come twice or late, so each of them, and a timer, leads to the same
reading of the same state. While nothing changes, nothing is read: a computer that plays music
should be able to sleep between two songs.

Storing plays, handling messages and refilling the queue run concurrently: none of them waits for
another, and a failure of one does not stop the others.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Sequence

from anagnorisisd.clock import Clock
from anagnorisisd.domain.player import PlaybackState, Player, PlayerState
from anagnorisisd.errors import AnagnorisisError
from anagnorisisd.events import (
    EvaluatorPromoted,
    Events,
    LibraryChanged,
    PickingSwitched,
    PlaybackChanged,
    PlayerConnected,
    PlayerDisconnected,
    PredictionsUpdated,
    SteeringChanged,
    TrackRated,
)
from anagnorisisd.listening.playback_tracker import SEEK_SECONDS
from anagnorisisd.listening.service import PlayService
from anagnorisisd.picks.queue_manager import QueueManager
from anagnorisisd.ratings.message_channel import MessageChannel
from anagnorisisd.ratings.stickers.sync_loop import StickerSync
from anagnorisisd.runtime.log_setup import LastMessage

log = logging.getLogger(__name__)

TICK_SECONDS = 60.0
"""Waits of at least this length end together with those of other tasks, to wake up less often."""

RETRY_SECONDS = 5.0
"""How long after a failure the step is run again."""

Step = Callable[[frozenset[str]], Awaitable[float]]
"""Takes the names of what changed since the last successful step. Returns in how many seconds to
run again although nothing changes; `inf` for never."""

SETTLE_SECONDS = 0.25
"""So long after a change the state is read again: with crossfade, MPD first reports 0 s elapsed."""

REFILL_EVENTS = (
    TrackRated,
    EvaluatorPromoted,
    PredictionsUpdated,
    LibraryChanged,
    PickingSwitched,
    SteeringChanged,
)
"""Events after which the queue may need other picks."""


class ChangeConsumer:
    """Runs one step at a time, whenever woken, and again after a failure.

    Each consumer is a task of its own, so that one that fails or waits does not delay others.
    """

    def __init__(self, name: str, step: Step, clock: Clock) -> None:
        self._name = name
        self._step = step
        self._clock = clock
        self._changed: set[str] = set()
        self._woken = asyncio.Event()
        self._last_error = LastMessage()

    def wake(self, changed: frozenset[str] = frozenset()) -> None:
        """Request a step; changes that arrive before it runs are passed to it together."""
        self._changed |= changed
        self._woken.set()

    async def run(self) -> None:
        """Run a step whenever woken or due, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            timer: asyncio.Task[None] | None = None
            while True:
                await self._woken.wait()
                self._woken.clear()
                if timer is not None:
                    timer.cancel()
                changed, self._changed = frozenset(self._changed), set()
                seconds = await self._attempt(changed)
                timer = tasks.create_task(self._wake_after(seconds)) if seconds < math.inf else None

    async def _attempt(self, changed: frozenset[str]) -> float:
        """Run the step. After any exception it is retried; the same error is logged once."""
        try:
            seconds = await self._step(changed)
        except Exception as error:
            self._changed |= changed
            if self._last_error.changes_to(str(error)):
                expected = isinstance(error, AnagnorisisError)
                log.warning("%s failed; retrying: %s", self._name, error, exc_info=not expected)
            return RETRY_SECONDS
        self._last_error.changes_to(None)
        return seconds

    async def _wake_after(self, seconds: float) -> None:
        await (self._clock.sleep if seconds < TICK_SECONDS else self._clock.rest)(seconds)
        self._woken.set()


Observer = Callable[[frozenset[str]], None]
"""Takes the names of the subsystems that changed, without waiting."""


class PlayerMonitor:
    """Watches the player; `observers` are told of every change."""

    def __init__(
        self,
        *,
        player: Player,
        play_service: PlayService,
        queue_manager: QueueManager,
        message_channel: MessageChannel,
        sticker_sync: StickerSync,
        observers: Sequence[Observer] = (),
        events: Events,
        clock: Clock,
    ) -> None:
        self._player = player
        self._play_service = play_service
        self._queue_manager = queue_manager
        self._message_channel = message_channel
        self._observers = (sticker_sync.notice, *observers)
        self._events = events
        self._clock = clock
        self._state_reader = ChangeConsumer("Reading the player's state", self._read_state, clock)
        self._play_writer = ChangeConsumer("Storing plays", self._store_plays, clock)
        self._message_handler = ChangeConsumer("Handling messages", self._handle_messages, clock)
        self._refiller = ChangeConsumer("Refilling the queue", self._refill, clock)
        self._unhandled_state: PlayerState | None = None
        self._settled_at = -math.inf
        self._restored = False
        self._published: PlayerState | None = None
        """The state that the last event was about, or the last one after it."""

    async def run(self) -> None:
        """Watch the player until cancelled; then store the plays that ended."""
        consumers = (
            self._state_reader,
            self._play_writer,
            self._message_handler,
            self._refiller,
        )
        try:
            async with asyncio.TaskGroup() as tasks:
                for consumer in consumers:
                    tasks.create_task(consumer.run())
                tasks.create_task(self._watch_player())
                tasks.create_task(self._watch_events())
                tasks.create_task(self._watch_configuration())
                # Messages may be left from before this task failed and was started again.
                self._message_handler.wake()
        finally:
            try:
                await self._message_channel.close()
            finally:
                await self._play_service.close()

    async def _watch_player(self) -> None:
        async for changed in self._player.changes():
            self._publish_link(changed)
            for notice in self._observers:
                notice(changed)
            if changed & {"message", "connected"}:
                self._message_handler.wake()
            self._state_reader.wake(changed)

    def _publish_link(self, changed: frozenset[str]) -> None:
        link = self._player.link()
        if "lost" in changed:
            self._events.publish(PlayerDisconnected(link.reason or "the connection was lost"))
        if "connected" in changed:
            self._events.publish(PlayerConnected(link.address))

    def _publish_playback(self, state: PlayerState) -> None:
        before, self._published = self._published, state
        playback = PlaybackChanged(state.playback_state, state.song_id, state.uri)
        if (
            before is None
            or _has_sought(before, state)
            or playback != PlaybackChanged(before.playback_state, before.song_id, before.uri)
        ):
            self._events.publish(playback)

    async def _watch_events(self) -> None:
        with self._events.subscribe() as announcements:
            async for announcement in announcements:
                if announcement.missed or isinstance(announcement.event, REFILL_EVENTS):
                    self._state_reader.wake()

    async def _watch_configuration(self) -> None:
        while True:
            await self._queue_manager.wait_for_reconfiguration()
            self._state_reader.wake()

    async def _read_state(self, changed: frozenset[str]) -> float:
        """Read the state and the queue, and pass them on."""
        if "lost" in changed:
            self._play_service.disconnected()
            self._published = None
        if "player" in changed:
            self._settled_at = self._clock.monotonic() + SETTLE_SECONDS
        if not self._player.link().connected:
            return TICK_SECONDS
        state = await self._player.state()
        self._publish_playback(state)
        queue = await self._player.queue()
        await self._play_service.observe(state, queue, announced="player" in changed)
        self._play_writer.wake()
        self._unhandled_state = state
        self._refiller.wake(changed)
        return self._seconds_until_due(state.taken_at)

    def _seconds_until_due(self, read_at: float) -> float:
        """Return in how many seconds to read the state although nothing changes.

        `read_at` is the time of the last reading, which on a busy computer may be long ago.
        """
        now = self._clock.monotonic()
        settled_at = self._settled_at if self._settled_at > read_at else math.inf
        return min(TICK_SECONDS, max(0.0, min(settled_at, self._play_service.due()) - now))

    async def _store_plays(self, changed: frozenset[str]) -> float:
        await self._play_service.save()
        return math.inf

    async def _handle_messages(self, changed: frozenset[str]) -> float:
        await self._message_channel.process()
        return math.inf

    async def _refill(self, changed: frozenset[str]) -> float:
        if not self._restored:
            await self._queue_manager.restore()
            self._restored = True
        if "connected" in changed:
            self._queue_manager.reconnected()
        if "database" in changed:
            self._queue_manager.database_updated()
        state, self._unhandled_state = self._unhandled_state, None
        if state is None:  # handled already: have the state read again, which wakes this again
            self._state_reader.wake()
            return math.inf
        if self._player.link().connected:
            await self._queue_manager.refill(state)
        return max(0.0, self._queue_manager.due() - self._clock.monotonic())


def _has_sought(before: PlayerState, state: PlayerState) -> bool:
    """Return whether the same song is at another position than it would be by playing on."""
    if before.elapsed_seconds is None or state.elapsed_seconds is None:
        return False
    played = before.playback_state is PlaybackState.PLAY
    expected = before.elapsed_seconds + (state.taken_at - before.taken_at if played else 0)
    return abs(state.elapsed_seconds - expected) > SEEK_SECONDS
