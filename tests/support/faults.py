"""Real faults: small disks, where the one who runs the tests may mount any, and damage."""

import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest


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


def damage_table(database: Path, table: str) -> None:
    """Overwrite the first page of a table."""
    with closing(sqlite3.connect(database)) as connection:
        query = "SELECT rootpage FROM sqlite_schema WHERE name = ?"
        (page,) = connection.execute(query, [table]).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with database.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)


def _written(descriptor: int, size: int) -> bool:
    try:
        return os.write(descriptor, bytes(size)) > 0
    except OSError:
        return False


def _run(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True, check=False)
