"""A radio station in the queue: it is no track, is never judged, and disturbs nobody."""

import sqlite3
from contextlib import closing
from pathlib import Path

import grpc
import pytest

from anagnorisis.v1 import daemon_pb2, rating_pb2, track_pb2
from tests.support.daemon import RunningDaemon, running_daemon
from tests.support.mpd import Mpd, running
from tests.support.radio import on_air

CURRENT = track_pb2.Target(current=track_pb2.CurrentSong())
SONGS = [f"{letter}.wav" for letter in "abcdef"]


def playing(daemon: RunningDaemon) -> daemon_pb2.Playback:
    return daemon.status().playback


def queued(mpd: Mpd) -> list[str]:
    return mpd.mpc("playlist", "-f", "%file%").splitlines()


def judged(daemon: RunningDaemon) -> int:
    with closing(sqlite3.connect(daemon.home / "state" / "anagnorisis.db")) as database:
        (count,) = database.execute("SELECT count(*) FROM plays").fetchone()
    return int(count)


def refusal(daemon: RunningDaemon) -> grpc.RpcError:
    request = rating_pb2.RateTrackRequest(target=CURRENT, rating=8)
    with pytest.raises(grpc.RpcError) as refused:
        daemon.rating.RateTrack(request, timeout=60)
    return refused.value


def test_radio_station_is_ignored(tmp_path: Path) -> None:
    with (
        on_air() as station,
        running(tmp_path, SONGS, seconds=60.0, streams="yes") as mpd,
        running_daemon(tmp_path / "daemon", mpd.music, mpd.socket) as daemon,
    ):
        daemon.until(lambda: daemon.status().library.embedded == len(SONGS))
        mpd.mpc("add", station.address)
        mpd.mpc("play")
        daemon.until(lambda: playing(daemon).elapsed_seconds > 1.0)
        assert playing(daemon).uri == station.address
        assert not playing(daemon).HasField("track")
        assert not playing(daemon).HasField("duration_seconds")

        daemon.until(lambda: len(queued(mpd)) == 4)
        assert refusal(daemon).code() is grpc.StatusCode.NOT_FOUND
        mpd.mpc("pause")
        mpd.mpc("play")
        mpd.mpc("next")
        daemon.until(lambda: playing(daemon).track.uri in SONGS)

        mpd.mpc("play", "1")
        daemon.until(lambda: playing(daemon).uri == station.address)
        station.silent.set()  # it goes off the air in the middle of a song
        daemon.until(lambda: playing(daemon).track.uri in SONGS)

        assert station.listeners >= 2
        assert daemon.stop() == 0
        assert judged(daemon) == 1, "the song between, and no station"
        assert "Traceback" not in daemon.log.read_text()
