"""The daemon's events, and publish and subscribe with a replay buffer.

Events are hints: subscribers read the current state before they act.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from anagnorisisd.clock import Clock
from anagnorisisd.domain.pick import Pick
from anagnorisisd.domain.play import Play
from anagnorisisd.domain.player import PlaybackState, SongId
from anagnorisisd.domain.rating import RatingChange
from anagnorisisd.domain.steering import Steering
from anagnorisisd.domain.track import TrackId, Uri


@dataclass(frozen=True, slots=True)
class TrackRated:
    """A rating was set, cleared or undone, and is stored."""

    change: RatingChange


@dataclass(frozen=True, slots=True)
class PlayRecorded:
    """A play was stored, with its outcome."""

    play: Play


@dataclass(frozen=True, slots=True)
class PickQueued:
    """A pick was added to the queue."""

    pick: Pick
    uri: Uri


@dataclass(frozen=True, slots=True)
class LibraryChanged:
    """A scan changed which tracks are present: tracks added, files moved or missing."""

    added: tuple[TrackId, ...] = ()
    moved: int = 0
    missing: int = 0


@dataclass(frozen=True, slots=True)
class TracksEmbedded:
    """New vectors were stored."""

    track_ids: tuple[TrackId, ...]


@dataclass(frozen=True, slots=True)
class PredictionsUpdated:
    """The predicted ratings of `count` tracks were written."""

    count: int


@dataclass(frozen=True, slots=True)
class EvaluatorPromoted:
    """A newly trained evaluator was promoted."""

    version: int


@dataclass(frozen=True, slots=True)
class PickingSwitched:
    """The listener switched picking on or off."""

    enabled: bool


@dataclass(frozen=True, slots=True)
class SteeringChanged:
    """The listener steered the picks; with `None` the steering has ended.

    `only_end` says that only the number of songs until its end has changed.
    """

    steering: Steering | None
    only_end: bool = False


@dataclass(frozen=True, slots=True)
class NoPicksReasonChanged:
    """No picks are added because of `reason`; if that is empty, they are added again."""

    reason: str


@dataclass(frozen=True, slots=True)
class UpcomingPicksChanged:
    """Picks in the queue were added, removed or moved, or one started; `song_ids` are to come."""

    song_ids: tuple[SongId, ...]


@dataclass(frozen=True, slots=True)
class PlaybackChanged:
    """The player started, paused, stopped or sought, or another song is current."""

    state: PlaybackState
    song_id: SongId | None
    uri: Uri | None


@dataclass(frozen=True, slots=True)
class PlayerConnected:
    """The connection to the player was established."""

    address: str


@dataclass(frozen=True, slots=True)
class PlayerDisconnected:
    """The connection to the player was lost; the daemon reconnects."""

    reason: str


Event = (
    TrackRated
    | PlayRecorded
    | PickQueued
    | LibraryChanged
    | TracksEmbedded
    | PredictionsUpdated
    | EvaluatorPromoted
    | PickingSwitched
    | SteeringChanged
    | NoPicksReasonChanged
    | UpcomingPicksChanged
    | PlaybackChanged
    | PlayerConnected
    | PlayerDisconnected
)


@dataclass(frozen=True, slots=True)
class Announcement:
    """A published event; `missed` counts events dropped before it."""

    sequence: int
    at: float
    event: Event
    missed: int = 0


class Events:
    """Delivers every published event to every subscription; `publish` never blocks."""

    def __init__(self, clock: Clock, keep: int = 1024) -> None:
        self._clock = clock
        self._recent: deque[Announcement] = deque(maxlen=keep)
        self._subscriptions: set[Subscription] = set()
        self._sequence = 0

    @property
    def sequence(self) -> int:
        """The sequence of the newest announcement; 0 before the first."""
        return self._sequence

    @property
    def watchers(self) -> int:
        """How many subscriptions are open."""
        return len(self._subscriptions)

    def publish(self, event: Event) -> None:
        """Announce `event`; call it from the event loop only."""
        self._sequence += 1
        announcement = Announcement(self._sequence, self._clock.now(), event)
        self._recent.append(announcement)
        for subscription in tuple(self._subscriptions):
            subscription.offer(announcement)

    def subscribe(self, *, after: int | None = None, buffer: int = 256) -> "Subscription":
        """Return a subscription to what is published from now on.

        With `after`, kept announcements with a higher sequence are replayed first; those no longer
        kept count as missed.
        """
        subscription = Subscription(self._subscriptions, buffer)
        if after is not None and after < self._sequence:
            replay = [kept for kept in self._recent if kept.sequence > after]
            oldest = replay[0].sequence if replay else self._sequence + 1
            subscription.missed = oldest - after - 1
            for announcement in replay:
                subscription.offer(announcement)
        return subscription


class Subscription:
    """A bounded buffer of announcements; when it overflows the oldest are dropped and counted."""

    def __init__(self, registry: "set[Subscription]", buffer: int) -> None:
        self.missed = 0
        self._registry = registry
        self._buffer: deque[Announcement] = deque()
        self._size = buffer
        self._filled = asyncio.Event()
        registry.add(self)

    def offer(self, announcement: Announcement) -> None:
        """Append an announcement; drop the oldest if the buffer is full."""
        if len(self._buffer) >= self._size:
            self._buffer.popleft()
            self.missed += 1
        self._buffer.append(announcement)
        self._filled.set()

    async def next(self) -> Announcement:
        """Wait for the next announcement; it carries how many were missed before it."""
        while not self._buffer:
            self._filled.clear()
            await self._filled.wait()
        first = self._buffer.popleft()
        missed, self.missed = self.missed, 0
        return Announcement(first.sequence, first.at, first.event, missed)

    def arrived(self) -> list[Announcement]:
        """Return and remove all buffered announcements, without waiting."""
        taken = list(self._buffer)
        self._buffer.clear()
        if taken and self.missed:
            taken[0] = replace(taken[0], missed=self.missed)
            self.missed = 0
        return taken

    async def __aiter__(self) -> AsyncIterator[Announcement]:
        """Yield announcements until the task is cancelled."""
        while True:
            yield await self.next()

    def close(self) -> None:
        """Stop receiving."""
        self._registry.discard(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
