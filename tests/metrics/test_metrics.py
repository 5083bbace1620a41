"""Metrics as Prometheus fetches them: over HTTP, from a real store."""

import asyncio
import logging
import re
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from anagnorisisd.domain.play import PlayOutcome
from anagnorisisd.errors import ConfigError
from anagnorisisd.events import PlayerDisconnected, PlayRecorded, TracksEmbedded
from anagnorisisd.metrics.collector import MetricsCollector
from anagnorisisd.metrics.http_server import MAX_CONNECTIONS
from anagnorisisd.metrics.prometheus import MAX_SOURCES, PrometheusExporter
from anagnorisisd.ratings.service import RatingService
from anagnorisisd.storage.stores import Stores
from tests.fakes.clock import FakeClock
from tests.fakes.embedder import SlowEmbedder
from tests.support.library import (
    STAMP,
    add_evaluator,
    add_rated,
    add_tracks,
    add_vectors,
    play,
    vector,
)
from tests.support.rpc import House
from tests.support.steering import steering_service
from tests.support.until import until_async

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
        self.embedder = SlowEmbedder(STAMP, clock, seconds=0.4)
        self.house = House.build(stores, clock, embedder=self.embedder)
        self.events = self.house.events
        self.ratings = RatingService(stores.ratings, self.events, clock)
        self.steering = steering_service(stores, self.events, clock)
        self.meter = PrometheusExporter(address, "1.2.3")
        self.metering = MetricsCollector(
            self.meter,
            library=stores.library,
            player=self.house.player,
            embedding=self.house.embedding,
            training=self.house.training,
            picks=self.house.picks,
            steering=self.steering,
            events=self.events,
        )

    async def fetched(self) -> Mapping[str, float]:
        return await asyncio.to_thread(fetched, self.address)

    async def counted(self, key: str, value: float) -> Mapping[str, float]:
        """Return the numbers once events have been counted: they come in order, one by one."""
        found: Mapping[str, float] = {}

        async def so() -> bool:
            nonlocal found
            found = await self.fetched()
            return sum(number for name, number in found.items() if key in name) == value

        await until_async(so)
        return found

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


async def test_gauges_are_read_at_each_request(stores: Stores, clock: FakeClock) -> None:
    async with served(stores, clock) as bench:
        tracks = await add_rated(stores, {"a.mp3": 8, "b.mp3": 2})
        await add_tracks(stores, "c.mp3", "d.mp3", "e.mp3")
        await add_vectors(stores, {tracks[0]: vector(1, 2, 3, 4)})
        await add_evaluator(stores)
        await bench.house.picks.switch(False)

        async with bench.embedder.third_track_begun(bench.house.embedding):
            found = await bench.fetched()

    assert found["anagnorisis_info 1.2.3"] == 1
    assert found["anagnorisis_tracks embedded"] == 2
    assert found["anagnorisis_tracks pending"] == 3
    assert found["anagnorisis_tracks missing"] == found["anagnorisis_tracks failed"] == 0
    assert found["anagnorisis_tracks_rated"] == 2
    assert found["anagnorisis_embedding_tracks_per_second"] == pytest.approx(2.5)
    assert found["anagnorisis_evaluator_heldout_mae_ratio"] == pytest.approx(0.75)
    assert found["anagnorisis_evaluator_version"] == 1
    assert (found["anagnorisis_mpd_up"], found["anagnorisis_picking_enabled"]) == (1, 0)
    assert found["process_open_fds"] > 0


async def test_events_are_counted(stores: Stores, clock: FakeClock) -> None:
    (track,) = await add_tracks(stores, "a.mp3")
    async with served(stores, clock) as bench:
        await bench.ratings.rate(track, 8, source="channel")
        await bench.ratings.rate(track, 7, source="sticker")
        await bench.ratings.undo(source="sticker")
        for outcome in (PlayOutcome.FULL, PlayOutcome.FULL, PlayOutcome.SKIP):
            bench.events.publish(PlayRecorded(play(track, outcome)))
        bench.events.publish(TracksEmbedded((track, track)))
        bench.events.publish(PlayerDisconnected("it went away"))

        found = await bench.counted("anagnorisis_mpd_disconnects_total", 1)

    assert found["anagnorisis_ratings_total channel"] == 1
    assert found["anagnorisis_ratings_total sticker"] == 2
    assert found["anagnorisis_plays_total full"] == 2
    assert found["anagnorisis_plays_total skip"] == 1
    assert found["anagnorisis_plays_total neither"] == 0
    assert found["anagnorisis_tracks_embedded_total"] == 2
    assert found["anagnorisis_mpd_disconnects_total"] == 1


async def test_callers_cannot_make_ever_more_series(stores: Stores, clock: FakeClock) -> None:
    (track,) = await add_tracks(stores, "a.mp3")
    async with served(stores, clock) as bench:
        for number in range(2 * MAX_SOURCES):
            await bench.ratings.rate(track, 8, source=f"caller {number}")

        found = await bench.counted("anagnorisis_ratings_total", 2 * MAX_SOURCES)

    ratings = {key: value for key, value in found.items() if "ratings_total" in key}
    assert len(ratings) == MAX_SOURCES + 1
    assert ratings["anagnorisis_ratings_total other"] == MAX_SOURCES


async def test_unavailable_database_leaves_the_other_metrics(
    stores: Stores, clock: FakeClock
) -> None:
    async with served(stores, clock) as bench:
        await stores.close()

        found = await bench.fetched()

    assert (found["anagnorisis_database_up"], found["anagnorisis_mpd_up"]) == (0, 1)
    assert "anagnorisis_tracks_rated" not in found


async def test_cancelled_server_closes_its_connections(stores: Stores, clock: FakeClock) -> None:
    async with served(stores, clock) as bench, raw(bench.address) as (reader, _):
        pass

    assert await reader.read() == b""
    with pytest.raises(urllib.error.URLError, match="refused"):
        await bench.fetched()


@asynccontextmanager
async def raw(
    address: str,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Connect without saying anything."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def answered(address: str, request: str) -> str:
    """Return the first line of what a request is answered."""
    async with raw(address) as (reader, writer):
        writer.write(request.encode())
        return (await reader.readline()).decode().strip()


async def test_half_a_request_takes_nothing_from_the_others(
    stores: Stores, clock: FakeClock
) -> None:
    async with served(stores, clock) as bench, AsyncExitStack() as crowd:
        await bench.fetched()
        threads, files = threading.active_count(), psutil.Process().num_fds()
        for number in range(300):
            _, writer = await crowd.enter_async_context(raw(bench.address))
            writer.write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n"[: number % 40])
            if number % 50 == 0:
                assert (await bench.fetched())["anagnorisis_mpd_up"] == 1

        assert threading.active_count() <= threads + 1, "one more fetches"
        # Those of this test's own ends are open as well.
        held = psutil.Process().num_fds() - files - 300
        assert held < 2 * MAX_CONNECTIONS, "some are just being closed"
        assert (await bench.fetched())["anagnorisis_mpd_up"] == 1


async def test_half_a_request_is_given_up(
    stores: Stores, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anagnorisisd.metrics.http_server.REQUEST_SECONDS", 0.05)
    async with served(stores, clock) as bench, raw(bench.address) as (reader, writer):
        writer.write(b"GET /metrics")
        with suppress(ConnectionError):
            assert await reader.read() == b""


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:9100", 200),
        ("127.0.0.1:9100", 200),
        ("[::1]:9100", 200),
        ("[::1]", 200),
        ("192.168.1.5:9100", 200),
        ("evil.example", 403),
        ("evil.example:9100", 403),
        ("localhost.evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("evil.example:80:127.0.0.1", 403),
    ],
)
async def test_foreign_host_header_is_refused(
    stores: Stores, clock: FakeClock, host: str, status: int
) -> None:
    async with served(stores, clock) as bench:
        said = await answered(bench.address, f"GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n")

    assert said.startswith(f"HTTP/1.1 {status} ")


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        ("GET / HTTP/1.0", 200),
        ("GET /metrics?name=x HTTP/1.1", 200),
        ("GET /else HTTP/1.1", 404),
        ("POST /metrics HTTP/1.1", 405),
        ("GET /metrics", 400),
        ("\x00\x01", 400),
    ],
)
async def test_invalid_http_requests(
    stores: Stores, clock: FakeClock, request_line: str, status: int
) -> None:
    async with served(stores, clock) as bench:
        said = await answered(bench.address, f"{request_line}\r\n\r\n")

    assert said.startswith(f"HTTP/1.1 {status} ")


async def test_callers_who_leave_early_leave_nothing_in_the_log(
    stores: Stores,
    clock: FakeClock,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with served(stores, clock) as bench:
        for content in (
            b"",
            b"GET",
            b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"x" * 99999,
        ):
            async with raw(bench.address) as (_, writer):
                writer.write(content)
                with suppress(ConnectionError):
                    await writer.drain()
        await bench.fetched()

    assert capfd.readouterr().err == ""
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_port_in_use_is_reported(stores: Stores, clock: FakeClock) -> None:
    async with served(stores, clock) as bench:
        with pytest.raises(ConfigError, match=rf"listen on {bench.address}: Address already in"):
            await PrometheusExporter(bench.address, "1").serve(bench.metering.read)


@pytest.mark.parametrize("address", ["127.0.0.1:99999", "127.0.0.999:1"])
async def test_invalid_address_is_reported(address: str, stores: Stores, clock: FakeClock) -> None:
    bench = Bench(stores, clock, address)
    with pytest.raises(ConfigError, match=r"metrics\.address: cannot listen on"):
        await bench.meter.serve(bench.metering.read)


def documented() -> set[str]:
    return set(re.findall(r"^\| `(\w+)`", DOCUMENT.read_text(), re.MULTILINE))


async def test_documented_metrics_are_served(stores: Stores, clock: FakeClock) -> None:
    async with served(stores, clock) as bench:
        (track,) = await add_tracks(stores, "a.mp3")
        await bench.ratings.rate(track, 8, source="grpc")
        await add_evaluator(stores)
        await stores.evaluators.record_training(clock.now(), "promoted")
        bench.meter.time_call("Service/Method", "OK", 0.01)

        found = await bench.counted("anagnorisis_ratings_total", 1)

    names = {key.split()[0] for key in found if key.startswith("anagnorisis_")}
    assert {re.sub(r"_(bucket|count|sum)$", "", name) for name in names} == documented()
