"""The state directory goes away: no lost rating is acknowledged, and nothing begins anew."""

import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import grpc
import pytest

from anagnorisis.v1 import library_pb2, rating_pb2, track_pb2
from tests.support.daemon import RunningDaemon, running_daemon
from tests.support.faults import command, refused_start, small_disk
from tests.support.mpd import write_songs

SONG = "song.wav"


@pytest.fixture
def music(tmp_path: Path) -> Path:
    write_songs(tmp_path / "music", [SONG], seconds=1.0)
    return tmp_path / "music"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@contextmanager
def daemon_in(home: Path, music: Path) -> Iterator[RunningDaemon]:
    with running_daemon(home, music, home / "no-mpd") as daemon:
        daemon.until(lambda: daemon.status().library.tracks == 1)
        yield daemon


def rate(daemon: RunningDaemon, value: float) -> None:
    request = rating_pb2.RateTrackRequest(target=track_pb2.Target(uri=SONG), rating=value)
    daemon.rating.RateTrack(request, timeout=60)


def rating(daemon: RunningDaemon) -> float:
    request = library_pb2.GetTrackRequest(target=track_pb2.Target(uri=SONG))
    return daemon.library.GetTrack(request, timeout=60).track.rating


def refusal(daemon: RunningDaemon, value: float) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as refused:
        rate(daemon, value)
    return refused.value.code(), str(refused.value.details())


def stored(database: Path) -> list[float]:
    with closing(sqlite3.connect(database)) as connection:
        found = connection.execute("SELECT value FROM ratings ORDER BY sequence").fetchall()
    return [value for (value,) in found]


def rated_and_stopped(home: Path, music: Path) -> Path:
    """Leave a database behind in which the song has a rating, and return its path."""
    with daemon_in(home, music) as daemon:
        rate(daemon, 8)
        assert daemon.stop() == 0
    return home / "state" / "anagnorisis.db"


def unmount(at: Path) -> None:
    # Lazily, as for a disk that was pulled out: the daemon keeps what it has open.
    subprocess.run(["umount", "--lazy", str(at)], check=True)


def test_a_rating_is_refused_once_the_state_directory_is_unmounted(home: Path, music: Path) -> None:
    with small_disk(home / "state", "8m") as disk, daemon_in(home, music) as daemon:
        rate(daemon, 8)
        unmount(disk)

        code, said = refusal(daemon, 3)

        assert code is grpc.StatusCode.FAILED_PRECONDITION
        assert "anagnorisis.db is no longer the file that the daemon opened" in said
        assert "`anagnorisisd restore FILE`" in said
        assert daemon.process.wait(90) == 1, "only a new start can find the right file"
        assert said in daemon.log.read_text()
        assert "Traceback" not in daemon.log.read_text()


def test_an_unmounted_state_directory_is_noticed_without_a_rating(home: Path, music: Path) -> None:
    with small_disk(home / "state", "8m") as disk, daemon_in(home, music) as daemon:
        unmount(disk)

        assert daemon.process.wait(60) == 1
        assert "is no longer the file that the daemon opened" in daemon.log.read_text()


def test_no_new_database_on_an_empty_mount_point(home: Path, music: Path) -> None:
    with small_disk(home / "state", "8m") as disk:
        rated_and_stopped(home, music)
        unmount(disk)

        said = refused_start(home, music)

        assert f"{disk / 'anagnorisis.db'} is missing" in said
        assert "mount" in said
        assert "`anagnorisisd restore FILE`" in said
        assert list(disk.iterdir()) == []


def test_remounted_state_directory_is_used_again(home: Path, music: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with small_disk(disk, "8m"):
        (home / "state").mkdir(parents=True)
        bind = ["mount", "--bind", str(disk), str(home / "state")]
        subprocess.run(bind, check=True)
        try:
            with daemon_in(home, music) as daemon:
                rate(daemon, 8)
                unmount(home / "state")
                refusal(daemon, 3)
                daemon.process.wait(90)
                assert "is missing" in refused_start(home, music)

                subprocess.run(bind, check=True)
                daemon.restart()
                daemon.until(lambda: rating(daemon) == 8)
                assert stored(home / "state" / "anagnorisis.db") == [8]
        finally:
            unmount(home / "state")


@pytest.mark.parametrize(
    ("cut", "said_of_it"), [("emptied", "is empty"), ("removed", "is missing")]
)
def test_a_lost_database_is_not_taken_for_a_first_start(
    home: Path, music: Path, cut: str, said_of_it: str
) -> None:
    database = rated_and_stopped(home, music)
    command(home, "backup", str(home / "kept.db"))
    if cut == "emptied":
        os.truncate(database, 0)
    else:
        database.unlink()

    said = refused_start(home, music)

    assert f"{database} {said_of_it}" in said
    assert not database.exists() or database.stat().st_size == 0, "nothing was written"
    command(home, "restore", str(home / "kept.db"))
    with daemon_in(home, music) as daemon:
        assert rating(daemon) == 8


def test_doctor_reports_a_lost_database(home: Path, music: Path) -> None:
    rated_and_stopped(home, music).unlink()

    said = command(home, "doctor", code=1)

    (line,) = (line for line in said.splitlines() if "database" in line and "is missing" in line)
    assert line.startswith("!!")
