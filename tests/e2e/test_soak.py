"""The daemon lives through a great many plays; at the end it holds no more than at the beginning.

`ANAGNORISIS_SOAK_PLAYS=20000 pytest --timeout 3600 -s tests/e2e/test_soak.py` takes as many.

A real MPD plays short songs a great deal faster than they sound, the daemon picks what follows,
and meanwhile somebody rates, asks, watches, touches files and trains.
"""

import itertools
import os
import random
import sqlite3
import statistics
import threading
import time
import wave
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import grpc
import numpy as np
import psutil
import pytest

from anagnorisis.v1 import daemon_pb2, evaluator_pb2, library_pb2, pick_pb2, rating_pb2, track_pb2
from tests.support.daemon import RunningDaemon, running_daemon
from tests.support.mpd import PACED, Mpd, running
from tests.support.processes import worker_processes

PLAYS = int(os.environ.get("ANAGNORISIS_SOAK_PLAYS", "150"))
FASTER = 40.0
"""How many seconds of music pass in one second."""

SONGS = 30
SONG_SECONDS = 1.2
AHEAD = 22
"""So many picks last for about a second, whatever else the machine is doing."""

WARM_SHARE = 0.4
"""Of all plays; before that caches and pools still fill."""

PAUSE_SECONDS = 0.1
"""Between two things that somebody does while music plays."""

SAMPLE_SECONDS = 0.2
MAX_GROWTH_BYTES = 6 << 20
SECONDS_PER_PLAY = 0.5
CALL_SECONDS = 20.0
SETTINGS = f"""\
picks:
  ahead: {AHEAD}
  fill_empty_queue: true
  start_playback: true
embedding:
  idle_minutes: 0.05
"""


def write_song(path: Path, pitch: float) -> None:
    """Write a short song in the output's own format, so that MPD has nothing to convert."""
    times = np.arange(int(SONG_SECONDS * 44_100)) / 44_100
    tone = (np.sin(2 * np.pi * pitch * times) * 8_000).astype("<i2")
    with wave.open(str(path), "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(44_100)
        out.writeframes(np.repeat(tone, 2).tobytes())


@dataclass(frozen=True)
class Sample:
    """What the daemon held at one moment, its workers left out."""

    plays: int
    memory_bytes: int
    files: int


class Watch:
    """Looks at the daemon from outside."""

    def __init__(self, daemon: RunningDaemon) -> None:
        self._process = psutil.Process(daemon.process.pid)
        self._database = daemon.home / "state" / "anagnorisis.db"

    def plays(self) -> int:
        with closing(sqlite3.connect(self._database, timeout=30)) as connection:
            (count,) = connection.execute("SELECT count(*) FROM plays").fetchone()
        return int(count)

    def sample(self) -> Sample:
        memory = self._process.memory_info().rss
        return Sample(self.plays(), memory, self._process.num_fds())

    def resting(self) -> bool:
        """Tell whether all workers have left."""
        return not worker_processes(self._process.pid)


class Listener:
    """Somebody who does everything but play."""

    def __init__(self, daemon: RunningDaemon, mpd: Mpd) -> None:
        self._daemon = daemon
        self._mpd = mpd
        self._chance = random.Random(1)
        self._uris = sorted(path.name for path in mpd.music.iterdir())

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Do one thing after the other until the end of the block."""
        done = threading.Event()
        worker = threading.Thread(target=self._work, args=(done,))
        worker.start()
        try:
            yield
        finally:
            done.set()
            worker.join()

    def _work(self, done: threading.Event) -> None:
        often: list[Callable[[], object]] = [self._rate, self._ask, self._preview, self._watch]
        seldom: list[Callable[[], object]] = [self._stick, self._touch, self._train, self._leave]
        turns = itertools.cycle([*often * 10, seldom.pop(0), *often * 10, *seldom])
        while not done.wait(PAUSE_SECONDS):
            with suppress(grpc.RpcError):  # refused for now, as a second training is
                next(turns)()

    def _target(self) -> track_pb2.Target:
        return track_pb2.Target(uri=self._chance.choice(self._uris))

    def _rate(self) -> None:
        rating = self._chance.randrange(21) / 2
        request = rating_pb2.RateTrackRequest(target=self._target(), rating=rating)
        self._daemon.rating.RateTrack(request, timeout=CALL_SECONDS)

    def _ask(self) -> None:
        self._daemon.status()

    def _preview(self) -> None:
        request = pick_pb2.PreviewPicksRequest(count=3)
        self._daemon.pick.PreviewPicks(request, timeout=CALL_SECONDS)

    def _watch(self) -> None:
        events = self._daemon.daemon.WatchEvents(daemon_pb2.WatchEventsRequest())
        next(iter(events))
        events.cancel()

    def _stick(self) -> None:
        rating = str(self._chance.randrange(11))
        self._mpd.mpc("sticker", self._chance.choice(self._uris), "set", "rating", rating)

    def _touch(self) -> None:
        os.utime(self._mpd.music / self._chance.choice(self._uris))
        request = library_pb2.ScanLibraryRequest()
        list(self._daemon.library.ScanLibrary(request, timeout=CALL_SECONDS))

    def _train(self) -> None:
        request = evaluator_pb2.TrainEvaluatorRequest()
        list(self._daemon.evaluator.TrainEvaluator(request, timeout=CALL_SECONDS))

    def _leave(self) -> None:
        """Connect as a client of one's own, and leave without a word."""
        with grpc.insecure_channel(f"unix:{self._daemon.socket}") as channel:
            grpc.channel_ready_future(channel).result(CALL_SECONDS)


def live(watch: Watch, mpd: Mpd) -> list[Sample]:
    """Return samples until there were as many plays as are wanted."""
    deadline = time.monotonic() + 60 + PLAYS * SECONDS_PER_PLAY
    samples = [watch.sample()]
    while samples[-1].plays < PLAYS:
        assert time.monotonic() < deadline, f"only {samples[-1].plays} plays in time"
        time.sleep(SAMPLE_SECONDS)
        samples.append(watch.sample())
        if samples[-1].plays == samples[-2].plays:
            # So fast a queue may run dry while the daemon looks elsewhere, which then takes it for
            # cleared, and adds nothing until the listener plays again.
            mpd.mpc("add", "0.wav")
            mpd.mpc("play")
    return samples


def report(samples: list[Sample], seconds: float) -> None:
    """Print what the daemon held, in ten rows."""
    print(f"{samples[-1].plays} plays in {seconds:.0f} s")
    for tenth in range(11):
        one = samples[min(len(samples) - 1, tenth * len(samples) // 10)]
        print(f"{one.plays:6} plays: {one.memory_bytes / 1e6:.1f} MB, {one.files} files")


def test_resource_usage_does_not_grow_with_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "systemd"))  # a service shows no screen
    (tmp_path / "music").mkdir()
    for number in range(SONGS):
        write_song(tmp_path / "music" / f"{number}.wav", 110 + 37 * number)
    with (
        running(tmp_path, output=PACED.format(rate=FASTER)) as mpd,
        running_daemon(
            tmp_path / "home",
            mpd.music,
            mpd.socket,
            SETTINGS,
            program=("tests.support.fast_daemon", str(FASTER)),
        ) as daemon,
    ):
        watch, began = Watch(daemon), time.monotonic()
        mpd.mpc("consume", "on")
        daemon.until(lambda: daemon.status().library.tracks == SONGS)
        daemon.until(lambda: watch.plays() > 0)
        files = watch.sample().files
        with Listener(daemon, mpd).at_work():
            samples = live(watch, mpd)
        report(samples, time.monotonic() - began)

        mpd.mpc("stop")
        daemon.until(watch.resting)
        daemon.until(lambda: watch.sample().files <= files)
        warm = [one.memory_bytes for one in samples if one.plays > WARM_SHARE * PLAYS]
        early, late = warm[: len(warm) // 4], warm[-len(warm) // 4 :]
        assert statistics.median(late) - statistics.median(early) < MAX_GROWTH_BYTES
        assert daemon.stop() == 0
        assert "Traceback" not in daemon.log.read_text()
