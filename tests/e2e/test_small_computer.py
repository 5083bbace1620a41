"""A computer with little memory: the daemon, its workers included, gets by with 256 MB."""

from pathlib import Path

import pytest

from anagnorisis.v1 import evaluator_pb2, rating_pb2, track_pb2
from bench.music_files import write_tree
from tests.support.daemon import running_daemon
from tests.support.memory_limit import memory_limit
from tests.support.mpd import running
from tests.support.musicnn import needs_weights
from tests.support.songs import make_songs

MEGABYTE = 2**20
LIMIT = 256 * MEGABYTE
"""A Raspberry Pi with 1 GB has room for it beside the system and MPD."""

LIBRARY = 300
SONGS_OF_EACH_KIND = 5

pytestmark = [pytest.mark.slow, needs_weights]


def test_a_library_is_scanned_embedded_and_learnt_within_256_mb(tmp_path: Path) -> None:
    music = tmp_path / "music"
    songs = make_songs(music, SONGS_OF_EACH_KIND)
    settings = "embedding:\n  embedder: musicnn\n  workers: 1\n"
    with memory_limit(LIMIT) as group, running(tmp_path) as mpd:
        start = group.script(tmp_path / "start")
        with running_daemon(
            tmp_path / "daemon", music, mpd.socket, settings, executable=start
        ) as daemon:
            daemon.until(lambda: daemon.status().library.embedded == len(songs))
            for number, uri in enumerate(songs):
                wanted = rating_pb2.RateTrackRequest(
                    target=track_pb2.Target(uri=uri), rating=9 - number % 2 * 7
                )
                daemon.rating.RateTrack(wanted)
            write_tree(music / "library", LIBRARY)
            daemon.until(lambda: daemon.status().library.tracks == LIBRARY + len(songs))
            training = evaluator_pb2.TrainEvaluatorRequest()
            progress = list(daemon.evaluator.TrainEvaluator(training))
            held = group.resident_bytes()
            assert daemon.stop() == 0

        assert progress[-1].HasField("evaluator")
        assert MEGABYTE < held < LIMIT
        assert group.kills() == 0
