"""A listener's home: music, an MPD that plays it, a daemon that has learnt, and a shell."""

import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from anagnorisis.v1 import evaluator_pb2, pick_pb2, rating_pb2
from anagnorisis.v1.track_pb2 import CurrentSong, Target
from tests.support.daemon import ROOT, RunningDaemon, running_daemon
from tests.support.mpd import Mpd, running
from tools.demo.library import Song, encode, songs

TITLES_OF_EACH_ARTIST = 2
EXAMPLES = ("Artist/Song.flac", "Artist/Album/Song.flac")
"""Files that the documents take as examples."""

ENDLESS = ("anagnorisis watch", "mpc subscribe")
"""What follows events; it is interrupted as soon as it has told one."""

LIKED = "Ambient", "Folk"

SETTINGS = "training:\n  learn_after_seconds: 3600\n"
"""So that what was learnt stays while commands rate."""


class Household:
    """Where commands are typed."""

    def __init__(self, folder: Path, mpd: Mpd, daemon: RunningDaemon) -> None:
        self._folder = folder
        self._mpd = mpd
        self._daemon = daemon
        self._environment = {
            **os.environ,
            "HOME": str(folder),
            "XDG_CONFIG_HOME": str(folder / ".config"),
            "XDG_RUNTIME_DIR": str(folder / "runtime"),
            "MPD_HOST": str(mpd.socket),
            "PATH": f"{folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        }

    def settle(self) -> None:
        """Make everything as it was: the same song waits, unrated, and picks are there."""
        # Messages are taken in their order: once this one was, those of before were, too.
        self._mpd.mpc("sendmessage", "anagnorisis", "picking off")
        self._daemon.until(lambda: not self._daemon.status().picking_enabled)
        here = Target(current=CurrentSong())
        self._daemon.rating.RateTrack(rating_pb2.RateTrackRequest(target=here, rating=7))
        self._daemon.rating.ClearRating(rating_pb2.ClearRatingRequest(target=here))
        self._daemon.until(self._sticker)
        self._daemon.pick.SetPicking(pick_pb2.SetPickingRequest(enabled=True))
        self._daemon.until(lambda: len(self._daemon.status().upcoming_picks) == 3)

    def _sticker(self) -> bool:
        """Tell whether the second example has its sticker, and rate it if not."""
        if self._mpd.knows(EXAMPLES[1], "rating"):
            return True
        target = Target(uri=EXAMPLES[1])
        self._daemon.rating.RateTrack(rating_pb2.RateTrackRequest(target=target, rating=6))
        return False

    def type(self, command: str) -> "subprocess.CompletedProcess[str]":
        """Run a line in a shell and return what came of it."""
        if command.startswith(ENDLESS):
            return self._followed(command)
        return subprocess.run(
            ["bash", "-c", command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            cwd=self._folder,
            env=self._environment,
        )

    def _followed(self, command: str) -> "subprocess.CompletedProcess[str]":
        """Run what follows events until it has told something; being interrupted is no failure."""
        # On a terminal, as elsewhere mpc keeps what it has to say until it is a few kilobytes.
        ours, terminal = os.openpty()
        process = subprocess.Popen(
            ["bash", "-c", f"exec {command}"],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            cwd=self._folder,
            env=self._environment,
        )
        os.close(terminal)
        try:
            while not select.select([ours], [], [], 0.2)[0]:
                assert process.poll() is None, f"{command} has ended"
                self._mpd.mpc("sendmessage", "anagnorisis", "rate 8")
            told = os.read(ours, 4096).decode().replace("\r", "")
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(90)
            os.close(ours)
        return subprocess.CompletedProcess(command, 0, told, "")


@contextmanager
def household() -> Iterator[Household]:
    """Set everything up, and clear it away at the end."""
    # Short, as it holds sockets.
    folder = Path(tempfile.mkdtemp(prefix="home"))
    try:
        _move_in(folder)
        with (
            running(folder) as mpd,
            running_daemon(folder / "daemon", folder / "music", mpd.socket, SETTINGS) as daemon,
        ):
            (folder / ".config/anagnorisis").mkdir(parents=True)
            (folder / ".config/anagnorisis/config.yaml").symlink_to(daemon.home / "config.yaml")
            (folder / "runtime/anagnorisis").mkdir(parents=True)
            (folder / "runtime/anagnorisis/anagnorisisd.sock").symlink_to(daemon.socket)
            _teach(daemon)
            mpd.mpc("add", EXAMPLES[0])
            mpd.mpc("play")
            daemon.until(lambda: len(daemon.status().upcoming_picks) == 3)
            mpd.mpc("pause")
            made = Household(folder, mpd, daemon)
            made.type("anagnorisis export saved.jsonl")
            yield made
    finally:
        shutil.rmtree(folder)


def _move_in(folder: Path) -> None:
    """Let the folder look like a clone of the project, with music and a desktop beside it."""
    for item in (*ROOT.iterdir(), Path(sys.prefix)):
        if item.name not in {".git", ".run", ".config"} and not (folder / item.name).exists():
            (folder / item.name).symlink_to(item)
    for song in _music():
        path = folder / "music" / song.path
        path.parent.mkdir(parents=True, exist_ok=True)
        encode(song, path)
    for uri, song in zip(EXAMPLES, _spare(), strict=True):
        path = folder / "music" / uri
        path.parent.mkdir(parents=True, exist_ok=True)
        encode(song, path)
    (folder / "bin").mkdir()
    menu = folder / "bin" / "rofi"
    menu.write_text("#!/bin/sh\necho 8\n")
    menu.chmod(0o755)


def _music() -> list[Song]:
    return [song for song in songs() if song.number <= TITLES_OF_EACH_ARTIST]


def _spare() -> list[Song]:
    """Return songs that are not of the music yet, in a format that the documents name."""
    spare = [song for song in songs() if song.number > TITLES_OF_EACH_ARTIST]
    return [song for song in spare if song.artist.extension == "flac"][: len(EXAMPLES)]


def _teach(daemon: RunningDaemon) -> None:
    """Rate most tracks by a taste that can be learnt, and have that learnt twice."""
    daemon.until(lambda: daemon.status().library.embedded == len(_music()) + len(EXAMPLES))
    for song in _music()[: -len(EXAMPLES)]:
        value = (8 if song.artist.genre in LIKED else 2) + song.number % 2
        target = Target(uri=str(song.path))
        daemon.rating.RateTrack(rating_pb2.RateTrackRequest(target=target, rating=value))
    for _ in range(2):
        list(daemon.evaluator.TrainEvaluator(evaluator_pb2.TrainEvaluatorRequest()))
