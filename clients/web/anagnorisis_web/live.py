"""Live updates: the daemon's events, passed on to every open page as server-sent events."""

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncGenerator
from typing import NamedTuple

import grpc
from starlette.types import ASGIApp, Receive, Scope, Send

from anagnorisis.v1.daemon_pb2 import WatchEventsRequest, WatchEventsResponse
from anagnorisis_web.daemon import Daemon

RETRY_SECONDS = 1.0
MAX_WAITING = 100
"""Events that wait for a page that reads slowly; then it is told to reload everything."""

SECONDS_TO_KEEP_WATCHING = 60.0
"""After the last request and the last page: another page is often opened in its place."""

RELOAD = "reload"
"""Event: what the page shows may be out of date, all of it."""
LOST = "daemon_lost"
"""Event: the daemon does not answer."""


class Event(NamedTuple):
    """An event for the pages: its name, data as JSON, and the position after it."""

    name: str
    data: str
    position: str


class LiveEvents:
    """Watches the daemon's events while somebody uses the page.

    All pages share one stream, so that a page costs the daemon nothing; without any, there is no
    stream. A page has the position
    from when it was rendered, so that no event is lost before it listens.
    """

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._pages: set[asyncio.Queue[Event]] = set()
        self._watching: asyncio.Task[None] | None = None
        self._after = WatchEventsRequest(heartbeat_seconds=30)
        self._stop: asyncio.TimerHandle | None = None
        self._connected: bool | None = None
        self._started = os.urandom(8).hex()
        self._published = 0

    @property
    def position(self) -> str:
        """Return what identifies the last event."""
        return f"{self._started}:{self._published}"

    def watch(self) -> None:
        """Begin to watch, or go on for a while."""
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch())
        self._stop_later()

    def _stop_later(self) -> None:
        if self._stop is not None:
            self._stop.cancel()
        loop = asyncio.get_running_loop()
        self._stop = loop.call_later(SECONDS_TO_KEEP_WATCHING, self._stop_if_unused)

    def _stop_if_unused(self) -> None:
        if self._watching is not None and not self._pages:
            self._watching.cancel()
            self._watching = None

    async def subscribe(self, position: str) -> AsyncGenerator[Event, None]:
        """Yield the events after a position, until the page leaves.

        If there were any before this call, the first is `RELOAD`.
        """
        queue: asyncio.Queue[Event] = asyncio.Queue(MAX_WAITING)
        self._pages.add(queue)
        self.watch()
        try:
            if self._connected is False:
                yield Event(LOST, "{}", position)
            elif position != self.position:
                yield Event(RELOAD, "{}", self.position)
            while True:
                yield await queue.get()
        finally:
            self._pages.discard(queue)
            self._stop_later()

    async def close(self) -> None:
        """Stop watching."""
        if self._stop is not None:
            self._stop.cancel()
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching

    def publish(self, name: str, data: str = "{}") -> None:
        """Send an event to all open pages; `data` is JSON."""
        self._published += 1
        for queue in self._pages:
            if queue.full():
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait(Event(RELOAD, "{}", self.position))
            else:
                queue.put_nowait(Event(name, data, self.position))

    async def _watch(self) -> None:
        after = self._after  # what was missed since then comes first
        while True:
            try:
                async for event in self._daemon.daemon.WatchEvents(after):
                    lost = not self._connected or event.missed or _restarted(after, event)
                    self._connected = True
                    after.epoch, after.after_sequence = event.epoch, event.sequence
                    if lost:
                        self.publish(RELOAD)
                    name = event.WhichOneof("event")
                    if name and name != "heartbeat":
                        self.publish(name, _data(event))
            except grpc.aio.AioRpcError:
                if self._connected is not False:
                    self.publish(LOST)
                self._connected = False
            await asyncio.sleep(RETRY_SECONDS)


class PagePosition:
    """Notes in each request where the events are before its page is rendered."""

    def __init__(self, app: ASGIApp, events: LiveEvents) -> None:
        self._app = app
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on the request."""
        if scope["type"] == "http":
            self._events.watch()
            scope.setdefault("state", {})["position"] = self._events.position
        await self._app(scope, receive, send)


def _restarted(before: WatchEventsRequest, event: WatchEventsResponse) -> bool:
    return bool(before.epoch) and before.epoch != event.epoch


def _data(event: WatchEventsResponse) -> str:
    """Return what a page has to know of an event: which track it is about."""
    detail = getattr(event, event.WhichOneof("event") or "")
    rating = getattr(detail, "rating", None)
    track_id = getattr(detail, "track_id", "") or getattr(rating, "track_id", "")
    return json.dumps({"track_id": track_id} if track_id else {})
