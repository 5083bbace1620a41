"""Embedding what is pending: order, batches, failures, retries, and a change of the embedder."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from anagnorisisd.domain.embedding import EmbedderStamp
from anagnorisisd.domain.track import TrackState
from anagnorisisd.embedding.service import EmbeddingService
from anagnorisisd.errors import EmbedderUnusable, EmbeddingFailed
from anagnorisisd.events import Events, LibraryChanged, Subscription, TracksEmbedded
from anagnorisisd.library.tunes import NO_EMBEDDING
from anagnorisisd.storage.stores import Stores
from tests.fakes.clock import FakeClock
from tests.fakes.embedder import FakeEmbedder, FakePreference
from tests.support.library import EPOCH, add_tracks
from tests.support.until import until

CRASH = EmbeddingFailed("the worker died", permanent=False)


class Bench:
    """The service over a real store, with a fake embedder, a fake clock and ears."""

    def __init__(self, stores: Stores, clock: FakeClock) -> None:
        self.stores = stores
        self.clock = clock
        self.events = Events(clock)
        self.embedder = FakeEmbedder()
        self.preference = FakePreference(self.embedder.stamp)
        self.on_battery = False
        self.service = EmbeddingService(
            stores.embeddings,
            self.embedder,
            Path,
            preference=self.preference,
            events=self.events,
            clock=clock,
            is_paused=lambda: self.on_battery,
        )
        self.ears: Subscription = self.events.subscribe()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> "asyncio.Task[None]":
        self._task = asyncio.create_task(self.service.run())
        return self._task

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def heard(self) -> TracksEmbedded:
        """Wait for the next batch of vectors."""
        async with asyncio.timeout(10):
            async for announcement in self.ears:
                if isinstance(announcement.event, TracksEmbedded):
                    return announcement.event
        raise AssertionError

    async def settled(self) -> None:
        """Wait until nothing is pending."""
        async with asyncio.timeout(10):
            while (await self.service.progress()).pending:  # noqa: ASYNC110 - only the store knows
                await asyncio.sleep(0.005)

    async def begun(self, count: int) -> None:
        """Wait until so many tries were begun."""
        await until(lambda: len(self.embedder.order) >= count)

    async def state(self, track: str) -> tuple[TrackState, str | None]:
        found = await self.stores.library.tracks(self.service.stamp, text=track, limit=1)
        return found[0].state, found[0].failure


@pytest.fixture
async def bench(stores: Stores, clock: FakeClock) -> AsyncIterator[Bench]:
    bench = Bench(stores, clock)
    yield bench
    await bench.stop()


async def test_everything_pending_gets_its_vector(bench: Bench) -> None:
    ids = await add_tracks(bench.stores, *(f"{number:03}.flac" for number in range(150)))

    bench.start()
    await bench.settled()

    progress = await bench.service.progress()
    assert (progress.embedded, progress.failed) == (150, 0)
    assert bench.embedder.most_at_once == bench.embedder.concurrency
    vector = await bench.stores.embeddings.get(bench.service.stamp, ids[0])
    assert vector is not None
    assert vector.tolist() == [8, 1]


async def test_the_first_vector_is_announced_at_once_and_the_others_together(bench: Bench) -> None:
    await add_tracks(bench.stores, *(f"{number}.flac" for number in range(20)))

    bench.start()

    assert len((await bench.heard()).track_ids) <= 2
    assert len((await bench.heard()).track_ids) >= 18


async def test_newer_tracks_overtake_older_ones(bench: Bench) -> None:
    await add_tracks(bench.stores, *(f"old {number}" for number in range(10)))
    bench.embedder.hold()
    bench.start()
    await bench.begun(2)
    new = await add_tracks(bench.stores, "new", at=EPOCH + 60)
    bench.events.publish(LibraryChanged(added=tuple(new)))
    await asyncio.sleep(0)

    bench.embedder.go_on()
    await bench.settled()

    assert "new" in bench.embedder.order[2:4]


async def test_a_new_track_is_embedded_as_it_arrives(bench: Bench) -> None:
    bench.start()
    await bench.settled()

    new = await add_tracks(bench.stores, "new")
    bench.events.publish(LibraryChanged(added=tuple(new)))

    assert (await bench.heard()).track_ids == tuple(new)


async def test_track_without_an_event_is_found_by_polling(bench: Bench, clock: FakeClock) -> None:
    bench.start()
    await until(lambda: clock.sleepers > 0)
    new = await add_tracks(bench.stores, "new")

    await clock.advance(60)

    assert (await bench.heard()).track_ids == tuple(new)


async def test_a_track_that_cannot_be_embedded_fails_with_its_reason(bench: Bench) -> None:
    await add_tracks(bench.stores, "noise.mp3", "song.mp3")
    bench.embedder.failures["noise.mp3"] = [EmbeddingFailed("is silent", permanent=True)]

    bench.start()
    await bench.settled()

    assert await bench.state("noise") == (TrackState.FAILED, "is silent")
    assert await bench.state("song") == (TrackState.EMBEDDED, None)
    assert bench.embedder.order.count("noise.mp3") == 1


async def test_a_module_is_not_embedded_and_can_be_picked(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    (module, _) = await add_tracks(bench.stores, "noise.xm", "song.mp3")

    bench.start()
    await bench.settled()

    assert await bench.state("noise") == (TrackState.FAILED, NO_EMBEDDING)
    assert bench.embedder.order == ["song.mp3"]
    assert (await bench.stores.library.candidates()).row(module) is not None
    assert caplog.messages == []


async def test_a_crash_costs_one_retry(bench: Bench) -> None:
    await add_tracks(bench.stores, "unlucky.mp3", "song.mp3")
    bench.embedder.failures["unlucky.mp3"] = [CRASH]

    bench.start()
    await bench.settled()

    assert await bench.state("unlucky") == (TrackState.EMBEDDED, None)
    assert bench.embedder.order.count("unlucky.mp3") == 2


async def test_a_track_that_always_crashes_its_worker_is_given_up(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    await add_tracks(bench.stores, "bomb.mp3", "song.mp3")
    bench.embedder.failures["bomb.mp3"] = [CRASH] * 5

    with caplog.at_level(logging.INFO):
        bench.start()
        await bench.settled()

    assert await bench.state("bomb") == (TrackState.FAILED, "the worker died")
    assert bench.embedder.order.count("bomb.mp3") == 3
    assert [record.levelname for record in caplog.records] == ["INFO", "INFO", "WARNING"]


async def test_a_vanished_file_is_no_failure(bench: Bench) -> None:
    await add_tracks(bench.stores, "gone.mp3", "song.mp3")
    bench.embedder.failures["gone.mp3"] = [FileNotFoundError("gone.mp3")]
    bench.start()
    await bench.heard()
    assert (await bench.state("gone"))[0] is TrackState.PENDING

    bench.events.publish(LibraryChanged(moved=1))
    await bench.settled()

    assert await bench.state("gone") == (TrackState.EMBEDDED, None)


async def test_vanished_disk_is_not_tried_for_every_file(bench: Bench, clock: FakeClock) -> None:
    names = [f"{number}.mp3" for number in range(500)]
    await add_tracks(bench.stores, *names)
    bench.embedder.failures = {name: [FileNotFoundError(name)] for name in names}

    bench.start()
    await until(lambda: clock.sleepers > 0)

    assert len(bench.embedder.order) < 100
    assert (await bench.service.progress()).pending == 500


async def test_failed_tracks_get_another_chance_on_request(bench: Bench) -> None:
    await add_tracks(bench.stores, "noise.mp3")
    bench.embedder.failures["noise.mp3"] = [EmbeddingFailed("is silent", permanent=True)]
    bench.start()
    await bench.settled()

    assert await bench.service.retry() == 1
    await bench.settled()

    assert await bench.state("noise") == (TrackState.EMBEDDED, None)


async def test_speed_and_remaining_time(bench: Bench, clock: FakeClock) -> None:
    await add_tracks(bench.stores, *(f"{number}.mp3" for number in range(10)))
    bench.embedder.concurrency = 1
    bench.embedder.hold()
    bench.start()
    for finished in range(3):
        await bench.begun(finished + 1)
        clock.jump(2.0)
        bench.embedder.go_on()
        bench.embedder.hold()
    await bench.begun(4)

    progress = await bench.service.progress()

    assert progress.tracks_per_second == pytest.approx(0.5)
    assert progress.seconds_left == pytest.approx(14.0)


async def test_no_track_is_started_while_on_hold(bench: Bench, clock: FakeClock) -> None:
    await add_tracks(bench.stores, "song.mp3")
    bench.on_battery = True
    bench.start()
    await until(lambda: clock.sleepers > 0)
    assert bench.embedder.order == []

    bench.on_battery = False
    await clock.advance(60)

    await bench.settled()


async def test_an_unusable_embedder_is_refused_and_fails_no_track(bench: Bench) -> None:
    await add_tracks(bench.stores, "song.mp3")
    bench.embedder.failures["song.mp3"] = [EmbedderUnusable("weights are damaged")]

    with pytest.raises(EmbedderUnusable):
        await bench.start()

    assert bench.preference.refused == [bench.embedder.stamp]
    assert (await bench.service.progress()).failed == 0


async def test_superseded_returns_when_another_embedder_is_preferred(
    bench: Bench, clock: FakeClock
) -> None:
    waiting = asyncio.create_task(bench.service.superseded())
    await until(lambda: clock.sleepers > 0)
    assert not waiting.done()

    better = EmbedderStamp("better", "1", 4)
    for stamp, seconds in ((EmbedderStamp("better", "half copied", 4), 30), (better, 5)):
        bench.preference.stamp = stamp
        await clock.advance(seconds)
        await until(lambda: clock.sleepers > 0)
        assert not waiting.done()

    await clock.advance(5)

    async with asyncio.timeout(10):
        assert await waiting == better
