"""The music folder comes and goes, hangs, refuses, and is overrun; nothing known is ever lost."""

import itertools
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import grpc
import pytest

from anagnorisis.v1 import daemon_pb2, library_pb2, rating_pb2, track_pb2
from tests.support.daemon import RunningDaemon, running_daemon
from tests.support.faults import mounted, shared
from tests.support.mpd import write_songs

SONGS = [f"album {number % 2}/{number}.wav" for number in range(6)]
EVENTS_KEPT = Path("/proc/sys/fs/inotify/max_queued_events")
MANY = 1_000
PROMPT_SECONDS = 15.0
"""A hung share holds its callers for ever; whoever answers within this does not wait for it."""


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    write_songs(tmp_path / "disk", SONGS, seconds=1.0)
    return tmp_path / "disk"


@contextmanager
def daemon_on(music: Path, home: Path, settings: str = "") -> Iterator[RunningDaemon]:
    """Run a daemon that has found its songs, and knows a rating. There is no MPD."""
    with running_daemon(home, music, home / "no-mpd", settings) as daemon:
        daemon.until(lambda: daemon.status().library.embedded == len(SONGS))
        rate(daemon, 9)
        yield daemon


def target(uri: str = SONGS[0]) -> track_pb2.Target:
    return track_pb2.Target(uri=uri)


def rate(daemon: RunningDaemon, value: float) -> None:
    request = rating_pb2.RateTrackRequest(target=target(), rating=value)
    daemon.rating.RateTrack(request, timeout=PROMPT_SECONDS)


def track(daemon: RunningDaemon, uri: str = SONGS[0]) -> track_pb2.Track:
    request = library_pb2.GetTrackRequest(target=target(uri))
    return daemon.library.GetTrack(request, timeout=PROMPT_SECONDS).track


def counts(daemon: RunningDaemon) -> daemon_pb2.LibraryCounts:
    return daemon.daemon.GetStatus(daemon_pb2.GetStatusRequest(), timeout=PROMPT_SECONDS).library


def scan(daemon: RunningDaemon) -> library_pb2.ScanLibraryResponse:
    return list(daemon.library.ScanLibrary(library_pb2.ScanLibraryRequest(), timeout=60))[-1]


def assert_nothing_is_lost(daemon: RunningDaemon) -> None:
    """Check that all is as before: the same tracks, with their vectors and the rating."""
    found = counts(daemon)
    assert (found.tracks, found.embedded, found.rated) == (len(SONGS), len(SONGS), 1)
    assert track(daemon).rating == 9


def test_a_disk_that_is_unmounted_and_mounted_again(disk: Path, tmp_path: Path) -> None:
    music = tmp_path / "music"
    with mounted(disk, music) as unmount, daemon_on(music, tmp_path / "home") as daemon:
        unmount()
        away = scan(daemon)
        assert (away.missing, counts(daemon).missing) == (len(SONGS), len(SONGS))
        assert track(daemon).rating == 9, "what is not there is known all the same"

        with mounted(disk, music):
            back = scan(daemon)
            assert (back.unchanged, back.added) == (len(SONGS), 0)
            assert_nothing_is_lost(daemon)
            assert daemon.stop() == 0


def test_a_read_only_disk_is_read(disk: Path, tmp_path: Path) -> None:
    before = sorted(disk.rglob("*"))
    tags = "ratings:\n  write_file_tags: true\n"
    with (
        mounted(disk, tmp_path / "music", "ro"),
        daemon_on(tmp_path / "music", tmp_path / "home", tags) as daemon,
    ):
        daemon.until(lambda: "cannot write the rating of" in daemon.log.read_text())

        assert scan(daemon).unchanged == len(SONGS)
        assert_nothing_is_lost(daemon)
        assert daemon.stop() == 0
    assert sorted(disk.rglob("*")) == before


def test_hung_network_share_blocks_no_request(disk: Path, tmp_path: Path) -> None:
    music = tmp_path / "music"
    with shared(disk, music) as share, daemon_on(music, tmp_path / "home") as daemon:
        share.hang()
        scanning = threading.Thread(target=scan, args=(daemon,))
        scanning.start()
        rate(daemon, 2)
        rate(daemon, 9)
        assert counts(daemon).missing == 0
        share.go_on()
        scanning.join()
        assert_nothing_is_lost(daemon)

        share.die()
        refused = scan(daemon)
        assert "Transport endpoint is not connected" in refused.error
        assert counts(daemon).tracks == len(SONGS)
        share.go()
        share.come()
        assert scan(daemon).unchanged == len(SONGS)
        assert_nothing_is_lost(daemon)

        share.hang()
        list(itertools.islice(daemon.library.ScanLibrary(library_pb2.ScanLibraryRequest()), 1))
        assert daemon.stop() == 0, "it can be stopped meanwhile"
        daemon.restart()
        daemon.until(lambda: track(daemon).rating == 9)
        rate(daemon, 3)
        rate(daemon, 9)
        share.go_on()
        daemon.until(lambda: scan(daemon).unchanged == len(SONGS))
        assert_nothing_is_lost(daemon)
        assert daemon.stop() == 0


def test_a_slow_share_is_waited_for(disk: Path, tmp_path: Path) -> None:
    music = tmp_path / "music"
    (disk / "large.wav").write_bytes((disk / SONGS[1]).read_bytes() + bytes(50_000))
    (disk / SONGS[1]).unlink()
    with (
        shared(disk, music, "--read-rate=100k"),
        running_daemon(tmp_path / "home", music, tmp_path / "no-mpd") as daemon,
    ):
        daemon.until(lambda: counts(daemon).tracks == len(SONGS))
        rate(daemon, 9)
        daemon.until(lambda: counts(daemon).embedded == len(SONGS))
        assert_nothing_is_lost(daemon)
        assert daemon.stop() == 0


def change_many(disk: Path, times: int) -> None:
    for number in range(times):  # created, and closed
        (disk / f"note {number}.txt").touch()


def change_one(disk: Path, times: int) -> None:
    here, there = disk / "here.txt", disk / "there.txt"
    here.touch()
    for _ in range(times):  # each is two events, as is each touch of a new file
        here.rename(there)
        here, there = there, here


@pytest.mark.parametrize("change", [change_many, change_one])
def test_more_changes_than_the_kernel_remembers(
    change: Callable[[Path, int], None], disk: Path, tmp_path: Path
) -> None:
    with daemon_on(disk, tmp_path / "home") as daemon:
        daemon.process.send_signal(signal.SIGSTOP)
        change(disk, int(EVENTS_KEPT.read_text()) // 2 + 1)
        write_songs(disk, ["last/song.wav"], seconds=1.2)
        (disk / SONGS[1]).rename(disk / "last" / "moved.wav")
        (disk / SONGS[2]).unlink()
        daemon.process.send_signal(signal.SIGCONT)

        daemon.until(lambda: track_or_none(daemon, "last/song.wav"))
        daemon.until(lambda: track_or_none(daemon, "last/moved.wav"))
        daemon.until(lambda: counts(daemon).missing == 1)
        assert counts(daemon).tracks == len(SONGS) + 1


def track_or_none(daemon: RunningDaemon, uri: str) -> track_pb2.Track | None:
    with suppress(grpc.RpcError):
        return track(daemon, uri)
    return None


def test_everything_is_touched_at_once_and_a_tree_is_copied_in(disk: Path, tmp_path: Path) -> None:
    with daemon_on(disk, tmp_path / "home") as daemon:
        song = (disk / SONGS[0]).read_bytes()
        for number in range(MANY):
            folder = disk / f"copies {number % 50}"
            folder.mkdir(exist_ok=True)
            (folder / f"{number}.wav").write_bytes(song[: len(song) if number % 2 else 5_000])
            if number == MANY // 2:
                touch_all(disk)
        half = [path for path in disk.rglob("copies */*.wav") if path.stat().st_size == 5_000]
        for path in half:
            path.write_bytes(song)
        touch_all(disk)

        daemon.until(lambda: scan(daemon).unchanged == len(SONGS) + MANY)
        found = counts(daemon)
        assert (found.tracks, found.embedded, found.unusable_files) == (len(SONGS), len(SONGS), 0)
        assert_nothing_is_lost(daemon)
        shutil.rmtree(disk / "copies 0")
        daemon.until(lambda: scan(daemon).unchanged == len(SONGS) + MANY - MANY // 50)
        assert_nothing_is_lost(daemon)
        assert daemon.stop() == 0
        assert "Traceback" not in daemon.log.read_text()


def touch_all(folder: Path) -> None:
    past = time.time() - 60  # what is being written at this moment would be waited for
    for path in folder.rglob("*.wav"):
        os.utime(path, (past, past))
