"""Events reach the pages, and none is lost between the load of a page and its first event."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from anagnorisis.v1.daemon_pb2 import PredictionsUpdated, WatchEventsRequest, WatchEventsResponse
from anagnorisis_web import live
from anagnorisis_web.daemon import Daemon
from anagnorisis_web.live import LiveEvents
from tests.support.until import until


class EventSource:
    """A daemon whose events the test sends."""

    def __init__(self) -> None:
        self.daemon = self
        self._events: asyncio.Queue[WatchEventsResponse] = asyncio.Queue()
        self._sequence = 0
        self.watchers = 0

    def send(self, **event: Any) -> None:
        """Send an event."""
        self._sequence += 1
        self._events.put_nowait(WatchEventsResponse(epoch="1", sequence=self._sequence, **event))

    async def WatchEvents(self, request: WatchEventsRequest) -> AsyncIterator[WatchEventsResponse]:
        """Yield what is sent."""
        self.watchers += 1
        try:
            while True:
                yield await self._events.get()
        finally:
            self.watchers -= 1


@pytest.fixture
async def source() -> EventSource:
    """The daemon."""
    return EventSource()


@pytest.fixture
async def events(source: EventSource) -> AsyncIterator[LiveEvents]:
    """The events of a daemon that is connected."""
    found = LiveEvents(daemon(source))
    source.send(heartbeat={})
    page = found.subscribe(found.position)
    assert (await anext(page)).name == "reload"  # whatever was before the connection is unknown
    await page.aclose()
    yield found
    await found.close()


def daemon(source: Any) -> Daemon:
    """Return the source as what the program takes it for."""
    found: Daemon = source
    return found


async def test_a_page_gets_the_events_after_it_was_rendered(
    source: EventSource, events: LiveEvents
) -> None:
    page = events.subscribe(events.position)
    first = asyncio.ensure_future(anext(page))
    source.send(predictions_updated=PredictionsUpdated(count=1))
    assert (await first).name == "predictions_updated"
    await page.aclose()


async def test_a_page_that_missed_an_event_before_it_listened_loads_again(
    source: EventSource, events: LiveEvents
) -> None:
    rendered = events.position
    other = events.subscribe(events.position)
    source.send(predictions_updated=PredictionsUpdated(count=1))
    await anext(other)
    page = events.subscribe(rendered)
    reload = await anext(page)
    assert reload.name == "reload"
    again = events.subscribe(reload.position)
    source.send(predictions_updated=PredictionsUpdated(count=2))
    assert (await anext(again)).name == "predictions_updated"
    for each in (page, other, again):
        await each.aclose()


async def test_events_of_the_page_itself_count_as_well(events: LiveEvents) -> None:
    rendered = events.position
    events.publish("scan_progress")
    page = events.subscribe(rendered)
    assert (await anext(page)).name == "reload"
    await page.aclose()


async def test_a_page_that_reads_nothing_is_told_to_load_again(events: LiveEvents) -> None:
    page = events.subscribe("")
    await anext(page)
    for number in range(250):
        events.publish(f"event {number}")
    received = [(await anext(page)).name for _ in range(50)]
    assert received[0] == "reload"
    assert received[1] == "event 201"
    await page.aclose()


async def test_the_daemon_is_not_watched_when_no_page_is_left(
    source: EventSource, events: LiveEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is again for the next page, which learns what it missed."""
    monkeypatch.setattr(live, "SECONDS_TO_KEEP_WATCHING", 0)
    page = events.subscribe(events.position)
    source.send(predictions_updated=PredictionsUpdated(count=1))
    assert (await anext(page)).name == "predictions_updated"
    assert source.watchers == 1
    await page.aclose()
    await until(lambda: not source.watchers)

    source.send(predictions_updated=PredictionsUpdated(count=2))
    page = events.subscribe(events.position)
    assert (await anext(page)).name == "predictions_updated"
    assert source.watchers == 1
    await page.aclose()


async def test_a_page_that_is_open_keeps_the_stream(
    source: EventSource, events: LiveEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "SECONDS_TO_KEEP_WATCHING", 0)
    staying, leaving = events.subscribe(""), events.subscribe("")
    for page in (staying, leaving):
        await anext(page)
    await leaving.aclose()
    for _ in range(10):
        await asyncio.sleep(0)
    source.send(predictions_updated=PredictionsUpdated(count=1))
    assert (await anext(staying)).name == "predictions_updated"
    await staying.aclose()
