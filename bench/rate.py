"""How long a rating takes: from key press to answer, and inside a daemon that has much to do.

The command is compared with what Python takes to import grpc, run by turns so that both meet the
same machine. The daemon is a real one: it scans and embeds a folder of songs while fifty callers
rate and ten watch; every answer is then looked up in the history. Raters who rest between ratings
show the latency, those who do not show the throughput, and mostly wait for each other.
"""

import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from grpc import aio

from anagnorisis.v1 import daemon_pb2, library_pb2, rating_pb2
from anagnorisis.v1.daemon_pb2_grpc import DaemonServiceStub
from anagnorisis.v1.library_pb2_grpc import LibraryServiceStub
from anagnorisis.v1.rating_pb2_grpc import RatingServiceStub
from anagnorisis.v1.track_pb2 import Target
from tests.support.daemon import RunningDaemon, running_daemon
from tests.support.songs import make_songs

RATERS = 50
WATCHERS = 10
TURNS, FULL_TURNS = 15, 60
SONGS, FULL_SONGS = 30, 150
SECONDS, FULL_SECONDS = 8.0, 30.0

COMMAND = str(Path(sys.executable).with_name("anagnorisis"))
IMPORT = (sys.executable, "-c", "import grpc")


def run(full: bool) -> None:
    """Print both measurements; `full` takes more turns, songs and seconds."""
    with tempfile.TemporaryDirectory() as folder:
        music = Path(folder) / "music"
        make_songs(music, FULL_SONGS if full else SONGS)
        with running_daemon(Path(folder) / "home", music, Path(folder) / "no-mpd") as daemon:
            daemon.until(lambda: daemon.status().library.tracks)
            seconds = FULL_SECONDS if full else SECONDS
            stored = 0
            for pause in (1.0, 0.0):
                stored += asyncio.run(_measure_busy(daemon, seconds, pause, stored))
            _measure_command(daemon, FULL_TURNS if full else TURNS)


def _measure_command(daemon: RunningDaemon, turns: int) -> None:
    uri = daemon.library.ListTracks(library_pb2.ListTracksRequest(page_size=1)).tracks[0].uri
    rate = (COMMAND, "rate", "8", uri, "--socket", str(daemon.socket))
    took: dict[Sequence[str], list[float]] = {IMPORT: [], rate: []}
    for _ in range(turns):
        for command, seconds in took.items():
            begun = time.perf_counter()
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
            seconds.append(time.perf_counter() - begun)
    print(f"\nfrom key press to answer, {turns} turns each, milliseconds")
    print(f"{'':28} {'fastest':>8} {'median':>8}")
    for name, command in (("python -c 'import grpc'", IMPORT), ("anagnorisis rate 8", rate)):
        fastest, median = min(took[command]), statistics.median(took[command])
        print(f"{name:28} {fastest * 1000:8.0f} {median * 1000:8.0f}")
    fastest = min(took[rate]) / min(took[IMPORT])
    median = statistics.median(took[rate]) / statistics.median(took[IMPORT])
    print(f"{'ratio (at most 1.5)':28} {fastest:8.2f} {median:8.2f}")


async def _measure_busy(
    daemon: RunningDaemon, seconds: float, pause: float, stored_before: int
) -> int:
    """Print what raters who rest `pause` seconds meet; return how many ratings were stored."""
    place = f"unix:{daemon.socket}"
    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [aio.insecure_channel(place, options=options) for _ in range(RATERS + WATCHERS)]
    tracks = await LibraryServiceStub(channels[0]).ListTracks(library_pb2.ListTracksRequest())
    uris = [track.uri for track in tracks.tracks]
    ends = time.monotonic() + seconds
    watchers = [asyncio.create_task(_watch(channel)) for channel in channels[RATERS:]]
    scanning = asyncio.create_task(_scan(channels[0], ends))
    took = [
        latency
        for latencies in await asyncio.gather(
            *(
                _rate(channel, uris, turn, ends, pause)
                for turn, channel in enumerate(channels[:RATERS])
            )
        )
        for latency in latencies
    ]
    await scanning
    status = await DaemonServiceStub(channels[0]).GetStatus(daemon_pb2.GetStatusRequest())
    stored = await _stored(channels[0]) - stored_before
    for watcher in watchers:
        watcher.cancel()
    await asyncio.gather(*watchers, return_exceptions=True)
    for channel in channels:
        await channel.close()
    _print_busy(took, stored, seconds, pause, status)
    return stored


async def _rate(
    channel: aio.Channel, uris: Sequence[str], turn: int, ends: float, pause: float
) -> list[float]:
    """Rate one track after another until the time is over; return how long each rating took."""
    stub = RatingServiceStub(channel)
    latencies: list[float] = []
    await asyncio.sleep(pause * turn / RATERS)
    while time.monotonic() < ends:
        uri = uris[(turn + len(latencies)) % len(uris)]
        request = rating_pb2.RateTrackRequest(target=Target(uri=uri), rating=5, source="bench")
        begun = time.perf_counter()
        await stub.RateTrack(request)
        latencies.append(time.perf_counter() - begun)
        await asyncio.sleep(pause)
    return latencies


async def _watch(channel: aio.Channel) -> None:
    async for _ in DaemonServiceStub(channel).WatchEvents(daemon_pb2.WatchEventsRequest()):
        pass


async def _scan(channel: aio.Channel, ends: float) -> None:
    """Scan again and again."""
    while time.monotonic() < ends:
        async for _ in LibraryServiceStub(channel).ScanLibrary(library_pb2.ScanLibraryRequest()):
            pass


async def _stored(channel: aio.Channel) -> int:
    """Return how many of the ratings are in the history."""
    stub = RatingServiceStub(channel)
    request = rating_pb2.ListRatingsRequest(page_size=1000)
    count = 0
    while True:
        page = await stub.ListRatings(request)
        count += sum(entry.source == "bench" for entry in page.ratings)
        request.page_token = page.next_page_token
        if not request.page_token:
            return count


def _print_busy(
    took: Sequence[float],
    stored: int,
    seconds: float,
    pause: float,
    status: daemon_pb2.GetStatusResponse,
) -> None:
    p50, p99 = (statistics.quantiles(took, n=100)[place] * 1000 for place in (49, 98))
    haste = f"once in {pause:g} s" if pause else "as fast as they can"
    print(f"\n{RATERS} raters {haste}, {WATCHERS} watchers, scanning and embedding")
    print(f"{len(took) / seconds:.0f} ratings a second, {status.embedding.pending} songs pending")
    print(f"p50 {p50:.1f} ms, p99 {p99:.1f} ms (should be under 20)")
    print(f"{len(took)} answered, {stored} in the history")
