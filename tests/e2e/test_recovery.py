"""MPD is killed, frozen and restarted under a real daemon: it is back in time, nothing is lost."""

import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from anagnorisis.v1 import library_pb2, rating_pb2, track_pb2
from tests.support import mpd
from tests.support.daemon import RunningDaemon, running_daemon

RECOVERY_SECONDS = 30.0
SECONDS = 60.0
SONGS = [f"{letter}.wav" for letter in "abcdefgh"]
PLAYS = """SELECT CAST(f.path AS TEXT), p.outcome FROM plays p JOIN tracks t ON t.id = p.track
    JOIN files f ON f.id = t.file ORDER BY p.id"""
RATINGS = """SELECT CAST(f.path AS TEXT), r.value, r.source FROM ratings r
    JOIN tracks t ON t.id = r.track JOIN files f ON f.id = t.file ORDER BY r.sequence"""

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[mpd.Mpd]:
    with mpd.running(tmp_path, SONGS, seconds=SECONDS) as running:
        mpd.write_songs(running.music, ["short.wav"], seconds=1.0)
        running.mpc("update", "--wait")
        yield running


@pytest.fixture
def daemon(
    server: mpd.Mpd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RunningDaemon]:
    monkeypatch.setenv("ANAGNORISIS_MPD__TIMEOUT_SECONDS", "2")
    # Any song that is left is a skip, and judged at once.
    settings = "listening:\n  skip_after_seconds: 0.0\n  browsing_seconds: 0.0\n"
    with running_daemon(tmp_path / "daemon", server.music, server.socket, settings) as running:
        running.until(lambda: running.status().library.tracks == len(SONGS) + 1)
        running.until(lambda: running.status().mpd.connected)
        yield running


def rate(daemon: RunningDaemon, uri: str, rating: float) -> None:
    target = track_pb2.Target(uri=uri)
    daemon.rating.RateTrack(rating_pb2.RateTrackRequest(target=target, rating=rating, source="key"))


def rating_of(daemon: RunningDaemon, uri: str) -> float | None:
    target = track_pb2.Target(uri=uri)
    track = daemon.library.GetTrack(library_pb2.GetTrackRequest(target=target)).track
    return track.rating if track.HasField("rating") else None


def sticker(server: mpd.Mpd, uri: str) -> str:
    return server.mpc("sticker", uri, "list")


def play(daemon: RunningDaemon, server: mpd.Mpd, *uris: str) -> None:
    """Play these, and wait until the daemon has seen the first and put its picks behind all."""
    server.mpc("clear")
    server.mpc("add", *uris)  # at once, or picks come in between
    server.mpc("play")
    daemon.until(lambda: daemon.status().playback.track.uri == uris[0], RECOVERY_SECONDS)
    daemon.until(lambda: len(daemon.status().upcoming_picks) == 3, RECOVERY_SECONDS)


def away(daemon: RunningDaemon) -> None:
    daemon.until(lambda: not daemon.status().mpd.connected, RECOVERY_SECONDS)


def back(daemon: RunningDaemon) -> None:
    daemon.until(lambda: daemon.status().mpd.connected, RECOVERY_SECONDS)


def leave(daemon: RunningDaemon, server: mpd.Mpd, uri: str) -> None:
    """Go on to the next song, and wait until the one that was left is judged."""
    server.mpc("next")
    daemon.until(lambda: uri in [song for song, _ in rows(daemon, PLAYS)])


def rows(daemon: RunningDaemon, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(daemon.home / "state" / "anagnorisis.db")) as database:
        return database.execute(query).fetchall()


def test_a_killed_mpd_is_found_again_and_nothing_is_lost(
    daemon: RunningDaemon, server: mpd.Mpd
) -> None:
    play(daemon, server, "short.wav", "a.wav")
    daemon.until(lambda: daemon.status().playback.track.uri == "a.wav")
    server.mpc("sticker", "b.wav", "set", "rating", "3")
    daemon.until(lambda: rating_of(daemon, "b.wav") == 3)
    server.kill()
    away(daemon)
    rate(daemon, "c.wav", 7)

    server.start()
    back(daemon)
    daemon.until(lambda: sticker(server, "c.wav") == "rating=7", RECOVERY_SECONDS)
    play(daemon, server, "d.wav", "e.wav")
    leave(daemon, server, "d.wav")
    daemon.stop()

    assert rows(daemon, RATINGS) == [("b.wav", 3.0, "sticker"), ("c.wav", 7.0, "key")]
    assert rows(daemon, PLAYS) == [("short.wav", "full"), ("a.wav", "neither"), ("d.wav", "skip")]


def test_frozen_mpd_is_disconnected_and_resumed(daemon: RunningDaemon, server: mpd.Mpd) -> None:
    play(daemon, server, "a.wav", "b.wav")
    os.kill(server.pid, signal.SIGSTOP)
    away(daemon)
    rate(daemon, "c.wav", 2)

    os.kill(server.pid, signal.SIGCONT)
    back(daemon)
    daemon.until(lambda: sticker(server, "c.wav") == "rating=2", RECOVERY_SECONDS)
    daemon.until(lambda: daemon.status().playback.track.uri == "a.wav")
    leave(daemon, server, "a.wav")
    daemon.stop()

    assert rows(daemon, RATINGS) == [("c.wav", 2.0, "key")]
    assert [song for song, _ in rows(daemon, PLAYS)] == ["a.wav"]


def test_sticker_changes_around_an_mpd_restart_count_once(
    daemon: RunningDaemon, server: mpd.Mpd
) -> None:
    play(daemon, server, "a.wav", "b.wav")
    server.mpc("sticker", "c.wav", "set", "rating", "9")  # perhaps too late to be seen at once
    server.stop()
    away(daemon)

    server.start()
    server.mpc("sticker", "d.wav", "set", "rating", "1")  # perhaps too early
    back(daemon)
    daemon.until(lambda: rating_of(daemon, "c.wav") == 9, RECOVERY_SECONDS)
    daemon.until(lambda: rating_of(daemon, "d.wav") == 1, RECOVERY_SECONDS)
    # A pick that was rated 1 meanwhile is replaced.
    daemon.until(lambda: len(server.mpc("playlist").splitlines()) == 5, RECOVERY_SECONDS)
    daemon.until(lambda: len(daemon.status().upcoming_picks) == 3, RECOVERY_SECONDS)
    leave(daemon, server, "a.wav")
    daemon.stop()

    taken = [("c.wav", 9.0, "sticker"), ("d.wav", 1.0, "sticker")]
    assert sorted(rows(daemon, RATINGS)) == taken
    assert [song for song, _ in rows(daemon, PLAYS)] == ["a.wav"]
