"""Following events: a bounded buffer for each watcher, heartbeats, and resuming."""

import asyncio
import uuid
from collections.abc import AsyncIterator

from anagnorisis.v1 import daemon_pb2 as messages
from anagnorisisd.clock import Clock
from anagnorisisd.errors import InvalidValue
from anagnorisisd.events import Announcement, Events
from anagnorisisd.rpc import event_messages as translate
from anagnorisisd.rpc import validation

DEFAULT_HEARTBEAT_SECONDS = 30
LONGEST_HEARTBEAT_SECONDS = 3600


class EventStream:
    """Streams events to any number of watchers; a slow one holds up nobody but itself."""

    def __init__(self, events: Events, clock: Clock) -> None:
        self._events = events
        self._clock = clock
        self._epoch = uuid.uuid4().hex
        self._newest = messages.WatchEventsResponse()

    async def follow(
        self, request: messages.WatchEventsRequest
    ) -> AsyncIterator[messages.WatchEventsResponse]:
        """Yield a heartbeat at once, then events as they happen, until cancelled.

        Raises:
            InvalidValue: a bad heartbeat, or a sequence that this run has not reached.
        """
        heartbeat_seconds = validation.count(
            "heartbeat_seconds",
            request.heartbeat_seconds,
            DEFAULT_HEARTBEAT_SECONDS,
            LONGEST_HEARTBEAT_SECONDS,
        )
        after = self._after(request)
        last = self._events.sequence if after is None else after
        with self._events.subscribe(after=after) as subscription:
            yield self._heartbeat(last)
            while True:
                try:
                    async with asyncio.timeout(heartbeat_seconds):
                        announcement = await subscription.next()
                except TimeoutError:
                    yield self._heartbeat(last)
                else:
                    last = announcement.sequence
                    yield self._announced(announcement)

    def _announced(self, announcement: Announcement) -> messages.WatchEventsResponse:
        """Return the message for an announcement; those who keep up with it share one."""
        if announcement.missed:
            return translate.announced(announcement, self._epoch)
        if announcement.sequence != self._newest.sequence:
            self._newest = translate.announced(announcement, self._epoch)
        return self._newest

    def _after(self, request: messages.WatchEventsRequest) -> int | None:
        if not request.HasField("after_sequence"):
            return None
        if request.epoch and request.epoch != self._epoch:
            return 0  # The caller saw an earlier run: all of this one is new to it.
        if not 0 <= request.after_sequence <= self._events.sequence:
            raise InvalidValue(
                "after_sequence",
                f"{request.after_sequence} is not between 0 and {self._events.sequence}, "
                "the newest event of this run",
            )
        return request.after_sequence

    def _heartbeat(self, sequence: int) -> messages.WatchEventsResponse:
        return translate.heartbeat(sequence, self._epoch, self._clock.now())
