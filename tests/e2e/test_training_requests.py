"""A script that rates and then trains, against a real daemon whose own training is under way."""

from pathlib import Path

from anagnorisis.v1 import evaluator_pb2, library_pb2, rating_pb2, track_pb2
from tests.support.daemon import RunningDaemon, running_daemon
from tests.support.mpd import running, write_songs

SONGS = [f"song {number:02}.wav" for number in range(50)]
# Whether the second evaluator is promoted, too, depends on what these arbitrary ratings happen to
# have in common with the embeddings.
SETTINGS = """
training:
  learn_after_seconds: 0
picks:
  enabled: false
embedding:
  embedder: features
"""


def rate(daemon: RunningDaemon, uri: str, rating: float) -> None:
    target = track_pb2.Target(uri=uri)
    daemon.rating.RateTrack(rating_pb2.RateTrackRequest(target=target, rating=rating))


def begun(daemon: RunningDaemon) -> bool:
    status = daemon.status()
    return status.training.running or status.HasField("evaluator")


def learnt_by_training(daemon: RunningDaemon) -> int:
    last = list(daemon.evaluator.TrainEvaluator(evaluator_pb2.TrainEvaluatorRequest()))[-1]
    return last.evaluator.rating_count


def test_train_covers_every_rating_that_was_answered_before(tmp_path: Path) -> None:
    write_songs(tmp_path / "music", SONGS, seconds=2.0)
    with (
        running(tmp_path) as mpd,
        running_daemon(tmp_path / "home", mpd.music, mpd.socket, SETTINGS) as daemon,
    ):
        daemon.until(lambda: daemon.status().library.embedded == len(SONGS))
        for uri in SONGS[:10]:
            rate(daemon, uri, 5)
        daemon.until(lambda: begun(daemon))  # the first one, by itself
        for number, uri in enumerate(SONGS):
            rate(daemon, uri, number % 11)

        assert learnt_by_training(daemon) == len(SONGS)
        answer = daemon.library.ListTracks(library_pb2.ListTracksRequest(page_size=100))
        assert all(track.HasField("predicted_rating") for track in answer.tracks)
        assert daemon.status().evaluator.rating_count == len(SONGS)
