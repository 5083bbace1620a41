"""How a daemon is used before a release is kept, and what is asked of it after an upgrade.

The songs are made by arithmetic, so that a later version finds the same tracks.
"""

import subprocess
import sys
from pathlib import Path

from anagnorisis.v1 import evaluator_pb2, rating_pb2, track_pb2
from tests.support.daemon import RunningDaemon, running_daemon
from tests.support.mpd import running
from tests.support.songs import make_songs

SETTINGS = "embedding:\n  embedder: features\n"
SONGS_OF_EACH_KIND = 6
SONGS = 2 * SONGS_OF_EACH_KIND
RATINGS = {f"song {number:02}.flac": 9 - number % 2 * 7 for number in range(SONGS - 2)}
PLAYED = "song 10.flac"


def use_daemon(folder: Path) -> tuple[Path, str]:
    """Let a daemon embed, rate, train and see a play.

    Returns:
        Its state directory, and its exported history.
    """
    make_songs(folder / "music", SONGS_OF_EACH_KIND)
    with (
        running(folder) as mpd,
        running_daemon(folder / "daemon", mpd.music, mpd.socket, SETTINGS) as daemon,
    ):
        daemon.until(lambda: daemon.status().library.embedded == SONGS)
        for uri, rating in RATINGS.items():
            target = track_pb2.Target(uri=uri)
            daemon.rating.RateTrack(rating_pb2.RateTrackRequest(target=target, rating=rating))
        list(daemon.evaluator.TrainEvaluator(evaluator_pb2.TrainEvaluatorRequest()))
        mpd.mpc("add", PLAYED)
        mpd.mpc("play")
        daemon.until(lambda: '"play"' in exported_history(daemon))
        history = exported_history(daemon)
        assert daemon.stop() == 0
    return folder / "daemon" / "state", history


def exported_history(daemon: RunningDaemon) -> str:
    """Return all ratings and plays as the client exports them, in JSON Lines."""
    file = daemon.home / "history.jsonl"
    client = [sys.executable, "-m", "anagnorisis", "--socket", str(daemon.socket)]
    subprocess.run([*client, "export", str(file)], check=True, capture_output=True)
    return file.read_text()
