"""A day in the daemon's life, and what its log says of it: next to nothing, and never a name."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from anagnorisis.v1 import (
    evaluator_pb2,
    library_pb2,
    rating_pb2,
    track_pb2,
)
from tests.metrics.test_metrics import fetched, free_address
from tests.support.daemon import RunningDaemon, running_daemon
from tests.support.mpd import Mpd, running, write_songs
from tests.support.songs import make_songs

EXPECTED = (r"listening on unix:\S+", r"connected to MPD \S+ at \S+")
"""All that may be said at info level while all is well."""

SONGS_OF_EACH_KIND = 6
NAMES = ("Zanzibar", "Xanadu", ".flac", ".wav")
"""Of every file a part of its name that no message has another reason to use."""


def told(daemon: RunningDaemon) -> list[str]:
    """Return the messages of the log."""
    return [json.loads(line)["message"] for line in daemon.log.read_text().splitlines()]


def unexpected(lines: Sequence[str]) -> list[str]:
    return [line for line in lines if not any(re.fullmatch(one, line) for one in EXPECTED)]


def rate(daemon: RunningDaemon, uri: str, rating: float) -> None:
    target = track_pb2.Target(uri=uri)
    daemon.rating.RateTrack(rating_pb2.RateTrackRequest(target=target, rating=rating))


def live(daemon: RunningDaemon, mpd: Mpd, uris: Sequence[str]) -> None:
    """Let everything happen that happens on a good day."""
    daemon.until(lambda: daemon.status().library.embedded == len(uris))
    for number, uri in enumerate(uris):
        rate(daemon, uri, number % 11)
    list(daemon.evaluator.TrainEvaluator(evaluator_pb2.TrainEvaluatorRequest()))
    mpd.mpc("add", *uris[:3])
    mpd.mpc("play")
    daemon.until(lambda: len(daemon.status().upcoming_picks) == 3)
    mpd.mpc("sticker", uris[1], "set", "rating", "7")
    mpd.mpc("sendmessage", "anagnorisis", f"rate 6 {uris[2]}")
    mpd.mpc("sendmessage", "anagnorisis", "rate many")
    mpd.mpc("single", "on")
    mpd.mpc("single", "off")
    mpd.mpc("random", "on")
    mpd.mpc("random", "off")
    daemon.until(lambda: {"sticker", "channel"} <= sources(daemon))
    daemon.until(lambda: mpd.mpc("current", "-f", "%file%") not in {"", uris[0]})
    mpd.mpc("next")
    write_songs(mpd.music, ["Zanzibar/new.wav"], seconds=2.0)
    list(daemon.library.ScanLibrary(library_pb2.ScanLibraryRequest()))
    daemon.until(lambda: daemon.status().library.embedded == len(uris) + 1)
    (mpd.music / uris[-1]).rename(mpd.music / "Zanzibar" / "moved.flac")
    list(daemon.library.ScanLibrary(library_pb2.ScanLibraryRequest()))


def sources(daemon: RunningDaemon) -> set[str]:
    answer = daemon.rating.ListRatings(rating_pb2.ListRatingsRequest())
    return {rating.source for rating in answer.ratings}


def go_wrong(daemon: RunningDaemon, mpd: Mpd, uris: Sequence[str]) -> None:
    """Let things happen that have to be told."""
    (mpd.music / "Xanadu.flac").write_bytes((mpd.music / uris[0]).read_bytes()[:20_000])
    silence = b"RIFF\x24\x7d\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x80\x3e\0\0\2\0\x10\0data"
    (mpd.music / "Zanzibar" / "silent.wav").write_bytes(silence + b"\0\x7d\0\0" + bytes(32_000))
    list(daemon.library.ScanLibrary(library_pb2.ScanLibraryRequest()))
    daemon.until(lambda: daemon.status().library.failed)
    mpd.mpc("sticker", uris[1], "set", "rating", "splendid")
    daemon.until(lambda: "splendid" in daemon.log.read_text())
    mpd.kill()
    daemon.until(lambda: not daemon.status().mpd.connected)


def named(lines: Sequence[str]) -> list[str]:
    return [line for line in lines if any(name.lower() in line.lower() for name in NAMES)]


def test_quiet_log_without_names_in_normal_operation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "systemd"))  # a service shows no screen
    write_songs(tmp_path / "music", ["short song.wav"], seconds=1.5)
    uris = ["short song.wav", *make_songs(tmp_path / "music", SONGS_OF_EACH_KIND)]
    address = free_address()
    settings = (
        f"metrics:\n  address: {address}\nratings:\n  write_file_tags: true\nlog:\n  format: json\n"
    )
    with (
        running(tmp_path) as mpd,
        running_daemon(tmp_path / "home", mpd.music, mpd.socket, settings) as daemon,
    ):
        live(daemon, mpd, uris)

        assert unexpected(told(daemon)) == []
        numbers = fetched(address)
        assert numbers["anagnorisis_plays_total full"] >= 1
        assert numbers["anagnorisis_ratings_total grpc"] == len(uris)
        assert numbers["anagnorisis_ratings_total sticker"] >= 1
        assert numbers["anagnorisis_evaluator_heldout_mae_ratio"] > 0
        assert numbers["anagnorisis_rpc_duration_seconds_count OK RatingService/RateTrack"] > 0

        go_wrong(daemon, mpd, uris)

        said = unexpected(told(daemon))
        assert any("cannot be embedded: is silent" in line for line in said)
        assert any("not 0 to 10" in line for line in said)
        assert any("not connected to MPD" in line for line in said)
        assert named(said) == []
        assert daemon.stop() == 0
        assert "Traceback" not in daemon.log.read_text()
