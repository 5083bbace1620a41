"""What the tests let worker processes do."""

import ctypes
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import psutil

from anagnorisisd.errors import EmbeddingFailed


class Stubborn(Exception):
    """Cannot be unpickled: its arguments are not those of its constructor."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} and {second}")


def add(one: int, other: int) -> int:
    return one + other


def pid() -> int:
    return os.getpid()


def fail() -> None:
    raise EmbeddingFailed("no sound in it", permanent=True)


def fail_stubbornly() -> None:
    raise Stubborn("one", "two")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def crash() -> None:
    ctypes.string_at(0)


def hang(started: str) -> None:
    Path(started).write_text(str(os.getpid()))
    while True:
        time.sleep(60)


def die_once(marker: str) -> str:
    """Die at the first call, answer at the second."""
    path = Path(marker)
    if not path.exists():
        path.touch()
        die()
    return "alive"


def manners() -> dict[str, Any]:
    process = psutil.Process()
    return {
        "nice": process.nice(),
        "io": process.ionice().ioclass,
        "interrupt": signal.getsignal(signal.SIGINT),
        "threads": os.environ["OMP_NUM_THREADS"],
        "heavy": sorted({"torch", "librosa"} & set(sys.modules)),
    }
