"""The daemon is killed at random moments in the middle of everything; what it promised holds.

`ANAGNORISIS_CRASH_ROUNDS=200 pytest --timeout 7200 tests/e2e/test_crash.py` runs as many rounds;
each starts the daemon, gives it ratings, plays, scans and trainings at once, and kills it.
"""

import os
import random
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import grpc

from anagnorisis.v1 import evaluator_pb2, library_pb2, rating_pb2, track_pb2
from tests.support.daemon import RunningDaemon, running_daemon
from tests.support.mpd import PACED, RATE, Mpd, running
from tests.support.songs import make_songs

ROUNDS = int(os.environ.get("ANAGNORISIS_CRASH_ROUNDS", "2"))
SONGS_OF_EACH_KIND = 8
MAX_LIFE_SECONDS = 4.0
"""From the start of the process: some are killed before they answer at all."""

CALL_SECONDS = 5.0
ENTRY_OF_A_WORKER = '  File "<string>", line 1, in <module>'
HISTORY = "SELECT sequence, value FROM ratings"
PLAYS = "SELECT id, ended_at, outcome FROM plays"
TRACKS = """SELECT t.rating, t.full_plays, t.skips,
    (SELECT r.value FROM ratings r WHERE r.track = t.id ORDER BY r.sequence DESC LIMIT 1),
    (SELECT count(*) FROM plays p WHERE p.track = t.id AND p.outcome = 'full'),
    (SELECT count(*) FROM plays p WHERE p.track = t.id AND p.outcome = 'skip')
    FROM tracks t"""


class Listener:
    """Somebody who does everything at once, and remembers what was acknowledged."""

    def __init__(self, music: Path, seed: int) -> None:
        self._uris = sorted(path.name for path in music.iterdir())
        self._music = music
        self._seed = seed
        self.acknowledged: dict[int, float] = {}

    @contextmanager
    def at_work(self, daemon: RunningDaemon) -> Iterator[None]:
        """Rate, scan, train and touch files until the end of the block."""
        done = threading.Event()
        parts = (self._rate, self._scan, self._train)
        threads = [
            threading.Thread(target=_repeat, args=(part, daemon, self._chance(), done))
            for part in parts
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            done.set()
            for thread in threads:
                thread.join()

    def _chance(self) -> random.Random:
        return random.Random(self._seed + len(self.acknowledged))

    def _rate(self, daemon: RunningDaemon, chance: random.Random) -> None:
        value = chance.randrange(21) / 2
        request = rating_pb2.RateTrackRequest(
            target=track_pb2.Target(uri=chance.choice(self._uris)), rating=value
        )
        answer = daemon.rating.RateTrack(request, timeout=CALL_SECONDS, wait_for_ready=True)
        self.acknowledged[answer.change.sequence] = value

    def _scan(self, daemon: RunningDaemon, chance: random.Random) -> None:
        os.utime(self._music / chance.choice(self._uris))
        list(daemon.library.ScanLibrary(library_pb2.ScanLibraryRequest(), timeout=CALL_SECONDS))

    def _train(self, daemon: RunningDaemon, chance: random.Random) -> None:
        request = evaluator_pb2.TrainEvaluatorRequest()
        list(daemon.evaluator.TrainEvaluator(request, timeout=CALL_SECONDS))


def _repeat(
    part: Callable[[RunningDaemon, random.Random], None],
    daemon: RunningDaemon,
    chance: random.Random,
    done: threading.Event,
) -> None:
    while not done.is_set():
        try:
            part(daemon, chance)
        except (grpc.RpcError, ValueError):  # refused for now, or the channel was closed
            done.wait(0.05)


class Evidence:
    """What was found in the database after one kill."""

    def __init__(self, state: Path, copy: Path) -> None:
        # A copy is opened, so that the daemon itself has to recover what it left behind.
        copy.mkdir()
        for file in state.glob("anagnorisis.db*"):
            shutil.copy(file, copy)
        database = copy / "anagnorisis.db"
        with closing(sqlite3.connect(database)) as connection:
            self.integrity = connection.execute("PRAGMA integrity_check").fetchall()
            self.dangling = connection.execute("PRAGMA foreign_key_check").fetchall()
            self.ratings: dict[int, float | None] = {}
            self.plays: set[tuple[int, float, str]] = set()
            self.tracks: list[tuple[float | None, ...]] = []
            with suppress(sqlite3.OperationalError):  # killed before there were any tables
                self.ratings = dict(connection.execute(HISTORY))
                self.plays = set(connection.execute(PLAYS))
                self.tracks = connection.execute(TRACKS).fetchall()
        shutil.rmtree(copy)

    def assert_sound(self) -> None:
        """Check that the database is whole, and that what is counted can be counted anew."""
        assert (self.integrity, self.dangling) == ([("ok",)], [])
        for rating, full_plays, skips, *counted_anew in self.tracks:
            assert [rating, full_plays, skips] == counted_anew


def start_playing(mpd: Mpd) -> None:
    mpd.mpc("repeat", "on")
    mpd.mpc("add", "/")
    mpd.mpc("play")


def tracebacks(log: str) -> Iterator[str]:
    """Yield the tracebacks of a log, but for those of workers whose parent was killed meanwhile.

    A worker that is being started is told by its parent what to do; it can but break when that
    was killed in the middle of a sentence.
    """
    for text in log.split("Traceback (most recent call last):\n")[1:]:
        if not (text.startswith(ENTRY_OF_A_WORKER) and "EOFError: Ran out of input" in text):
            yield text


def test_acknowledged_changes_survive_kills(tmp_path: Path) -> None:
    make_songs(tmp_path / "music", SONGS_OF_EACH_KIND)
    listener = Listener(tmp_path / "music", seed=1)
    chance = random.Random(2)
    plays: set[tuple[int, float, str]] = set()
    with (
        running(tmp_path, output=PACED.format(rate=RATE)) as mpd,
        running_daemon(tmp_path / "daemon", mpd.music, mpd.socket) as daemon,
    ):
        start_playing(mpd)
        daemon.status()
        for number in range(ROUNDS):
            with listener.at_work(daemon):
                time.sleep(chance.uniform(0.0, MAX_LIFE_SECONDS))
                daemon.kill()
            found = Evidence(daemon.home / "state", tmp_path / "copy")
            found.assert_sound()
            assert listener.acknowledged.items() <= found.ratings.items(), f"round {number}"
            assert plays <= found.plays, f"round {number}"
            plays = found.plays
            daemon.restart()
        print(f"{ROUNDS} kills, {len(listener.acknowledged)} ratings, {len(plays)} plays")
        daemon.status()
        assert daemon.stop() == 0
        assert not list(tracebacks(daemon.log.read_text()))
    assert listener.acknowledged
