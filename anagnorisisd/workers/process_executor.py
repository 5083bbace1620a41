"""An executor with a single worker process.

A thread of the daemon sends the process its jobs and reads the answers. It decodes them with
`answer_decoding`: nothing that a worker sends is unpickled.
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

from anagnorisisd.workers.answer_decoding import Converter, InvalidAnswer, decode
from anagnorisisd.workers.confinement import Confinement
from anagnorisisd.workers.worker_main import WorkerSettings, read_frame, write_frame

MAX_ANSWER_BYTES = 256 << 20

WORKER_CODE = (
    "import sys; sys.path[:] = {path!r}; "
    "from anagnorisisd.workers.worker_main import main; main({jobs}, {answers})"
)


@dataclass(frozen=True, slots=True)
class _Job:
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    convert: Converter | None
    future: Future[Any]


class ProcessExecutor(Executor):
    """Runs jobs one after another in a process of low priority, started with the first job."""

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
        """`None` ends the process."""
        self._wake_descriptor = -1
        self._lock = threading.Lock()
        self._ended = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Schedule `fn` to run in the process, which is started if there is none yet.

        Raises:
            BrokenExecutor: the process has ended.
        """
        return self.submit_with_converter(None, fn, *args, **kwargs)

    def submit_with_converter(
        self, convert: Converter | None, fn: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Future[Any]:
        """Do the same; `convert` checks the decoded result and converts it to its type."""
        assert not kwargs, "keyword arguments are not supported"
        with self._lock:
            if self._ended:
                raise BrokenExecutor("the process has ended")
            if self._process is None:
                self._start()
            future: Future[Any] = Future()
            future.set_running_or_notify_cancel()
            self._jobs.append(_Job(fn, args, convert, future))
            os.write(self._wake_descriptor, b"j")
            return future

    def kill(self) -> None:
        """Kill the process; a job that it is running fails with `BrokenExecutor`."""
        if self._process is not None:
            self._process.kill()
        self.shutdown(wait=False)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let the process exit after the jobs that were submitted."""
        with self._lock:
            if self._process is None or self._ended:
                self._ended = True
                return
            self._jobs.append(None)
            os.write(self._wake_descriptor, b"e")
        if wait:
            self._process.wait()

    @property
    def process(self) -> "subprocess.Popen[bytes] | None":
        """The process; `None` before the first job."""
        return self._process

    def _start(self) -> None:
        worker_jobs, jobs = os.pipe()
        answers, worker_answers = os.pipe()
        wake, self._wake_descriptor = os.pipe()
        # The worker inherits the signal mask: Ctrl-C during its start would print a traceback.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        try:
            # No fork: the threads of gRPC and watchdog may hold locks, which would be copied.
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    WORKER_CODE.format(path=sys.path, jobs=worker_jobs, answers=worker_answers),
                ],
                stdin=subprocess.DEVNULL,
                pass_fds=(worker_jobs, worker_answers),
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            os.close(worker_jobs)
            os.close(worker_answers)
        threading.Thread(
            target=self._run_jobs,
            args=(os.fdopen(jobs, "wb"), os.fdopen(answers, "rb"), wake),
            name="worker",
            daemon=True,
        ).start()

    def _run_jobs(self, jobs: BinaryIO, answers: BinaryIO, wake: int) -> None:
        """Send jobs and receive answers until the process has ended or shall end."""
        job: _Job | None = None
        with suppress(OSError, ValueError):
            settings = WorkerSettings(
                os.getpid(), self._threads, self._memory_bytes, self.confinement
            )
            write_frame(jobs, pickle.dumps(settings))
            while (job := self._next_job(answers, wake)) is not None:
                if not self._run_job(job, jobs, answers):
                    break
        with suppress(OSError):
            jobs.close()
        if job is not None:  # its answer was invalid or missing
            self._fail(job)
        self._clean_up(answers, wake)

    def _next_job(self, answers: BinaryIO, wake: int) -> _Job | None:
        """Wait for the next job; return `None` if the process has ended or shall end."""
        poll = select.poll()
        poll.register(answers.fileno(), select.POLLIN)
        poll.register(wake, select.POLLIN)
        while True:
            ready = {descriptor for descriptor, _ in poll.poll()}
            if answers.fileno() in ready:  # without a job there is no answer: it has ended
                return None
            os.read(wake, 1)
            return self._jobs.popleft()

    def _run_job(self, job: _Job, jobs: BinaryIO, answers: BinaryIO) -> bool:
        """Run a job; return whether the process can run another."""
        try:
            pickled = pickle.dumps((job.function, job.arguments), pickle.HIGHEST_PROTOCOL)
        except Exception as error:
            job.future.set_exception(error)
            return True
        write_frame(jobs, pickled)
        del pickled
        content = read_frame(answers, MAX_ANSWER_BYTES)
        if content is None:
            return False
        try:
            result = decode(content, job.convert)
        except InvalidAnswer as error:
            job.future.set_exception(BrokenExecutor(f"returned an invalid answer: {error}"))
            return False
        except Exception as error:
            job.future.set_exception(error)
        else:
            job.future.set_result(result)
        return True

    def _fail(self, job: _Job) -> None:
        if not job.future.done():
            job.future.set_exception(BrokenExecutor("died during this task"))
        if self._process is not None:
            self._process.kill()

    def _clean_up(self, answers: BinaryIO, wake: int) -> None:
        with self._lock:
            self._ended = True
            os.close(self._wake_descriptor)
        assert self._process is not None
        self._process.wait()
        for job in self._jobs:
            if job is not None:
                job.future.set_exception(BrokenExecutor("the process has ended"))
        answers.close()
        os.close(wake)
