"""The state of every released version is taken over by this one."""

import sqlite3
from pathlib import Path

import pytest

from anagnorisis.v1 import evaluator_pb2, pick_pb2, rating_pb2, track_pb2
from anagnorisisd.storage.stores import FILE_NAME
from tests.support import released_state
from tests.support.daemon import running_daemon
from tests.support.songs import make_songs
from tools.keep_release import HISTORY, RELEASES, STATE

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("release", sorted(RELEASES.iterdir()), ids=lambda folder: folder.name)
def test_a_release_is_upgraded(release: Path, tmp_path: Path) -> None:
    make_songs(tmp_path / "music", released_state.SONGS_OF_EACH_KIND)
    state = tmp_path / "daemon" / "state"
    state.mkdir(parents=True)
    with sqlite3.connect(state / FILE_NAME) as connection:
        connection.executescript((release / STATE).read_text())
    connection.close()

    with running_daemon(
        tmp_path / "daemon", tmp_path / "music", tmp_path / "no-mpd", released_state.SETTINGS
    ) as daemon:
        daemon.until(lambda: daemon.status().library.embedded == released_state.SONGS)
        assert daemon.status().library.tracks == released_state.SONGS
        assert released_state.exported_history(daemon) == (release / HISTORY).read_text()
        current = daemon.evaluator.GetEvaluator(evaluator_pb2.GetEvaluatorRequest())
        assert current.evaluator.version == 1
        preview = daemon.pick.PreviewPicks(pick_pb2.PreviewPicksRequest(count=3, seed=1))
        assert len(preview.picks) == 3
        target = track_pb2.Target(uri=released_state.PLAYED)
        daemon.rating.RateTrack(rating_pb2.RateTrackRequest(target=target, rating=6))
        trained = list(daemon.evaluator.TrainEvaluator(evaluator_pb2.TrainEvaluatorRequest()))
        assert trained[-1].evaluator.version == 2
        assert daemon.stop() == 0
