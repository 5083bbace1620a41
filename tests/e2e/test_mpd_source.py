"""MPD whose music is not on this computer: its database is the library."""

# mypy: disable-error-code="no-untyped-call"

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import grpc
import pytest
from mutagen.flac import FLAC

from anagnorisis.v1 import evaluator_pb2, library_pb2, pick_pb2, rating_pb2, track_pb2
from tests.support import mpd
from tests.support.cue_sheets import track
from tests.support.daemon import RunningDaemon, running_daemon
from tests.support.media import age, write_song
from tests.support.mpd import Mpd
from tests.support.rpc import command

LIKED = tuple(f"liked/{number}.flac" for number in range(4))
DISLIKED = tuple(f"disliked/{number}.flac" for number in range(4))
PART = "image/a.cue/track0002"
LISTED = {*LIKED, *DISLIKED, PART, "image/a.cue/track0001"}
SHEET = 'FILE "a.flac" WAVE\n' + track(1, "One") + track(2, "Two", "01 00:01:00")
SETTINGS = """\
embedding:
  embedder: features
training:
  minimum_ratings: 4
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mpd]:
    folder = tmp_path_factory.mktemp("mpd-source")
    for seed, uri in enumerate((*LIKED, *DISLIKED, "image/a.flac")):
        # Durations differ, as those of different recordings do.
        write_song(folder / "music" / uri, seed, 4.0 + seed / 8)
        tag(folder / "music" / uri, title=f"Title {seed}", artist=uri.partition("/")[0])
    sheet = folder / "music" / "image" / "a.cue"
    sheet.write_text(SHEET)
    age(sheet)
    with mpd.running(folder, output=mpd.PACED.format(rate=mpd.RATE)) as running:
        yield running


def tag(path: Path, **tags: str) -> None:
    """Write tags, as the listener does on the computer of MPD."""
    file = FLAC(path)
    file.update(tags)
    file.save()


@pytest.fixture(scope="module")
def daemon(server: Mpd) -> Iterator[RunningDaemon]:
    home = server.folder.parent / "daemon"
    program = ("tests.support.fast_daemon", str(mpd.RATE))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANAGNORISIS_MUSIC__SOURCE", "mpd")
        with running_daemon(home, home / "music", server.socket, SETTINGS, program) as running:
            running.until(lambda: running.status().library.embedded == len(LISTED))
            yield running


def found(daemon: RunningDaemon, uri: str) -> track_pb2.Track:
    target = track_pb2.Target(uri=uri)
    return daemon.library.GetTrack(library_pb2.GetTrackRequest(target=target)).track


def rate(daemon: RunningDaemon, uri: str, rating: float) -> None:
    target = track_pb2.Target(uri=uri)
    daemon.rating.RateTrack(rating_pb2.RateTrackRequest(target=target, rating=rating))


def sticker(server: Mpd, uri: str) -> str | None:
    lines = server.mpc("sticker", uri, "list").splitlines()
    return next((line.removeprefix("rating=") for line in lines), None)


def test_all_songs_that_mpd_lists_are_tracks(daemon: RunningDaemon, server: Mpd) -> None:
    assert set(server.mpc("listall").splitlines()) == LISTED

    first, part = found(daemon, LIKED[0]), found(daemon, PART)

    assert (first.title, first.artist) == ("Title 0", "liked")
    assert first.duration_seconds == pytest.approx(4.0)
    assert (part.title, part.artist) == ("Two", "Singer")
    last = list(daemon.library.ScanLibrary(library_pb2.ScanLibraryRequest()))[-1]
    assert (last.unchanged, last.found) == (len(LISTED), len(LISTED))


def test_ratings_are_predicted_from_metadata_and_picked(daemon: RunningDaemon, server: Mpd) -> None:
    for uri in (*LIKED[:2], *DISLIKED[:2]):
        rate(daemon, uri, 9.0 if uri in LIKED else 1.0)
    server.mpc("sticker", PART, "set", "rating", "4")
    daemon.until(lambda: found(daemon, PART).rating == 4)
    daemon.until(lambda: sticker(server, LIKED[0]) == "9")

    list(daemon.evaluator.TrainEvaluator(evaluator_pb2.TrainEvaluatorRequest()))
    daemon.until(lambda: found(daemon, LIKED[3]).HasField("predicted_rating"))

    liked, disliked = (found(daemon, uris[3]).predicted_rating for uris in (LIKED, DISLIKED))
    assert liked > disliked + 2
    for seed in range(20):
        request = pick_pb2.PreviewPicksRequest(count=4, seed=seed)
        for pick in daemon.pick.PreviewPicks(request).picks:
            assert pick.track.uri in LISTED


def test_plays_are_judged_and_picks_are_queued(daemon: RunningDaemon, server: Mpd) -> None:
    server.mpc("add", LIKED[0])
    server.mpc("play")

    daemon.until(lambda: found(daemon, LIKED[0]).play_count)
    daemon.until(lambda: daemon.status().upcoming_picks)

    server.mpc("clear")
    assert set(server.mpc("-f", "%file%", "playlist").splitlines()) <= LISTED


def test_what_needs_audio_is_refused(daemon: RunningDaemon, server: Mpd) -> None:
    config = ("--config", str(daemon.home / "config.yaml"))
    server.mpc("add", PART)
    server.mpc("play")
    server.mpc("pause")
    for words in (("similar", PART), ("journey", PART, LIKED[0]), ("mood", "like")):
        done = asyncio.run(command("anagnorisis", *words, socket=daemon.socket))
        assert (done.code, done.err.partition(",")[0]) == (1, "anagnorisis: music.source is mpd")
    server.mpc("clear")
    target = track_pb2.Target(uri=PART)
    for call in (
        daemon.library.GetCover(library_pb2.GetCoverRequest(target=target)),
        daemon.library.ReadAudio(library_pb2.ReadAudioRequest(target=target)),
    ):
        with pytest.raises(grpc.RpcError, match=r"music\.source is mpd") as refused:
            next(call)
        assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION

    examined = asyncio.run(command("anagnorisisd", *config, "doctor"))

    assert "ok music directory  not needed; music.source is mpd" in examined.out
    assert "ok embedder         metadata-1; ratings are predicted by artist" in examined.out


def test_moved_and_retagged_songs_keep_their_ratings(daemon: RunningDaemon, server: Mpd) -> None:
    for uri in LIKED[:2]:
        rate(daemon, uri, 8.5)
    plays = found(daemon, LIKED[0]).play_count
    before = found(daemon, LIKED[1])
    (server.music / LIKED[1]).rename(server.music / "moved.flac")
    tag(server.music / LIKED[0], title="Retagged")
    server.mpc("update", "--wait")

    daemon.until(partial(is_titled, daemon, "moved.flac", before.title))
    daemon.until(partial(is_titled, daemon, LIKED[0], "Retagged"))
    moved, retagged = found(daemon, "moved.flac"), found(daemon, LIKED[0])

    assert (moved.track_id, moved.rating) == (before.track_id, 8.5)
    assert (retagged.rating, retagged.play_count) == (8.5, plays)
    daemon.until(lambda: sticker(server, "moved.flac") == "9")
    assert daemon.status().library.missing == 0


def test_tracks_are_the_same_when_their_files_are_seen(
    daemon: RunningDaemon, server: Mpd, monkeypatch: pytest.MonkeyPatch
) -> None:
    rated = (LIKED[0], DISLIKED[0], PART)
    for rating, uri in enumerate(rated):
        rate(daemon, uri, rating)
    before = {uri: found(daemon, uri) for uri in rated}
    newest = daemon.rating.ListRatings(rating_pb2.ListRatingsRequest()).ratings
    daemon.stop()
    (daemon.home / "music").symlink_to(server.music)
    monkeypatch.setenv("ANAGNORISIS_MUSIC__SOURCE", "files")
    daemon.restart()

    daemon.until(lambda: daemon.status().library.embedded == len(LISTED))

    assert daemon.status().library.missing == 0
    for uri, then in before.items():
        daemon.until(partial(has_another_id, daemon, uri, then.track_id))
        now = found(daemon, uri)
        assert (now.rating, now.play_count) == (then.rating, then.play_count)
    assert len(daemon.rating.ListRatings(rating_pb2.ListRatingsRequest()).ratings) == len(newest)


def has_another_id(daemon: RunningDaemon, uri: str, before: str) -> bool:
    return found(daemon, uri).track_id != before


def is_titled(daemon: RunningDaemon, uri: str, title: str) -> bool:
    return found(daemon, uri).title == title


def test_the_log_has_no_complaint(daemon: RunningDaemon) -> None:
    assert not {"WARNING", "ERROR"} & set(daemon.log.read_text().split())
