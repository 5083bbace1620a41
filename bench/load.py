"""A real daemon under load, and clients that rate, each kind of client in its own process.

The daemon scans the directory repeatedly, with some files changed each time, and embeds more songs
than it can finish. Ratings are sent at fixed times, whether or not the last one was answered; event
clients are in another process, so that they delay no rating. Another process writes to the same
disk with fdatasync, to measure the disk itself.
"""

import asyncio
import os
import socket
import time
import urllib.request
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import soundfile
from grpc import aio
from prometheus_client.parser import text_string_to_metric_families

from anagnorisis.v1 import daemon_pb2, library_pb2, rating_pb2
from anagnorisis.v1.daemon_pb2_grpc import DaemonServiceStub
from anagnorisis.v1.library_pb2_grpc import LibraryServiceStub
from anagnorisis.v1.rating_pb2_grpc import RatingServiceStub
from anagnorisis.v1.track_pb2 import Target
from tests.support.daemon import RunningDaemon

Seen = TypeVar("Seen")

RATING_CLIENTS = 50
EVENT_CLIENTS = 10
SOURCE = "bench"
SAMPLE_RATE, SONG_SECONDS = 8_000, 60
CHANGED = 100
"""Number of files with a new mtime in each scan."""

SYNC_PAUSE_SECONDS = 0.02
OWN_CONNECTION = [("grpc.use_local_subchannel_pool", 1)]
"""Otherwise all channels of a process share one connection."""


@dataclass(frozen=True)
class LoadResults:
    """Results; `latencies` of ratings and of `disk` writes are in seconds, unordered."""

    latencies: Sequence[float]
    disk: Sequence[float]
    events: int
    scans: int
    stored: int
    pending: int


def songs(folder: Path, count: int) -> None:
    """Write songs that differ in a few samples, and thus are different tracks."""
    folder.mkdir()
    chance = np.random.default_rng(0)
    walk = np.cumsum(chance.normal(size=SAMPLE_RATE * SONG_SECONDS))
    song = 0.5 * walk / np.abs(walk).max()
    for number in range(count):
        song[:100] = chance.uniform(-0.1, 0.1, 100)
        soundfile.write(folder / f"{number:04}.wav", song, SAMPLE_RATE)


def measured(daemon: RunningDaemon, music: Path, seconds: float, pause: float) -> LoadResults:
    """Run the load for `seconds`; each client rates every `pause` seconds."""
    place = str(daemon.socket)
    listed = daemon.library.ListTracks(library_pb2.ListTracksRequest(page_size=200)).tracks
    track_ids = [track.track_id for track in listed]
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        for ready in [pool.submit(time.sleep, 0.5) for _ in range(4)]:
            ready.result()  # All processes have been started.
        watching = pool.submit(_run_clients, _watch, place, EVENT_CLIENTS, seconds)
        scanning = pool.submit(_scan, place, music, seconds)
        syncing = pool.submit(_sync, daemon.home / "beside", seconds)
        rating = pool.submit(_run_clients, _rate, place, RATING_CLIENTS, seconds, pause, track_ids)
        latencies = [took for each in rating.result() for took in each]
        return LoadResults(
            latencies=latencies,
            disk=syncing.result(),
            events=sum(watching.result()),
            scans=scanning.result(),
            stored=asyncio.run(_stored(place)),
            pending=daemon.status().embedding.pending,
        )


def within(address: str, bound_seconds: float) -> tuple[int, int]:
    """Return the number of ratings within `bound_seconds` in the daemon, and of all ratings."""
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=20) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    counts = {
        sample.labels["le"]: int(sample.value)
        for family in families
        for sample in family.samples
        if sample.name == "anagnorisis_rpc_duration_seconds_bucket"
        and sample.labels["method"].endswith("RateTrack")
    }
    return counts[str(bound_seconds)], counts["+Inf"]


def free_address() -> str:
    """Return a free loopback address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def _run_clients(
    one: Callable[..., Awaitable[Seen]], place: str, count: int, *arguments: Any
) -> list[Seen]:
    """Return the results of `count` clients, each with its own connection."""

    async def all_of_them() -> list[Seen]:
        return await asyncio.gather(*(one(place, number, *arguments) for number in range(count)))

    return asyncio.run(all_of_them())


async def _rate(
    place: str, number: int, seconds: float, pause: float, track_ids: Sequence[str]
) -> list[float]:
    """Rate at fixed times; return the latency of each rating."""
    async with aio.insecure_channel(f"unix:{place}", options=OWN_CONNECTION) as channel:
        await channel.channel_ready()
        stub = RatingServiceStub(channel)
        took: list[float] = []
        due = time.monotonic() + pause * number / RATING_CLIENTS
        ends = time.monotonic() + seconds
        while due < ends:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            target = Target(track_id=track_ids[(number + len(took)) % len(track_ids)])
            request = rating_pb2.RateTrackRequest(target=target, rating=5, source=SOURCE)
            began = time.monotonic()
            await stub.RateTrack(request)
            took.append(time.monotonic() - began)
            due += pause
        return took


async def _watch(place: str, _number: int, seconds: float) -> int:
    """Return the number of received events."""
    count = 0
    async with aio.insecure_channel(f"unix:{place}", options=OWN_CONNECTION) as channel:
        call = DaemonServiceStub(channel).WatchEvents(
            daemon_pb2.WatchEventsRequest(), timeout=seconds
        )
        try:
            async for _ in call:
                count += 1
        except aio.AioRpcError:  # the time is over
            return count
    return count


def _scan(place: str, music: Path, seconds: float) -> int:
    """Scan repeatedly; return the number of scans."""
    files = sorted(music.iterdir())[:CHANGED]

    async def scan() -> int:
        count = 0
        ends = time.monotonic() + seconds
        async with aio.insecure_channel(f"unix:{place}", options=OWN_CONNECTION) as channel:
            stub = LibraryServiceStub(channel)
            while time.monotonic() < ends:
                for path in files:
                    os.utime(path, (10**9, 10**9 + count))
                async for _ in stub.ScanLibrary(library_pb2.ScanLibraryRequest()):
                    pass
                count += 1
        return count

    return asyncio.run(scan())


def _sync(path: Path, seconds: float) -> list[float]:
    """Write a page and call fdatasync, repeatedly; return the duration of each call."""
    took: list[float] = []
    ends = time.monotonic() + seconds
    with path.open("wb", buffering=0) as file:
        while time.monotonic() < ends:
            file.write(os.urandom(4096))
            began = time.monotonic()
            os.fdatasync(file.fileno())
            took.append(time.monotonic() - began)
            time.sleep(SYNC_PAUSE_SECONDS)
    return took


async def _stored(place: str) -> int:
    """Return the number of ratings in the history."""
    async with aio.insecure_channel(f"unix:{place}", options=OWN_CONNECTION) as channel:
        stub = RatingServiceStub(channel)
        request = rating_pb2.ListRatingsRequest(page_size=1000)
        count = 0
        while True:
            page = await stub.ListRatings(request)
            count += sum(entry.source == SOURCE for entry in page.ratings)
            request.page_token = page.next_page_token
            if not request.page_token:
                return count
