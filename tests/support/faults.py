"""Real faults: small disks, where the one who runs the tests may mount any, and damage."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.support.daemon import ROOT, RunningDaemon


@contextmanager
def small_disk(at: Path, size: str) -> Iterator[Path]:
    """Mount a disk that holds no more than `size`, such as `4m`; skip the test if we may not."""
    at.mkdir(parents=True)
    mounted = _run("mount", "-t", "tmpfs", "-o", f"size={size},mode=0755", "tmpfs", str(at))
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
    try:
        yield at
    finally:
        _run("umount", "--lazy", str(at))


def make_read_only(disk: Path, read_only: bool) -> None:
    """Have a mounted disk refuse writing, or take it again."""
    done = _run("mount", "-o", f"remount,{'ro' if read_only else 'rw'}", str(disk))
    assert not done.returncode, done.stderr


def fill(disk: Path) -> Path:
    """Fill a disk to its last byte, and return the file that does it."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            while _written(file.fileno(), size):
                pass
    return filler


@contextmanager
def mounted(folder: Path, at: Path, options: str = "rw") -> Iterator[Callable[[], None]]:
    """Mount a folder at another place, and yield what unmounts it; skip the test if we may not."""
    at.mkdir(parents=True, exist_ok=True)
    done = _run("mount", "--bind", str(folder), str(at))
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    _run("mount", "-o", f"remount,{options},bind", str(at))
    try:
        yield lambda: _unmount(at)
    finally:
        _unmount(at)


def _unmount(at: Path) -> None:
    # Lazily: whoever still has something open there keeps it.
    _run("umount", "--lazy", str(at))


class Share:
    """A folder seen through a program, as a network share is: it can hang, die and come back."""

    def __init__(self, folder: Path, at: Path, *options: str) -> None:
        self._at = at
        self._command = ["bindfs", "-f", *options, str(folder), str(at)]
        self._program: subprocess.Popen[bytes] | None = None

    def come(self) -> None:
        """Start it, and wait until it is there."""
        self._at.mkdir(parents=True, exist_ok=True)
        self._program = subprocess.Popen(self._command, stderr=subprocess.DEVNULL)
        while not os.path.ismount(self._at):
            if self._program.poll() is not None:
                pytest.skip("bindfs cannot mount anything here")
            time.sleep(0.01)

    def hang(self) -> None:
        """Answer nobody from now on."""
        assert self._program is not None
        self._program.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Answer again, what was asked meanwhile too."""
        assert self._program is not None
        self._program.send_signal(signal.SIGCONT)

    def die(self) -> None:
        """Leave a mount behind that refuses everything."""
        assert self._program is not None
        self._program.kill()
        self._program.wait()

    def go(self) -> None:
        """End it, and unmount what is left."""
        self.die()
        _unmount(self._at)


@contextmanager
def shared(folder: Path, at: Path, *options: str) -> Iterator[Share]:
    """Share a folder at another place, with bindfs's options; skip the test if that cannot be."""
    if shutil.which("bindfs") is None:
        pytest.skip("bindfs is not installed, so there is no share that could hang")
    share = Share(folder, at, *options)
    share.come()
    try:
        yield share
    finally:
        share.go()


def damage_table(database: Path, table: str) -> None:
    """Overwrite the first page of a table."""
    with closing(sqlite3.connect(database)) as connection:
        query = "SELECT rootpage FROM sqlite_schema WHERE name = ?"
        (page,) = connection.execute(query, [table]).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with database.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)


def refused_start(home: Path, music: Path) -> str:
    """Start a daemon that cannot, and return what it says at this start."""
    log = home / "daemon.log"
    before = len(log.read_bytes()) if log.exists() else 0
    daemon = RunningDaemon(home, music, home / "no-mpd")
    try:
        assert daemon.process.wait(90) == 1
    finally:
        daemon.process.kill()
        daemon.channel.close()
    return log.read_bytes()[before:].decode()


def command(home: Path, *words: str, code: int = 0) -> str:
    """Run a command of the daemon's program over its configuration; return what it prints."""
    config = str(home / "config.yaml")
    done = subprocess.run(
        [sys.executable, "-m", "anagnorisisd", "--config", config, *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == code, done.stderr
    return done.stdout


def _written(descriptor: int, size: int) -> bool:
    try:
        return os.write(descriptor, bytes(size)) > 0
    except OSError:
        return False


def _run(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True, check=False)
