"""A worker process: what it does from its start to its end. Imported there, and light.

It reads jobs from one pipe and writes answers to another. Jobs come from the daemon, which it
trusts, as pickles; answers go as checked bytes, since nobody trusts a process that reads foreign
files. The end of the first pipe ends it.
"""

import ctypes
import importlib
import math
import os
import pickle
import resource
import signal
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import psutil
from threadpoolctl import threadpool_limits

from anagnorisisd.workers import processor_time
from anagnorisisd.workers.answer_encoding import HEAD, encoded, encoded_error
from anagnorisisd.workers.confinement import Confinement, confine

NICENESS = 15
PR_SET_PDEATHSIG = 1
OOM_SCORE = Path("/proc/self/oom_score_adj")
RATHER_THAN_THE_PARENT = 500
"""Of -1000 to 1000: how much rather the kernel ends a worker when memory is short."""

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)


@dataclass(frozen=True, slots=True)
class Manners:
    """How a worker is to behave; `memory_bytes` is what it may hold of its own."""

    parent: int
    threads: int
    memory_bytes: int | None
    confinement: Confinement | None = None


def main(jobs: int, replies: int) -> None:
    """Do jobs until there are no more; the arguments are file descriptors."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with os.fdopen(jobs, "rb") as reading, os.fdopen(replies, "wb") as writing:
        manners = read_frame(reading)
        if manners is None:
            return
        _settle_in(pickle.loads(manners))  # noqa: S301 - the daemon wrote it
        while (job := read_frame(reading)) is not None:
            write_frame(writing, _answer(job))
            del job


def read_frame(file: BinaryIO, largest_bytes: int | None = None) -> bytes | None:
    """Return the next frame; `None` at the end.

    Raises:
        ValueError: it is larger than it may be.
    """
    head = file.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    (size,) = HEAD.unpack(head)
    if largest_bytes is not None and size > largest_bytes:
        raise ValueError(f"an answer of {size} bytes")
    content = file.read(size)
    return content if len(content) == size else None


def write_frame(file: BinaryIO, content: bytes) -> None:
    """Write a frame, whole."""
    file.write(HEAD.pack(len(content)))
    file.write(content)
    file.flush()


def _answer(job: bytes) -> bytes:
    try:
        function, arguments = pickle.loads(job)  # noqa: S301 - the daemon wrote it
        return encoded(function(*arguments))
    except Exception as error:
        return encoded_error(error)


def call(target: str, args: tuple[Any, ...]) -> Any:
    """Import and call `target`; runs in the worker."""
    module, _, name = target.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function(*args)


def call_within(processor_seconds: float, target: str, args: tuple[Any, ...]) -> Any:
    """Import and call `target`; after so much processor time the kernel ends this process."""
    processor_time.kill_after(processor_seconds)
    try:
        return call(target, args)
    finally:
        processor_time.kill_after(math.inf)


def _settle_in(manners: Manners) -> None:
    """Make this process a well-behaved worker; each step is best effort."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != manners.parent:  # it went before the kernel was told
        os._exit(1)
    limit_threads(manners.threads)
    with suppress(OSError):
        os.nice(NICENESS)
    with suppress(OSError):
        inherited = int(OOM_SCORE.read_text())
        OOM_SCORE.write_text(str(min(1000, inherited + RATHER_THAN_THE_PARENT)))
    if manners.memory_bytes is not None:
        with suppress(AttributeError, OSError, ValueError):
            # Not the address space: libraries reserve much more of that than they ever use.
            limit = (manners.memory_bytes, manners.memory_bytes)
            resource.setrlimit(resource.RLIMIT_DATA, limit)
    with suppress(AttributeError, OSError, psutil.Error):
        psutil.Process().ionice(psutil.IOPRIO_CLASS_IDLE)
    if manners.confinement is not None:
        confine(_with_scratch(manners.confinement))


def _with_scratch(confinement: Confinement) -> Confinement:
    """Let those who may write at all have their temporary files there; torch cannot do without."""
    if not confinement.writable:
        return confinement
    writable = [path for path in confinement.writable if os.access(path, os.W_OK | os.X_OK)]
    scratch = writable[0] if writable else _own_folder()
    if scratch is None:
        return confinement
    os.environ["TMPDIR"] = tempfile.tempdir = scratch
    return replace(confinement, writable=(*confinement.writable, scratch))


def _own_folder() -> str | None:
    """Return a folder for temporary files of this user's; `None` if there can be none."""
    folder = Path(tempfile.gettempdir(), f"anagnorisis-{os.getuid()}")
    with suppress(OSError):
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()  # somebody else may have made it
        if stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid():
            return str(folder)
    return None


def limit_threads(threads: int) -> None:
    """Let numerical libraries use so many threads in this process, whether loaded yet or not."""
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
    threadpool_limits(threads)
