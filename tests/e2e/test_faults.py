"""Disks that are full or read-only, locks and damage: said, served as far as possible, survived."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import grpc
import pytest

from anagnorisis.v1 import library_pb2, rating_pb2, track_pb2
from tests.support.daemon import RunningDaemon, running_daemon
from tests.support.faults import (
    command,
    damage_table,
    fill,
    make_read_only,
    refused_start,
    shared,
    small_disk,
)
from tests.support.manager import Manager
from tests.support.mpd import write_songs

SONG = "song.wav"


@pytest.fixture
def music(tmp_path: Path) -> Path:
    write_songs(tmp_path / "music", [SONG], seconds=1.0)
    return tmp_path / "music"


@contextmanager
def daemon_on(home: Path, music: Path, size: str = "") -> Iterator[RunningDaemon]:
    """Run a daemon that has found its song, its state on a disk of a `size` if one is given."""
    with ExitStack() as stack:
        if size:
            stack.enter_context(small_disk(home / "state", size))
        # There is no MPD, and none is needed.
        daemon = stack.enter_context(running_daemon(home, music, home / "no-mpd"))
        daemon.until(lambda: daemon.status().library.embedded == 1)
        yield daemon


def rate(daemon: RunningDaemon, value: float) -> None:
    target = track_pb2.Target(uri=SONG)
    request = rating_pb2.RateTrackRequest(target=target, rating=value)
    daemon.rating.RateTrack(request, timeout=60)


def refusal(daemon: RunningDaemon, value: float) -> str:
    with pytest.raises(grpc.RpcError) as refused:
        rate(daemon, value)
    return str(refused.value.details())


def code(daemon: RunningDaemon, value: float) -> grpc.StatusCode:
    with pytest.raises(grpc.RpcError) as refused:
        rate(daemon, value)
    return refused.value.code()


def rating(daemon: RunningDaemon) -> float:
    request = library_pb2.GetTrackRequest(target=track_pb2.Target(uri=SONG))
    return daemon.library.GetTrack(request, timeout=60).track.rating


def test_full_disk_is_reported_and_recovered_from(music: Path, tmp_path: Path) -> None:
    with daemon_on(tmp_path / "home", music, "6m") as daemon:
        rate(daemon, 3)
        filler = fill(daemon.home / "state")

        for value in range(1000):  # there is a little room left in the log of changes
            try:
                rate(daemon, value % 10)
            except grpc.RpcError as refused:
                last, said, full = value - 1, str(refused.details()), refused.code()
                break

        assert full is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "state/anagnorisis.db cannot grow, the disk is full; free some space" in said
        assert rating(daemon) == (last % 10 if last >= 0 else 3), "what is known is told"
        filler.unlink()
        rate(daemon, 8)
        assert rating(daemon) == 8
        assert daemon.stop() == 0
        assert "Traceback" not in daemon.log.read_text()


def test_locked_database_is_reported_and_recovered_from(music: Path, tmp_path: Path) -> None:
    with daemon_on(tmp_path / "home", music) as daemon:
        rate(daemon, 3)
        with closing(sqlite3.connect(daemon.home / "state" / "anagnorisis.db")) as other:
            other.execute("BEGIN EXCLUSIVE")
            assert "is locked by another program; close that program" in refusal(daemon, 4)

            assert code(daemon, 4) is grpc.StatusCode.UNAVAILABLE

            began = time.monotonic()
            refusal(daemon, 5)
            assert rating(daemon) == 3
            assert time.monotonic() - began < 2, "nobody waits for the lock again and again"

        rate(daemon, 8)
        assert rating(daemon) == 8


def test_read_only_disk_is_reported_and_a_later_start_works(music: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with small_disk(home / "state", "6m") as disk:
        make_read_only(disk, True)

        said = refused_start(home, music)

        assert said == (
            f"state.directory: {disk}: Read-only file system; "
            "make it writable, or set another folder\n"
        )
        make_read_only(disk, False)
        with running_daemon(home, music, home / "no-mpd") as daemon:
            daemon.until(lambda: daemon.status().library.tracks == 1)


def test_failing_disk_is_reported_and_a_later_start_works(music: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    (tmp_path / "disk").mkdir()
    with (
        shared(tmp_path / "disk", home / "state") as share,
        daemon_on(home, music) as daemon,
    ):
        rate(daemon, 3)
        share.die()

        assert "the disk reports errors; check the disk" in refusal(daemon, 4)

        share.go()
        share.come()
        assert daemon.stop() == 0
        assert "Traceback" not in daemon.log.read_text()
        daemon.restart()
        daemon.until(lambda: rating(daemon) == 3)


def test_state_directory_of_another_user_is_reported(music: Path, tmp_path: Path) -> None:
    state = tmp_path / "home" / "state"
    state.mkdir(parents=True, mode=0o500)
    if os.access(state, os.W_OK):
        pytest.skip("who runs the tests may write everywhere")

    assert "Permission denied; make it writable" in refused_start(tmp_path / "home", music)


def test_full_disk_at_the_start_is_reported(music: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path / "home" / "state", "1m") as disk:
        fill(disk)

        said = refused_start(tmp_path / "home", music)

    assert "disk is full; free some space" in said


def test_damage_at_run_time_stops_the_watchdog_pings(
    music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "400000")
    with Manager(tmp_path / "notify") as manager, daemon_on(tmp_path / "home", music) as daemon:
        daemon.until(lambda: manager.fed)

        ruin(daemon.home / "state" / "anagnorisis.db")

        assert "is damaged; stop the daemon" in what_is_said(daemon)
        fed = manager.fed
        for _ in range(20):
            assert "is damaged" in what_is_said(daemon), "it still answers"
            time.sleep(0.05)
        assert manager.fed <= fed + 1
        assert daemon.process.poll() is None


def ruin(database: Path) -> None:
    """Cut all but the first page off, in a way that whoever has the database open must notice."""
    with closing(sqlite3.connect(database)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        other.execute("SELECT * FROM settings").fetchall()
        other.execute("BEGIN IMMEDIATE")
        other.execute("INSERT OR REPLACE INTO settings VALUES ('last', 'words')")
        os.truncate(database, 4096)
        other.commit()


def what_is_said(daemon: RunningDaemon) -> str:
    """Return how the daemon refuses to tell of its song; empty when it tells."""
    try:
        rating(daemon)
    except grpc.RpcError as refused:
        return str(refused.details())
    return ""


def test_damage_is_reported_with_a_remedy_that_works(music: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with daemon_on(home, music) as daemon:
        rate(daemon, 8)
        command(home, "backup", str(home / "kept.db"))
        assert daemon.stop() == 0
    database = home / "state" / "anagnorisis.db"
    database.write_bytes(b"\0" * 4096 + database.read_bytes()[4096:])

    said = refused_start(home, music)

    assert f"{database} is not a database; stop the daemon" in said
    assert "`anagnorisisd restore FILE`" in said
    command(home, "restore", str(home / "kept.db"))
    with running_daemon(home, music, home / "no-mpd") as daemon:
        daemon.until(lambda: rating(daemon) == 8)


def test_damage_found_after_the_start_ends_the_daemon(music: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with daemon_on(home, music) as daemon:
        rate(daemon, 8)
        assert daemon.stop() == 0
    damage_table(home / "state" / "anagnorisis.db", "plays")

    said = refused_start(home, music)

    assert "is damaged; stop the daemon" in said
    assert "Traceback" not in said
