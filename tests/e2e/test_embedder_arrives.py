"""The weights of a better embedder arrive while the daemon runs; nothing is lost on the way."""

from pathlib import Path

from anagnorisis.v1 import evaluator_pb2, library_pb2, rating_pb2, track_pb2
from anagnorisisd.embedding.musicnn.weights import PACKAGED
from anagnorisisd.embedding.published_models import MERT
from tests.support import mert
from tests.support.daemon import RunningDaemon, running_daemon
from tests.support.mpd import running
from tests.support.musicnn import needs_weights
from tests.support.songs import make_songs

SONGS_OF_EACH_KIND = 7
SETTINGS = """
training:
  minimum_ratings: 10
embedding:
  model_directory: {models}
  layer: 3
  device: cpu
  embedder: {embedder}
"""


def tracks(daemon: RunningDaemon) -> list[track_pb2.Track]:
    answer = daemon.library.ListTracks(library_pb2.ListTracksRequest(page_size=1000))
    return list(answer.tracks)


def settled(daemon: RunningDaemon, embedder: str) -> bool:
    """Say whether every track has a vector by this embedder."""
    status = daemon.status()
    return (
        status.embedding.embedder.name == embedder
        and not status.embedding.pending
        and status.library.embedded == 2 * SONGS_OF_EACH_KIND
    )


def rate_and_train(daemon: RunningDaemon, uris: list[str]) -> None:
    """Rate most tracks, and wait until every track has a predicted rating."""
    for number, uri in enumerate(uris[:12]):
        target = track_pb2.Target(uri=uri)
        rating = 2 if number % 2 else 9
        daemon.rating.RateTrack(rating_pb2.RateTrackRequest(target=target, rating=rating))
    list(daemon.evaluator.TrainEvaluator(evaluator_pb2.TrainEvaluatorRequest()))
    daemon.until(lambda: all(one.HasField("predicted_rating") for one in tracks(daemon)))


def test_old_predictions_stay_until_new_weights_have_embedded_everything(tmp_path: Path) -> None:
    music, models = tmp_path / "music", tmp_path / "models"
    uris = make_songs(music, SONGS_OF_EACH_KIND)
    settings = SETTINGS.format(models=models, embedder="auto")
    with (
        running(tmp_path) as mpd,
        running_daemon(tmp_path / "daemon", music, mpd.socket, settings) as daemon,
    ):
        daemon.until(lambda: settled(daemon, "musicnn" if PACKAGED.exists() else "features"))
        rate_and_train(daemon, uris)

        mert.make_folder(models / MERT.name)

        daemon.until(lambda: daemon.status().embedding.embedder.name == "mert")
        assert all(one.HasField("predicted_rating") for one in tracks(daemon))
        daemon.until(lambda: settled(daemon, "mert"))
        assert all(one.HasField("predicted_rating") for one in tracks(daemon))
        assert daemon.stop() == 0

    settings = SETTINGS.format(models=models, embedder="features")
    with (
        running(tmp_path) as mpd,
        running_daemon(tmp_path / "daemon", music, mpd.socket, settings) as daemon,
    ):
        daemon.until(lambda: settled(daemon, "features"))


def test_weights_that_cannot_be_read_at_the_start_are_used_once_they_can(tmp_path: Path) -> None:
    music, models = tmp_path / "music", tmp_path / "models"
    uris = make_songs(music, SONGS_OF_EACH_KIND)
    weights = mert.make_folder(models / MERT.name) / "pytorch_model.bin"
    readable = weights.rename(weights.with_suffix(".kept"))
    weights.symlink_to("/proc/self/mem")  # of which no byte can be read
    settings = SETTINGS.format(models=models, embedder="mert")
    with (
        running(tmp_path) as mpd,
        running_daemon(tmp_path / "daemon", music, mpd.socket, settings) as daemon,
    ):
        daemon.until(lambda: daemon.status().library.tracks == len(uris))
        target = track_pb2.Target(uri=uris[0])
        daemon.rating.RateTrack(rating_pb2.RateTrackRequest(target=target, rating=9))
        embedding = daemon.status().embedding
        assert (embedding.embedder.name, embedding.pending) == ("mert", len(uris))
        assert "Input/output error" in embedding.executor.error
        assert daemon.log.read_text().count("Input/output error") == 1

        weights.unlink()
        readable.rename(weights)

        daemon.until(lambda: settled(daemon, "mert"))
        assert daemon.status().library.rated == 1
        assert daemon.stop() == 0


@needs_weights
def test_vectors_of_the_features_stay_in_use_until_musicnn_has_replaced_them(
    tmp_path: Path,
) -> None:
    music, models = tmp_path / "music", tmp_path / "models"
    uris = make_songs(music, SONGS_OF_EACH_KIND)
    settings = SETTINGS.format(models=models, embedder="features")
    with (
        running(tmp_path) as mpd,
        running_daemon(tmp_path / "daemon", music, mpd.socket, settings) as daemon,
    ):
        daemon.until(lambda: settled(daemon, "features"))
        rate_and_train(daemon, uris)
        ratings = [one.rating for one in tracks(daemon)]

        daemon.stop()
        daemon.configure(SETTINGS.format(models=models, embedder="auto"))
        daemon.restart()

        assert daemon.status().embedding.embedder.name == "musicnn"
        assert all(one.HasField("predicted_rating") for one in tracks(daemon))
        daemon.until(lambda: settled(daemon, "musicnn"))
        assert all(one.HasField("predicted_rating") for one in tracks(daemon))
        assert [one.rating for one in tracks(daemon)] == ratings
