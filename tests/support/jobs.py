"""Functions that tests run in worker processes."""

import ctypes
import errno
import fcntl
import os
import resource
import signal
import stat
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from anagnorisisd.domain.track import ScannedFile, Uri
from anagnorisisd.embedding.worker_embedder import SAMPLE
from anagnorisisd.errors import EmbedderUnusable, EmbeddingFailed
from anagnorisisd.library import media_file
from anagnorisisd.workers import resource_limits


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


def loop_in_a_library() -> None:
    """Never return to Python, where a signal could interrupt it."""
    sum(range(1 << 60))


def loop_in_python(seconds: float) -> str:
    """Loop until the limit, catching every exception as careless parsers do."""
    try:
        with resource_limits.limit_cpu_time(seconds):
            while True:
                with suppress(Exception):
                    sum(range(1000))
    except resource_limits.CpuTimeExceeded:
        return "interrupted"


def read_until_death(root: str, uris: list[Uri]) -> list[ScannedFile]:
    """Read as the library does, but die at files called fatal."""
    for uri in uris:
        if "fatal" in uri:
            die()
    return media_file.read_many(root, uris)


def process_settings() -> dict[str, Any]:
    process = psutil.Process()
    return {
        "nice": process.nice(),
        "io": process.ionice().ioclass,
        "interrupt": signal.getsignal(signal.SIGINT),
        "threads": os.environ["OMP_NUM_THREADS"],
        "heavy": sorted({"torch", "librosa"} & set(sys.modules)),
    }


def die_with(path: str) -> None:
    die()


def fail_with(path: str) -> None:
    fail()


def stumble(path: str) -> None:
    raise ZeroDivisionError("by nothing")


def stumble_over_some(path: str) -> list[float]:
    """Fail at every file but the daemon's own sample."""
    if Path(path) != SAMPLE:
        stumble(path)
    return [1.0, 2.0]


def lose_the_disk(path: str) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def miss(path: str) -> None:
    raise FileNotFoundError("gone")


def miss_a_library(path: str) -> None:
    """Look for a file that the program needs and does not find, whatever the track."""
    raise FileNotFoundError(errno.ENOENT, "No such file", "libsomething.so")


def be_unusable(path: str) -> None:
    raise EmbedderUnusable("weights are damaged")


def not_finite(path: str) -> list[float]:
    return [0.0, float("nan")]


def wrong_shape(path: str) -> list[float]:
    return [0.0]


def measure(path: str) -> list[float]:
    return [len(path), 1.0]


def double(values: list[float]) -> list[float]:
    return [2 * value for value in values]


def hoard(count: int) -> int:
    """Hold `count` bytes for a moment, and return how many they are."""
    return len(bytearray(count))


LEAKED: list[bytearray] = []


def leak(count: int) -> int:
    """Hold `count` more bytes for ever, and return how often that was done."""
    LEAKED.append(bytearray(count))
    return len(LEAKED)


def oom_score() -> int:
    """Return `oom_score_adj` of this process."""
    return int(Path("/proc/self/oom_score_adj").read_text())


def peak_growth_while_reading(path: str) -> int:
    """Read windows, and return by how many bytes the peak of this process has grown."""
    from anagnorisisd.embedding.decode import read_windows

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    read_windows(path, rate=22_050, seconds=1.0, count=2)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10


class Bomb:
    """Runs code where it is unpickled: makes a folder."""

    def __init__(self, victim: str) -> None:
        self.victim = victim

    def __reduce__(self) -> Any:
        return os.mkdir, (self.victim,)


def send_bytes(content: bytes) -> None:
    """Write `content` into the pipe of answers, as a compromised worker could."""
    replies = max(
        int(name)
        for name in os.listdir("/proc/self/fd")  # noqa: PTH208
        if _is_written_to(int(name))
    )
    os.write(replies, content)
    time.sleep(60)


def _is_written_to(descriptor: int) -> bool:
    try:
        flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
        return stat.S_ISFIFO(os.fstat(descriptor).st_mode) and bool(flags & os.O_WRONLY)
    except OSError:
        return False


def answer_strangely() -> object:
    """Return a value of an unsupported type."""
    return object()


def can_read(path: str) -> bool:
    try:
        Path(path).read_bytes()
    except OSError:
        return False
    return True


def can_write(path: str) -> bool:
    try:
        Path(path).write_bytes(b"?")
    except OSError:
        return False
    return True
