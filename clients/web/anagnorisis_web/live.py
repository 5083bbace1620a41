"""Live updates: the daemon's events, passed on to every open page as server-sent events."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import grpc

from anagnorisis.v1.daemon_pb2 import WatchEventsRequest, WatchEventsResponse
from anagnorisis_web.daemon import Daemon

RETRY_SECONDS = 1.0
MAX_WAITING = 100
"""Events that wait for a page that reads slowly; then it is told to reload everything."""

RELOAD = "reload"
"""Event: what the page shows may be out of date, all of it."""
LOST = "daemon_lost"
"""Event: the daemon does not answer."""


class LiveEvents:
    """Watches the daemon's events while at least one page listens.

    All pages share one stream, so that a page costs the daemon nothing.
    """

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._pages: set[asyncio.Queue[tuple[str, str]]] = set()
        self._watching: asyncio.Task[None] | None = None

    async def subscribe(self) -> AsyncIterator[tuple[str, str]]:
        """Yield the name of each event and its data as JSON, until the page leaves."""
        queue: asyncio.Queue[tuple[str, str]] = asyncio.Queue(MAX_WAITING)
        self._pages.add(queue)
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch())
        try:
            while True:
                yield await queue.get()
        finally:
            self._pages.discard(queue)
            if not self._pages:
                await self.close()

    async def close(self) -> None:
        """Stop watching."""
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching

    def publish(self, name: str, data: str = "{}") -> None:
        """Send an event to all open pages; `data` is JSON."""
        for queue in self._pages:
            if queue.full():
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait((RELOAD, "{}"))
            else:
                queue.put_nowait((name, data))

    async def _watch(self) -> None:
        after = WatchEventsRequest(heartbeat_seconds=30)
        connected = True
        while True:
            try:
                async for event in self._daemon.daemon.WatchEvents(after):
                    if not connected or event.missed or _restarted(after, event):
                        self.publish(RELOAD)
                    connected = True
                    after.epoch, after.after_sequence = event.epoch, event.sequence
                    name = event.WhichOneof("event")
                    if name and name != "heartbeat":
                        self.publish(name, _data(event))
            except grpc.aio.AioRpcError:
                if connected:
                    self.publish(LOST)
                connected = False
            await asyncio.sleep(RETRY_SECONDS)


def _restarted(before: WatchEventsRequest, event: WatchEventsResponse) -> bool:
    return bool(before.epoch) and before.epoch != event.epoch


def _data(event: WatchEventsResponse) -> str:
    """Return what a page has to know of an event: which track it is about."""
    detail = getattr(event, event.WhichOneof("event") or "")
    rating = getattr(detail, "rating", None)
    track_id = getattr(detail, "track_id", "") or getattr(rating, "track_id", "")
    return json.dumps({"track_id": track_id} if track_id else {})
