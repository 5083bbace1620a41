"""Gaps in what MPD plays while every core embeds.

MPD plays in real time to a program that takes the sound as a sound card does. It has no right to
real-time priority, like an MPD in a user's session. The baseline is the same without the daemon;
both take turns.
"""

import ctypes
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench import sound_card
from tests.support.daemon import RunningDaemon, running_daemon
from tests.support.mpd import Mpd, running
from tests.support.songs import make_songs

SONGS_OF_EACH_KIND, FULL_SONGS_OF_EACH_KIND = 60, 200
REPEATS = 15
ROUNDS, FULL_ROUNDS = 2, 4
SECONDS, FULL_SECONDS = 15.0, 60.0
TIMEOUT_SECONDS = 600.0
SETTINGS = "embedding:\n  embedder: musicnn\n"
PR_CAPBSET_DROP, CAP_SYS_NICE = 24, 23


def run(full: bool) -> None:
    """Print a row for playback alone and one beside embedding, for each round."""
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_SYS_NICE)  # only root has this right
    print(f"# Playback with {sound_card.BUFFER_SECONDS} s of buffer\n")
    print("| beside | seconds played | gaps | lowest level, s | decoder too slow | embedded |")
    print("|---|---|---|---|---|---|")
    seconds = FULL_SECONDS if full else SECONDS
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        count = FULL_SONGS_OF_EACH_KIND if full else SONGS_OF_EACH_KIND
        make_songs(folder / "music", count, REPEATS)
        command = f"{sys.executable} {sound_card.__file__} {folder / 'report'}"
        output = f'type "pipe"\n  format "44100:16:2"\n  command "{command}"'
        with running(folder, output=output) as mpd:
            for number in range(FULL_ROUNDS if full else ROUNDS):
                print(f"| nothing | {_play(mpd, seconds)} | |", flush=True)
                home = folder / f"daemon {number}"
                with running_daemon(home, mpd.music, folder / "no-mpd", SETTINGS) as daemon:
                    _wait(lambda: daemon.status().library.embedded > 0)
                    before = daemon.status().library.embedded
                    row = _play(mpd, seconds)
                    embedded = _embedded(daemon) - before
                print(f"| embedding | {row} | {embedded} |", flush=True)


def _play(mpd: Mpd, seconds: float) -> str:
    """Play from the start and return cells: seconds played, gaps, lowest level, warnings."""
    log = mpd.folder / "log"
    log.write_text("")
    mpd.mpc("clear")
    mpd.mpc("add", "/")
    mpd.mpc("play")
    time.sleep(seconds)
    mpd.mpc("stop")
    measured = (mpd.folder.parent / "report").read_text().split()
    return " | ".join([*measured, str(log.read_text().count("too slow"))])


def _embedded(daemon: RunningDaemon) -> int:
    library = daemon.status().library
    if not library.pending:
        raise SystemExit("there were too few songs: embedding ended before playback")
    return library.embedded


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("the daemon embeds nothing")
        time.sleep(0.1)
