"""Limits on the memory and the CPU time of a worker process.

Wall-clock time is no measure for a process of the lowest priority: on a busy machine it passes
while the process does not run. CPU time counts only its own work.

`limit_cpu_time` raises an exception in Python code. Code of a C library that does not return
to Python is not interrupted; the kernel kills the process a few seconds later (`RLIMIT_CPU`).
"""

import math
import resource
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

REPEAT_SECONDS = 0.5
"""Interval at which the exception is raised again, in case something caught and dropped it."""

KILL_GRACE_SECONDS = 5.0
"""How long after the exception the kernel kills the process."""

_active = False
"""Whether a limit is in force."""


class CpuTimeExceeded(BaseException):
    """The work used all its CPU time.

    Not an `Exception`: parsers of damaged files catch those and continue.
    """


def limit_memory(size: int) -> None:
    """Let the process allocate at most `size` bytes, where the system can limit that."""
    # Not the address space: libraries reserve far more than they use.
    with suppress(AttributeError, OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, (size, size))


@contextmanager
def limit_cpu_time(seconds: float) -> Iterator[None]:
    """Limit the CPU time of the `with` body, all threads of the process together.

    Does nothing outside the main thread, as signals interrupt only that one. Limits do not nest.

    Raises:
        CpuTimeExceeded: the body used more.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    global _active  # noqa: PLW0603 - a process has one timer
    # The handler stays installed: by default a signal that arrives late would kill the process.
    signal.signal(signal.SIGPROF, _on_expiry)
    _active = True
    kill_after(seconds + KILL_GRACE_SECONDS)
    signal.setitimer(signal.ITIMER_PROF, seconds, REPEAT_SECONDS)
    try:
        yield
    finally:
        _active = False  # first: an exception raised in here would leave the limits in force
        signal.setitimer(signal.ITIMER_PROF, 0)
        kill_after(math.inf)


def kill_after(seconds: float) -> None:
    """Have the kernel kill this process after more CPU time; `inf` removes the limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = hard
    if seconds < math.inf:
        soft = math.ceil(time.process_time() + seconds)
        soft = soft if hard == resource.RLIM_INFINITY else min(soft, hard)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))
        # The limit's signal, SIGXCPU, would otherwise write a core dump.
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def _on_expiry(_signal: int, _frame: FrameType | None) -> None:
    if _active:
        raise CpuTimeExceeded
