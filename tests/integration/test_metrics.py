"""Metrics as Prometheus fetches them: over HTTP, from a real store."""

import asyncio
import re
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from anagnorisisd.adapters.prometheus import MOST_SOURCES, PrometheusMeter
from anagnorisisd.adapters.sqlite.stores import Stores
from anagnorisisd.domain.event import PlayerLost, PlayJudged, TracksEmbedded
from anagnorisisd.domain.play import Verdict
from anagnorisisd.errors import ConfigError
from anagnorisisd.services.events import Events
from anagnorisisd.services.metering import Metering
from anagnorisisd.services.ratings.ratings import Ratings
from tests.fakes.clock import FakeClock
from tests.fakes.player import FakePlayer
from tests.fakes.roles import FakeEmbeddings, FakePicker, FakeTrainer
from tests.support.library import STAMP, add_rated, add_tracks, add_vectors, play, vector
from tests.support.until import until, until_async

DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"


def free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def fetched(address: str) -> Mapping[str, float]:
    """Return each sample by its name and the values of its labels."""
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=20) as answer:
        text = answer.read().decode()
    return {
        " ".join([sample.name, *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


class Bench:
    """A meter that is served, and what it looks at."""

    def __init__(self, stores: Stores, clock: FakeClock, address: str) -> None:
        self.stores = stores
        self.address = address
        self.events = Events(clock)
        self.player = FakePlayer(clock)
        self.embedding = FakeEmbeddings(stores, STAMP)
        self.picker = FakePicker(stores, self.events, clock)
        self.trainer = FakeTrainer(stores, clock, STAMP)
        self.ratings = Ratings(stores.ratings, self.events, clock)
        self.meter = PrometheusMeter(address, "1.2.3")
        self.metering = Metering(
            self.meter,
            library=stores.library,
            player=self.player,
            embedding=self.embedding,
            training=self.trainer,
            picking=self.picker,
            events=self.events,
        )

    async def fetched(self) -> Mapping[str, float]:
        return await asyncio.to_thread(fetched, self.address)

    async def answers(self) -> bool:
        with suppress(OSError):
            return bool(await self.fetched())
        return False


@asynccontextmanager
async def served(stores: Stores, clock: FakeClock) -> AsyncIterator[Bench]:
    bench = Bench(stores, clock, free_address())
    life = asyncio.create_task(bench.metering.run())
    try:
        await until_async(bench.answers)
        yield bench
    finally:
        life.cancel()
        await asyncio.gather(life, return_exceptions=True)


async def test_how_everything_stands_is_read_when_asked_for(
    stores: Stores, clock: FakeClock
) -> None:
    async with served(stores, clock) as bench:
        tracks = await add_rated(stores, {"a.mp3": 8, "b.mp3": 2})
        await add_tracks(stores, "c.mp3")
        await add_vectors(stores, {tracks[0]: vector(1, 2, 3, 4)})
        await bench.trainer.version()
        bench.embedding.tracks_per_second = 2.5
        await bench.picker.switch(False)

        found = await bench.fetched()

    assert found["anagnorisis_info 1.2.3"] == 1
    assert found["anagnorisis_tracks embedded"] == 1
    assert found["anagnorisis_tracks pending"] == 2
    assert found["anagnorisis_tracks missing"] == found["anagnorisis_tracks failed"] == 0
    assert found["anagnorisis_tracks_rated"] == 2
    assert found["anagnorisis_embedding_tracks_per_second"] == 2.5
    assert found["anagnorisis_evaluator_heldout_mae_ratio"] == 0.5
    assert found["anagnorisis_evaluator_version"] == 1
    assert (found["anagnorisis_mpd_up"], found["anagnorisis_picking"]) == (1, 0)
    assert found["process_open_fds"] > 0


async def test_what_happens_is_counted(stores: Stores, clock: FakeClock) -> None:
    (track,) = await add_tracks(stores, "a.mp3")
    async with served(stores, clock) as bench:
        await bench.ratings.rate(track, 8, source="channel")
        await bench.ratings.rate(track, 7, source="sticker")
        await bench.ratings.undo(source="sticker")
        for verdict in (Verdict.FULL, Verdict.FULL, Verdict.SKIP):
            bench.events.publish(PlayJudged(play(track, verdict)))
        bench.events.publish(TracksEmbedded((track, track)))
        bench.events.publish(PlayerLost("it went away"))

        found = await bench.fetched()

    assert found["anagnorisis_ratings_total channel"] == 1
    assert found["anagnorisis_ratings_total sticker"] == 2
    assert found["anagnorisis_plays_total full"] == 2
    assert found["anagnorisis_plays_total skip"] == 1
    assert found["anagnorisis_plays_total neither"] == 0
    assert found["anagnorisis_tracks_embedded_total"] == 2
    assert found["anagnorisis_mpd_losses_total"] == 1


async def test_callers_cannot_make_ever_more_series(stores: Stores, clock: FakeClock) -> None:
    (track,) = await add_tracks(stores, "a.mp3")
    async with served(stores, clock) as bench:
        for number in range(2 * MOST_SOURCES):
            await bench.ratings.rate(track, 8, source=f"caller {number}")

        found = await bench.fetched()

    ratings = {key: value for key, value in found.items() if "ratings_total" in key}
    assert len(ratings) == MOST_SOURCES + 1
    assert ratings["anagnorisis_ratings_total other"] == MOST_SOURCES


async def test_a_database_that_is_away_is_told_and_the_rest_goes_on(
    stores: Stores, clock: FakeClock
) -> None:
    async with served(stores, clock) as bench:
        await stores.close()

        found = await bench.fetched()

    assert (found["anagnorisis_store_up"], found["anagnorisis_mpd_up"]) == (0, 1)
    assert "anagnorisis_tracks_rated" not in found


def servers() -> set[threading.Thread]:
    """Return all threads but those in which asyncio runs what blocks, and the database's."""
    others = ("asyncio", "reading", "writing")
    return {each for each in threading.enumerate() if not each.name.startswith(others)}


async def test_nothing_is_left_behind(stores: Stores, clock: FakeClock) -> None:
    before = servers()
    async with served(stores, clock) as bench:
        assert servers() - before

    await until(lambda: not servers() - before)
    with pytest.raises(urllib.error.URLError, match="refused"):
        await bench.fetched()


async def test_a_port_that_is_taken_is_said(stores: Stores, clock: FakeClock) -> None:
    async with served(stores, clock) as bench:
        with pytest.raises(ConfigError, match=rf"listen on {bench.address}: Address already in"):
            await PrometheusMeter(bench.address, "1").serve(bench.metering.read)


@pytest.mark.parametrize("address", ["127.0.0.1:99999", "127.0.0.999:1"])
async def test_an_address_that_is_none_is_said(
    address: str, stores: Stores, clock: FakeClock
) -> None:
    bench = Bench(stores, clock, address)
    with pytest.raises(ConfigError, match=r"metrics\.address: cannot listen on"):
        await bench.meter.serve(bench.metering.read)


def documented() -> set[str]:
    return set(re.findall(r"^\| `(\w+)`", DOCUMENT.read_text(), re.MULTILINE))


async def test_what_is_documented_is_what_is_served(stores: Stores, clock: FakeClock) -> None:
    async with served(stores, clock) as bench:
        (track,) = await add_tracks(stores, "a.mp3")
        await bench.ratings.rate(track, 8, source="grpc")
        await bench.trainer.version()
        await stores.evaluators.record_training(clock.now(), "promoted")
        bench.meter.time_call("Service/Method", "OK", 0.01)

        found = await bench.fetched()

    names = {key.split()[0] for key in found if key.startswith("anagnorisis_")}
    assert {re.sub(r"_(bucket|count|sum)$", "", name) for name in names} == documented()
