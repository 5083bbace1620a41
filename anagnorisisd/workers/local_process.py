"""An executor of one worker process, from the daemon's side.

A thread of its own hands the process its jobs and reads what it answers, which is checked there:
nothing that a worker sends is ever unpickled.
"""

import os
import pickle
import select
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, BinaryIO

from anagnorisisd.workers.answer_decoding import Check, Nonsense, decoded
from anagnorisisd.workers.confinement import Confinement
from anagnorisisd.workers.worker_process import Manners, read_frame, write_frame

LARGEST_ANSWER_BYTES = 256 << 20

START = (
    "import sys; sys.path[:] = {path!r}; "
    "from anagnorisisd.workers.worker_process import main; main({jobs}, {replies})"
)


@dataclass(frozen=True, slots=True)
class _Job:
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    check: Check | None
    future: Future[Any]


class LocalProcess(Executor):
    """One process, which leaves music playing and the machine usable; started when it is needed."""

    def __init__(
        self,
        threads: int = 1,
        memory_bytes: int | None = None,
        confinement: Confinement | None = None,
    ) -> None:
        self.confinement = confinement
        self._threads = threads
        self._memory_bytes = memory_bytes
        self._process: subprocess.Popen[bytes] | None = None
        self._jobs: deque[_Job | None] = deque()
        self._waker = -1
        self._lock = threading.Lock()
        self._ended = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Hand `fn` to the process, which is started now if there is none.

        Raises:
            BrokenExecutor: the process is there no more.
        """
        return self.submit_checked(None, fn, *args, **kwargs)

    def submit_checked(
        self, check: Check | None, fn: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Future[Any]:
        """Do the same, and have `check` make the result of what the process answers."""
        assert not kwargs, "no task has any"
        with self._lock:
            if self._ended:
                raise BrokenExecutor("the process has ended")
            if self._process is None:
                self._start()
            future: Future[Any] = Future()
            future.set_running_or_notify_cancel()
            self._jobs.append(_Job(fn, args, check, future))
            os.write(self._waker, b"j")
            return future

    def kill_workers(self) -> None:
        """End the process at once, whatever it is doing; its task ends as broken."""
        if self._process is not None:
            self._process.kill()
        self.shutdown(wait=False)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let the process end when it has done what it has."""
        with self._lock:
            if self._process is None or self._ended:
                self._ended = True
                return
            self._jobs.append(None)
            os.write(self._waker, b"e")
        if wait:
            self._process.wait()

    def processes(self) -> list[subprocess.Popen[bytes]]:
        """Return the process as a list, which is empty when there is none."""
        return [self._process] if self._process is not None else []

    def _start(self) -> None:
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        woken, self._waker = os.pipe()
        # A worker inherits the mask: Ctrl-C while it starts must not end it with a traceback.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        try:
            # Never fork: the daemon has threads (gRPC, watchdog) whose locks would be copied.
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    START.format(path=sys.path, jobs=theirs_in, replies=theirs_out),
                ],
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs_in, theirs_out),
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            os.close(theirs_in)
            os.close(theirs_out)
        threading.Thread(
            target=self._attend,
            args=(os.fdopen(ours_out, "wb"), os.fdopen(ours_in, "rb"), woken),
            name="worker",
            daemon=True,
        ).start()

    def _attend(self, to: BinaryIO, back: BinaryIO, woken: int) -> None:
        """Hand jobs over and their answers back, until the process or the wish for it ends."""
        current: _Job | None = None
        with suppress(OSError, ValueError):
            write_frame(to, pickle.dumps(self._manners()))
            while (current := self._next(back, woken)) is not None:
                if not self._done(current, to, back):
                    break
        with suppress(OSError):
            to.close()
        if current is not None:  # it answered nonsense, or nothing
            self._give_up(current)
        self._end(back, woken)

    def _manners(self) -> Manners:
        return Manners(os.getpid(), self._threads, self._memory_bytes, self.confinement)

    def _next(self, back: BinaryIO, woken: int) -> _Job | None:
        """Wait for a job; `None` if there will be none, or the process has ended."""
        poll = select.poll()
        poll.register(back.fileno(), select.POLLIN)
        poll.register(woken, select.POLLIN)
        while True:
            ready = {descriptor for descriptor, _ in poll.poll()}
            if back.fileno() in ready:  # without a job it has nothing to say: it has ended
                return None
            os.read(woken, 1)
            return self._jobs.popleft()

    def _done(self, job: _Job, to: BinaryIO, back: BinaryIO) -> bool:
        """Have a job done; return whether the process can do another."""
        try:
            packed = pickle.dumps((job.function, job.arguments), pickle.HIGHEST_PROTOCOL)
        except Exception as error:
            job.future.set_exception(error)
            return True
        write_frame(to, packed)
        del packed
        content = read_frame(back, LARGEST_ANSWER_BYTES)
        if content is None:
            return False
        try:
            result = decoded(content, job.check)
        except Nonsense as error:
            job.future.set_exception(BrokenExecutor(f"answered nonsense: {error}"))
            return False
        except Exception as error:
            job.future.set_exception(error)
        else:
            job.future.set_result(result)
        return True

    def _give_up(self, job: _Job) -> None:
        if not job.future.done():
            job.future.set_exception(BrokenExecutor("died during this task"))
        if self._process is not None:
            self._process.kill()

    def _end(self, back: BinaryIO, woken: int) -> None:
        with self._lock:
            self._ended = True
            os.close(self._waker)
        assert self._process is not None
        self._process.wait()
        for job in self._jobs:
            if job is not None:
                job.future.set_exception(BrokenExecutor("the process has ended"))
        back.close()
        os.close(woken)
