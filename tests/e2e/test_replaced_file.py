"""A file is replaced by a better encoding of the same piece, under a real daemon and a real MPD."""

# mypy: disable-error-code="no-untyped-call"

from collections.abc import Iterator
from pathlib import Path

import pytest
from mutagen.oggvorbis import OggVorbis

from anagnorisis.v1 import library_pb2, rating_pb2, track_pb2
from tests.support import mpd
from tests.support.daemon import RunningDaemon, running_daemon
from tests.support.media import age, encoded

SONG = "Artist/song.ogg"


def write(path: Path, seed: int, rate: int, title: str = "Song", seconds: float = 3.0) -> None:
    """Write a tagged song beside `path`, and let it take the place at once, as taggers do."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_suffix(".partial")
    written.write_bytes(encoded("ogg", seed, seconds, rate=rate))
    tags = OggVorbis(written)
    tags["title"], tags["artist"] = title, "Artist"
    tags.save()
    age(written)
    written.replace(path)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[mpd.Mpd]:
    music = tmp_path / "mpd" / "music"
    write(music / SONG, 1, 24_000)
    with mpd.running(tmp_path / "mpd") as running:
        yield running


@pytest.fixture
def daemon(server: mpd.Mpd, tmp_path: Path) -> Iterator[RunningDaemon]:
    with running_daemon(tmp_path / "home", server.music, server.socket) as running:
        running.until(lambda: running.status().mpd.connected)
        running.until(lambda: track(running).track_id)
        target = track_pb2.Target(uri=SONG)
        running.rating.RateTrack(rating_pb2.RateTrackRequest(target=target, rating=8))
        running.until(lambda: server.knows(SONG, "rating"))
        yield running


def track(daemon: RunningDaemon) -> track_pb2.Track:
    """Return the track that lies at the path of the song."""
    request = library_pb2.GetTrackRequest(target=track_pb2.Target(uri=SONG))
    return daemon.library.GetTrack(request, timeout=60).track


def sticker(server: mpd.Mpd) -> str:
    return server.mpc("sticker", SONG, "get", "rating")


def test_a_better_encoding_keeps_rating_and_sticker(server: mpd.Mpd, daemon: RunningDaemon) -> None:
    before = track(daemon).track_id

    write(server.music / SONG, 1, 48_000)
    server.mpc("update", "--wait")
    daemon.until(lambda: track(daemon).track_id != before)
    daemon.until(lambda: track(daemon).HasField("rating"))

    assert track(daemon).rating == 8
    history = daemon.rating.ListRatings(rating_pb2.ListRatingsRequest()).ratings
    assert [(entry.source, entry.value) for entry in history] == [("replacement", 8), ("grpc", 8)]
    list(daemon.library.ScanLibrary(library_pb2.ScanLibraryRequest()))
    assert sticker(server) == "rating=8"
    assert "ratings and plays of replaced files: 1" in daemon.log.read_text()

    daemon.rating.UndoRating(rating_pb2.UndoRatingRequest())
    assert not track(daemon).HasField("rating")


def test_replacement_by_another_piece_inherits_nothing(
    server: mpd.Mpd, daemon: RunningDaemon
) -> None:
    before = track(daemon).track_id

    write(server.music / SONG, 2, 24_000, title="Another")
    server.mpc("update", "--wait")
    daemon.until(lambda: track(daemon).track_id != before)
    daemon.until(lambda: "possibly different recordings" in daemon.log.read_text())
    other = server.music / "other.ogg"
    write(other, 3, 24_000)
    server.mpc("update", "--wait")
    # A sticker that is written after the comparison of all shows that this one was left alone.
    daemon.until(lambda: rate(daemon, "other.ogg", 5))
    daemon.until(lambda: server.knows("other.ogg", "rating"))

    assert not track(daemon).HasField("rating")
    assert sticker(server) == "rating=8"
    gone = library_pb2.GetTrackRequest(target=track_pb2.Target(track_id=before))
    assert daemon.library.GetTrack(gone, timeout=60).track.rating == 8


def rate(daemon: RunningDaemon, uri: str, value: float) -> bool:
    """Rate a track; it raises as long as the library does not have it."""
    target = track_pb2.Target(uri=uri)
    daemon.rating.RateTrack(rating_pb2.RateTrackRequest(target=target, rating=value))
    return True
