"""A pool of worker processes for heavy or risky work.

Each worker is an executor with a single process, so that a crash or a timeout always concerns
exactly one task. Workers are started on demand and stopped when idle.

| event                                  | consequence                                          |
|----------------------------------------|------------------------------------------------------|
| the target raises an exception         | `run` raises the same; the worker is kept            |
| the result is of another type          | as if the worker had died                            |
| the worker dies or exceeds its timeout | `run` raises `WorkerDied` or `WorkerHung`; the next  |
|                                        | task gets a new worker                               |
| a task exceeds its CPU time      | the kernel kills the worker                          |
| a task runs out of memory              | `run` raises `MemoryError`, or the worker dies; the  |
|                                        | next task gets a new worker, as this one may leak    |
| the computer runs out of memory        | the kernel kills a worker before the daemon          |
| `run` is cancelled                     | the worker is killed                                 |
| SIGINT or SIGTERM to the process group | ignored by the workers: the daemon stops them        |
| the daemon is killed                   | the kernel kills the workers                         |
"""

import asyncio
import math
import signal
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, Executor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from anagnorisisd.errors import WorkerDied, WorkerHung, WorkerLost
from anagnorisisd.runtime import memory_tuning
from anagnorisisd.workers.answer_decoding import converter
from anagnorisisd.workers.process_executor import ProcessExecutor
from anagnorisisd.workers.readable_paths import ReadablePaths
from anagnorisisd.workers.worker_main import call, call_with_limit

OVERDUE_SECONDS = 60.0
"""How long after its timeout a task is overdue; less may be due to swapping."""

EXIT_TIMEOUT_SECONDS = 5.0
"""How long to wait for a killed worker: one that reads from a stalled network share cannot die."""


@dataclass(frozen=True, slots=True)
class _Task:
    target: str
    args: tuple[Any, ...]
    result_type: Any
    timeout_seconds: float | None
    cpu_seconds: float | None


class WorkerPool:
    """Up to `size` worker processes that run functions given by name.

    `memory_bytes` limits the private memory of a worker, libraries included. `readable_paths` are
    the paths that workers may access; without them workers are not confined. `executors` creates
    the executor of one worker; any `concurrent.futures.Executor` can be used.
    """

    def __init__(
        self,
        *,
        name: str,
        size: int,
        idle_seconds: float,
        threads: int = 1,
        memory_bytes: int | None = None,
        readable_paths: ReadablePaths | None = None,
        executors: Callable[[], Executor] | None = None,
    ) -> None:
        self.name = name
        self.size = size
        self._idle_seconds = idle_seconds
        self._readable_paths = readable_paths
        self._executors = executors or (
            lambda: ProcessExecutor(
                threads, memory_bytes, readable_paths.confinement if readable_paths else None
            )
        )
        self._slots = asyncio.Semaphore(size)
        self._idle: dict[Executor, asyncio.TimerHandle] = {}
        """Idle workers with the timer that stops them."""
        self._busy: dict[Executor, float] = {}
        """Busy workers with the deadline of their task, in the event loop's time."""
        self._closed = False

    async def run(
        self,
        target: str,
        *args: Any,
        timeout_seconds: float | None = None,
        cpu_seconds: float | None = None,
        result_type: Any = None,
        reads: Sequence[str] = (),
    ) -> Any:
        """Return the result of the function `target` ("package.module:function").

        Waits for a free worker first; `timeout_seconds` counts from then on and includes the start
        of a process. `cpu_seconds` limits the CPU time of the task, all threads
        together. Arguments must be picklable. The result is converted to `result_type`, a type that
        `answer_decoding.converter` supports; without one it consists of plain values. `reads`
        lists the files of the music directory that the task reads.

        Raises:
            WorkerDied: the worker died.
            WorkerHung: the task exceeded `timeout_seconds`.
            WorkerLost: the pool was closed.
            Exception: the exception that the target raised.
        """
        if self._readable_paths is not None and reads:
            await self._readable_paths.include(reads)
        task = _Task(target, args, result_type, timeout_seconds, cpu_seconds)
        async with self._slots:
            executor, future = self._submit(task)
            process = executor.process if isinstance(executor, ProcessExecutor) else None
            try:
                await asyncio.wait({future}, timeout=timeout_seconds)
                if not future.done():
                    raise WorkerHung(f"gave up after {timeout_seconds:g} seconds")
                error = future.exception()
            except BaseException:
                future.cancel()
                self._discard(executor)
                raise
            if isinstance(error, BrokenExecutor | MemoryError):
                self._discard(executor)
            else:
                self._keep(executor)
            if isinstance(error, BrokenExecutor):
                if process is not None:
                    await asyncio.to_thread(_wait_for_exit, process)
                    if process.returncode == -signal.SIGXCPU:
                        raise WorkerDied("took too much CPU time")
                raise WorkerDied(f"the {self.name} worker {error}")
            return future.result()

    def has_overdue_task(self) -> bool:
        """Return whether a task is still running long after `run` should have ended it."""
        now = asyncio.get_running_loop().time()
        return any(now > deadline + OVERDUE_SECONDS for deadline in self._busy.values())

    async def close(self) -> None:
        """Kill all workers and wait until they are gone, but not for ever."""
        self._closed = True
        executors = [*self._busy, *self._idle]
        for executor in executors:
            self._discard(executor)
        for executor in executors:
            if isinstance(executor, ProcessExecutor) and executor.process is not None:
                await asyncio.to_thread(_wait_for_exit, executor.process)

    def _submit(self, task: _Task) -> tuple[Executor, asyncio.Future[Any]]:
        # Processes are started in the event loop's thread: the kernel sends the parent-death signal
        # when the *thread* ends that started them, and threads of executors may end at any time.
        if self._closed:
            raise WorkerLost(f"the {self.name} workers are being stopped")
        while self._idle:
            executor, timer = self._idle.popitem()
            timer.cancel()
            if self._is_outdated(executor):
                executor.shutdown(wait=False)
                continue
            with suppress(BrokenExecutor):  # it died while idle, which is not this task's fault
                return executor, self._submit_to(executor, task)
            self._discard(executor)
        executor = self._executors()
        return executor, self._submit_to(executor, task)

    def _submit_to(self, executor: Executor, task: _Task) -> asyncio.Future[Any]:
        function: tuple[Any, ...] = (call, task.target, task.args)
        if isinstance(executor, ProcessExecutor):
            if task.cpu_seconds is not None:
                function = (call_with_limit, task.cpu_seconds, task.target, task.args)
            convert = None if task.result_type is None else converter(task.result_type)
            future = executor.submit_with_converter(convert, *function)
        else:
            future = executor.submit(*function)
        now = asyncio.get_running_loop().time()
        seconds = task.timeout_seconds
        self._busy[executor] = math.inf if seconds is None else now + seconds
        return asyncio.wrap_future(future)

    def _is_outdated(self, executor: Executor) -> bool:
        """Return whether a worker lacks access to directories that became readable later."""
        if self._readable_paths is None or not isinstance(executor, ProcessExecutor):
            return False
        return executor.confinement != self._readable_paths.confinement

    def _keep(self, executor: Executor) -> None:
        """Keep a worker for the next task, until it was idle for too long."""
        self._busy.pop(executor, None)
        if self._closed:
            return
        loop = asyncio.get_running_loop()
        self._idle[executor] = loop.call_later(self._idle_seconds, self._stop, executor)

    def _stop(self, executor: Executor) -> None:
        del self._idle[executor]
        executor.shutdown(wait=False)
        # Arguments and results of heavy tasks passed through this process.
        memory_tuning.release_free_memory()

    def _discard(self, executor: Executor) -> None:
        """Kill a worker at once."""
        self._busy.pop(executor, None)
        if timer := self._idle.pop(executor, None):
            timer.cancel()
        if isinstance(executor, ProcessExecutor):
            executor.kill()
        else:
            executor.shutdown(wait=False, cancel_futures=True)


def _wait_for_exit(process: "subprocess.Popen[bytes]") -> None:
    with suppress(subprocess.TimeoutExpired):
        process.wait(EXIT_TIMEOUT_SECONDS)
