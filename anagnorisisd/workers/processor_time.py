"""Limits on the processor time of a piece of work, for worker processes.

Time on the clock says little in a process of the lowest priority: on a busy machine it passes while
nothing is done. Processor time is used by the work itself.

Code in Python is interrupted by an exception. Code of a library that never comes back to Python is
ended with its process by the kernel, somewhat later.
"""

import math
import resource
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

AGAIN_SECONDS = 0.5
"""The exception is raised again so soon, should something swallow it."""

GRACE_SECONDS = 5.0
"""How much longer the kernel waits for code that does not come back to Python."""


_active = False
"""Whether a limit is in force."""


class OutOfProcessorTime(BaseException):
    """The work took all the processor time it may have.

    No `Exception`: readers of damaged files catch those, and go on.
    """


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Let the body have so much processor time of this process.

    Does nothing in threads other than the main one, which cannot be interrupted. Limits do
    not nest.

    Raises:
        OutOfProcessorTime: it took more.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    global _active  # noqa: PLW0603 - one process has one timer
    # The handler stays installed: by default a signal that arrives late would kill the process.
    signal.signal(signal.SIGPROF, _on_expiry)
    _active = True
    kill_after(seconds + GRACE_SECONDS)
    signal.setitimer(signal.ITIMER_PROF, seconds, AGAIN_SECONDS)
    try:
        yield
    finally:
        _active = False  # first: an exception raised in here would leave the limits in force
        signal.setitimer(signal.ITIMER_PROF, 0)
        kill_after(math.inf)


def kill_after(seconds: float) -> None:
    """Have the kernel end this process after so much more processor time; `inf` takes it back."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = hard
    if seconds < math.inf:
        soft = math.ceil(time.process_time() + seconds)
        soft = soft if hard == resource.RLIM_INFINITY else min(soft, hard)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))
        # SIGXCPU, as the kernel ends it then, would write its memory to the disk.
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def _on_expiry(_signal: int, _frame: FrameType | None) -> None:
    if _active:
        raise OutOfProcessorTime
