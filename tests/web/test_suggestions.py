"""Suggestions that take longer than a page waits."""

import asyncio
from typing import cast

import pytest

from anagnorisis.v1.pick_pb2 import Suggestion, SuggestTracksResponse
from anagnorisis.v1.track_pb2 import Track
from anagnorisis_web import suggestions
from anagnorisis_web.daemon import Daemon
from anagnorisis_web.live import LiveEvents
from anagnorisis_web.suggestions import EVENT, Suggestions


class SlowDaemon:
    """Suggests a track when it is told to."""

    def __init__(self) -> None:
        self.asked = 0
        self.found = asyncio.Event()
        self.picks = self

    async def SuggestTracks(self, _request: object, timeout: float) -> SuggestTracksResponse:
        self.asked += 1
        await self.found.wait()
        return SuggestTracksResponse(suggestions=[Suggestion(track=Track(track_id="a"))])


class Events:
    """Notes what is published."""

    def __init__(self) -> None:
        self.published: asyncio.Queue[str] = asyncio.Queue()

    def publish(self, name: str) -> None:
        self.published.put_nowait(name)


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> tuple[SlowDaemon, Events, Suggestions]:
    monkeypatch.setattr(suggestions, "PATIENCE_SECONDS", 0.01)
    daemon, events = SlowDaemon(), Events()
    return daemon, events, Suggestions(cast("Daemon", daemon), cast("LiveEvents", events))


Parts = tuple[SlowDaemon, Events, Suggestions]


async def test_a_page_is_told_when_they_are_there(parts: Parts) -> None:
    daemon, events, waiting = parts
    assert await waiting.take("visit", 5, 1) is None
    assert await waiting.take("visit", 5, 1) is None
    daemon.found.set()
    assert await events.published.get() == EVENT
    assert await waiting.take("visit", 5, 1) == ["a"]
    assert daemon.asked == 1, "pages of one visit share one request"
    await waiting.close()


async def test_nothing_is_published_for_a_page_that_has_them(parts: Parts) -> None:
    daemon, events, waiting = parts
    daemon.found.set()
    assert await waiting.take("visit", 5, 1) == ["a"]
    assert events.published.empty()
    await waiting.close()


async def test_the_oldest_visits_are_dropped(parts: Parts) -> None:
    _, _, waiting = parts
    visits = map(str, range(2 * suggestions.MAX_VISITS))
    answers = await asyncio.gather(*(waiting.take(visit, 5, 1) for visit in visits))
    assert set(answers) == {None}
    assert len(waiting._tasks) == suggestions.MAX_VISITS
    await waiting.close()
