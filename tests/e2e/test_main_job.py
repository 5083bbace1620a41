"""The main job: a folder of songs, an MPD, some ratings, and picks that follow from them."""

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import grpc
import mutagen
import psutil
import pytest

from anagnorisis.v1 import (
    daemon_pb2,
    evaluator_pb2,
    library_pb2,
    pick_pb2,
    playback_pb2,
    rating_pb2,
    track_pb2,
)
from tests.support.daemon import RunningDaemon, running_daemon
from tests.support.mpd import Mpd, running
from tests.support.pictures import RED, is_colour, picture
from tests.support.songs import make_songs

SONGS_OF_EACH_KIND = 24
RATED_OF_EACH_KIND = 10


@pytest.fixture(scope="session")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Songs of two kinds, made once; tests work on copies."""
    folder = tmp_path_factory.mktemp("songs")
    make_songs(folder, SONGS_OF_EACH_KIND)
    return folder


@pytest.fixture
def music(songs: Path, tmp_path: Path) -> Path:
    """A music folder of one's own."""
    return Path(shutil.copytree(songs, tmp_path / "music"))


@pytest.fixture
def mpd(music: Path, tmp_path: Path) -> Iterator[Mpd]:
    """A real MPD that plays from it."""
    with running(tmp_path) as server:
        yield server


@pytest.fixture
def daemon(music: Path, mpd: Mpd, tmp_path: Path) -> Iterator[RunningDaemon]:
    """A daemon between the two."""
    with running_daemon(tmp_path / "daemon", music, mpd.socket) as running:
        yield running


def queued(mpd: Mpd) -> list[str]:
    return mpd.mpc("--format", "%file%", "playlist").splitlines()


def tracks(daemon: RunningDaemon) -> dict[str, track_pb2.Track]:
    answer = daemon.library.ListTracks(library_pb2.ListTracksRequest(page_size=1000))
    return {track.uri: track for track in answer.tracks}


def track_at(daemon: RunningDaemon, uri: str) -> track_pb2.Track:
    target = track_pb2.Target(uri=uri)
    return daemon.library.GetTrack(library_pb2.GetTrackRequest(target=target)).track


def rate(daemon: RunningDaemon, uri: str, rating: float) -> None:
    target = track_pb2.Target(uri=uri)
    daemon.rating.RateTrack(rating_pb2.RateTrackRequest(target=target, rating=rating))


def kind(uri: str) -> str:
    return "wild" if int(uri[5:7]) % 2 else "calm"


def all_embedded(daemon: RunningDaemon) -> bool:
    library = daemon.status().library
    return library.embedded == library.tracks == 2 * SONGS_OF_EACH_KIND


def test_picks_follow_what_plays(daemon: RunningDaemon, mpd: Mpd) -> None:
    daemon.until(lambda: daemon.status().library.embedded > 0)

    mpd.mpc("add", "song 00.flac")
    mpd.mpc("play")

    daemon.until(lambda: len(queued(mpd)) == 4)
    assert len(set(queued(mpd))) == 4
    daemon.until(lambda: [track.uri for track in daemon.status().upcoming_picks] == queued(mpd)[1:])


def test_a_client_that_has_neither_mpd_nor_the_files(
    daemon: RunningDaemon, music: Path, mpd: Mpd
) -> None:
    (music / "cover.png").write_bytes(picture(RED))
    target = track_pb2.Target(uri="song 00.flac")
    daemon.until(lambda: daemon.status().library.tracks == 2 * SONGS_OF_EACH_KIND)

    daemon.playback.QueueTrack(
        playback_pb2.QueueTrackRequest(target=target, position=playback_pb2.QUEUE_POSITION_NOW)
    )
    daemon.until(lambda: len(upcoming(daemon)) == 3)
    unwanted = upcoming(daemon)[1]
    daemon.pick.RemovePick(pick_pb2.RemovePickRequest(song_id=unwanted.song_id))
    daemon.until(lambda: len(upcoming(daemon)) == 3)
    paused = daemon.playback.ControlPlayback(
        playback_pb2.ControlPlaybackRequest(action=playback_pb2.PLAYBACK_ACTION_PAUSE)
    )
    audio = list(daemon.library.ReadAudio(library_pb2.ReadAudioRequest(target=target)))
    cover = list(daemon.library.GetCover(library_pb2.GetCoverRequest(target=target)))

    assert unwanted.track.uri not in queued(mpd)
    assert [pick.track.uri for pick in upcoming(daemon)] == queued(mpd)[1:]
    assert paused.playback.state == daemon_pb2.PLAYBACK_STATE_PAUSED
    assert paused.playback.track.uri == "song 00.flac"
    content = b"".join(part.chunk for part in audio)
    assert content == (music / "song 00.flac").read_bytes()
    assert is_colour(b"".join(part.chunk for part in cover), RED)


def upcoming(daemon: RunningDaemon) -> list[pick_pb2.UpcomingPick]:
    request = pick_pb2.ListUpcomingPicksRequest()
    return list(daemon.pick.ListUpcomingPicks(request).picks)


def test_ratings_of_two_kinds_are_learnt(daemon: RunningDaemon) -> None:
    daemon.until(lambda: all_embedded(daemon))
    rated = sorted(tracks(daemon))[: 2 * RATED_OF_EACH_KIND]
    for uri in rated:
        rate(daemon, uri, 9 if kind(uri) == "calm" else 2)

    last = list(daemon.evaluator.TrainEvaluator(evaluator_pb2.TrainEvaluatorRequest()))[-1]
    assert last.HasField("evaluator")
    daemon.until(lambda: all(t.HasField("predicted_rating") for t in tracks(daemon).values()))

    unrated = {uri: track for uri, track in tracks(daemon).items() if uri not in rated}
    calm = [t.predicted_rating for uri, t in unrated.items() if kind(uri) == "calm"]
    wild = [t.predicted_rating for uri, t in unrated.items() if kind(uri) == "wild"]
    assert min(calm) > max(wild), "every unrated song of the liked kind is predicted higher"
    assert sum(calm) / len(calm) - sum(wild) / len(wild) > 3

    picked = [
        pick.track.uri
        for seed in range(40)
        for pick in daemon.pick.PreviewPicks(pick_pb2.PreviewPicksRequest(count=3, seed=seed)).picks
        if pick.track.uri not in rated
    ]
    liked = sum(kind(uri) == "calm" for uri in picked)
    assert liked > 3 * (len(picked) - liked), "and is picked clearly more often"

    evaluation = daemon.evaluator.GetEvaluation(evaluator_pb2.GetEvaluationRequest())
    assert len(evaluation.predictions) == len(rated)
    (columns,) = daemon.library.GetLibraryMap(library_pb2.GetLibraryMapRequest())
    assert columns.total_tracks == 2 * SONGS_OF_EACH_KIND
    assert sum(rating in {2, 9} for rating in columns.rating) == len(rated)
    assert len({*zip(columns.x, columns.y, strict=True)}) == columns.total_tracks


def test_a_new_file_becomes_pickable_without_a_restart(
    daemon: RunningDaemon, music: Path, tmp_path: Path
) -> None:
    daemon.until(lambda: all_embedded(daemon))
    make_songs(tmp_path / "new", SONGS_OF_EACH_KIND + 1)

    shutil.copy(tmp_path / "new" / "song 48.flac", music / "just arrived.flac")

    def pickable() -> bool:
        target = track_pb2.Target(uri="just arrived.flac")
        track = daemon.library.GetTrack(library_pb2.GetTrackRequest(target=target)).track
        why = daemon.pick.ExplainTrack(pick_pb2.ExplainTrackRequest(target=target)).explanation
        return track.state == track_pb2.TRACK_STATE_EMBEDDED and why.probability > 0

    daemon.until(pickable)


def test_a_moved_and_retagged_file_keeps_its_rating(daemon: RunningDaemon, music: Path) -> None:
    daemon.until(lambda: "song 07.flac" in tracks(daemon))
    rate(daemon, "song 07.flac", 7.5)

    (music / "elsewhere").mkdir()
    (music / "song 07.flac").rename(music / "elsewhere" / "renamed.flac")
    file = mutagen.File(music / "elsewhere" / "renamed.flac", easy=True)
    file["title"], file["artist"] = "Seven", "Somebody"
    file.save()

    track = daemon.until(lambda: track_at(daemon, "elsewhere/renamed.flac"))
    assert track.rating == 7.5
    daemon.until(lambda: track_at(daemon, "elsewhere/renamed.flac").artist == "Somebody")


def test_acknowledged_ratings_survive_a_kill(daemon: RunningDaemon) -> None:
    daemon.until(lambda: len(tracks(daemon)) >= 20)
    uris = sorted(tracks(daemon))[:20]
    for number, uri in enumerate(uris):
        rate(daemon, uri, number / 2)
        if number % 7 == 6:
            daemon.kill()
            daemon.restart()
            daemon.status()

    daemon.kill()
    daemon.restart()
    daemon.status()

    known = tracks(daemon)
    assert [known[uri].rating for uri in uris] == [number / 2 for number in range(20)]


def test_the_process_that_stays_is_light(daemon: RunningDaemon) -> None:
    daemon.until(lambda: all_embedded(daemon))

    mapped = Path(f"/proc/{daemon.process.pid}/maps").read_text()

    for heavy in ("torch", "transformers", "librosa", "numba", "llvmlite", "openvino"):
        assert heavy not in mapped


def test_no_network_connection_but_to_mpd(daemon: RunningDaemon) -> None:
    daemon.until(lambda: all_embedded(daemon))
    for number, uri in enumerate(sorted(tracks(daemon))[:12]):
        rate(daemon, uri, number % 10)
    list(daemon.evaluator.TrainEvaluator(evaluator_pb2.TrainEvaluatorRequest()))

    parent = psutil.Process(daemon.process.pid)
    connections = []
    for process in (parent, *parent.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):  # a worker may have ended meanwhile
            connections += process.net_connections("inet")

    assert not connections, "MPD is reached by its socket, and there is nobody else"


def test_second_daemon_exits_with_an_error(daemon: RunningDaemon, music: Path, mpd: Mpd) -> None:
    daemon.status()

    second = RunningDaemon(daemon.home, music, mpd.socket)

    assert second.process.wait(90) == 75
    assert "already" in second.log.read_text()
    daemon.status()


def test_clean_stop_on_sigterm(daemon: RunningDaemon) -> None:
    daemon.until(lambda: daemon.status().library.tracks > 0)

    assert daemon.stop() == 0
    assert not daemon.socket.exists()
    assert "Traceback" not in daemon.log.read_text()


def test_a_second_start_finds_nothing_to_redo(daemon: RunningDaemon) -> None:
    daemon.until(lambda: all_embedded(daemon))
    before = tracks(daemon)
    daemon.stop()

    daemon.restart()

    daemon.status()
    last = list(daemon.library.ScanLibrary(library_pb2.ScanLibraryRequest()))[-1]
    assert last.unchanged == last.found == 2 * SONGS_OF_EACH_KIND
    assert daemon.status().embedding.pending == 0
    assert tracks(daemon).keys() == before.keys()


def test_bad_values_are_refused_by_name_and_change_nothing(daemon: RunningDaemon) -> None:
    daemon.until(lambda: "song 00.flac" in tracks(daemon))

    for value in (11.0, -0.5, float("nan"), float("inf")):
        with pytest.raises(grpc.RpcError) as refused:
            rate(daemon, "song 00.flac", value)
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "rating" in (refused.value.details() or "")
    with pytest.raises(grpc.RpcError) as unknown:
        rate(daemon, "no such song.flac", 5)
    assert unknown.value.code() is grpc.StatusCode.NOT_FOUND

    assert not track_at(daemon, "song 00.flac").HasField("rating")
