"""The main loop of a worker process. Imports little, as small workers stay small.

The worker reads jobs from one pipe and writes answers to another, each as a length and that many
bytes. Jobs are pickles, since the daemon that sends them is trusted. Answers are encoded by
`answer_encoding`, since the worker, which reads untrusted files, is not. The worker exits when the
first pipe is closed.
"""

import ctypes
import importlib
import math
import os
import pickle
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

from anagnorisisd.workers import resource_limits
from anagnorisisd.workers.answer_encoding import LENGTH, encode, encode_error
from anagnorisisd.workers.confinement import Confinement, confine

NICENESS = 15
PR_SET_PDEATHSIG = 1
OOM_SCORE_ADJ = Path("/proc/self/oom_score_adj")
OOM_SCORE_INCREASE = 500
"""Of -1000 to 1000: when memory is short, the kernel kills a worker rather than the daemon."""

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """What a worker applies to itself; `memory_bytes` limits its private memory (`RLIMIT_DATA`)."""

    parent_pid: int
    threads: int
    memory_bytes: int | None
    confinement: Confinement | None = None


def main(job_descriptor: int, answer_descriptor: int) -> None:
    """Run jobs until the pipe of jobs is closed."""
    # Ctrl-C reaches the whole process group; the daemon decides when its workers end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with os.fdopen(job_descriptor, "rb") as jobs, os.fdopen(answer_descriptor, "wb") as answers:
        settings = read_frame(jobs)
        if settings is None:
            return
        _apply(pickle.loads(settings))  # noqa: S301 - from the daemon
        while (job := read_frame(jobs)) is not None:
            write_frame(answers, _run(job))
            del job


def read_frame(file: BinaryIO, max_bytes: int | None = None) -> bytes | None:
    """Return the content of the next frame; `None` at the end of the file.

    Raises:
        ValueError: the content is larger than `max_bytes`.
    """
    head = file.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (size,) = LENGTH.unpack(head)
    if max_bytes is not None and size > max_bytes:
        raise ValueError(f"a frame of {size} bytes")
    content = file.read(size)
    return content if len(content) == size else None


def write_frame(file: BinaryIO, content: bytes) -> None:
    """Write a frame and flush the file."""
    file.write(LENGTH.pack(len(content)))
    file.write(content)
    file.flush()


def _run(job: bytes) -> bytes:
    try:
        function, arguments = pickle.loads(job)  # noqa: S301 - from the daemon
        return encode(function(*arguments))
    except Exception as error:
        return encode_error(error)


def call(target: str, args: tuple[Any, ...]) -> Any:
    """Import the function `target` ("package.module:function") and call it."""
    module, _, name = target.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function(*args)


def call_with_limit(cpu_seconds: float, target: str, args: tuple[Any, ...]) -> Any:
    """Do the same; the kernel kills this process if it uses more CPU time."""
    resource_limits.kill_after(cpu_seconds)
    try:
        return call(target, args)
    finally:
        resource_limits.kill_after(math.inf)


def _apply(settings: WorkerSettings) -> None:
    """Apply priority, limits and confinement to this process, each as far as it is supported."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != settings.parent_pid:  # it died before the call above
        os._exit(1)
    limit_threads(settings.threads)
    with suppress(OSError):
        os.nice(NICENESS)
    with suppress(OSError):
        inherited = int(OOM_SCORE_ADJ.read_text())
        OOM_SCORE_ADJ.write_text(str(min(1000, inherited + OOM_SCORE_INCREASE)))
    if settings.memory_bytes is not None:
        resource_limits.limit_memory(settings.memory_bytes)
    with suppress(AttributeError, OSError, psutil.Error):
        psutil.Process().ionice(psutil.IOPRIO_CLASS_IDLE)
    if settings.confinement is not None:
        confine(_with_temporary_directory(settings.confinement))


def _with_temporary_directory(confinement: Confinement) -> Confinement:
    """Add a writable temporary directory, which torch needs, if anything is writable at all."""
    if not confinement.writable:
        return confinement
    writable = [path for path in confinement.writable if os.access(path, os.W_OK | os.X_OK)]
    directory = writable[0] if writable else _private_temporary_directory()
    if directory is None:
        return confinement
    os.environ["TMPDIR"] = tempfile.tempdir = directory
    return replace(confinement, writable=(*confinement.writable, directory))


def _private_temporary_directory() -> str | None:
    """Return a temporary directory that belongs to this user; `None` if there can be none."""
    directory = Path(tempfile.gettempdir(), f"anagnorisis-{os.getuid()}")
    with suppress(OSError):
        directory.mkdir(mode=0o700, exist_ok=True)
        status = directory.lstat()  # another user may have created it
        if stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid():
            return str(directory)
    return None


def limit_threads(threads: int) -> None:
    """Limit the threads of numerical libraries, those loaded already and those loaded later."""
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
    threadpool_limits(threads)
