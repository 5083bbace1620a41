"""Worker processes: heavy work runs there, at low priority, and never takes the daemon along.

Every place of the pool is an executor with a single process of its own, so that a crash or a
hang is always the fault of exactly one task. A place is filled when a task comes and emptied
when it was idle for a while. The parent starts, outlives and ends the workers:

| what happens                      | what follows                                       |
|-----------------------------------|----------------------------------------------------|
| the target raises                 | `run` raises the same; the worker stays            |
| it answers what it was not asked for | as if it had died                                |
| the worker dies, or takes too long | `run` raises `WorkerDied` or `WorkerHung`; the next task |
|                                   | gets a new worker                                  |
| a task uses too much processor time | the kernel ends the worker, if it has such a limit |
| a task wants too much memory      | `run` raises `MemoryError`, or the worker dies; as it may be |
|                                   | one that leaks, the next task gets a new worker    |
| the computer runs out of memory   | the kernel ends a worker first, not the daemon     |
| `run` is cancelled                | the worker is killed, the work is dropped          |
| SIGINT or SIGTERM to the group    | ignored by the workers: the parent decides         |
| the parent is killed              | the kernel kills the workers                       |
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
from anagnorisisd.runtime import malloc_tuning
from anagnorisisd.workers.answer_decoding import checker
from anagnorisisd.workers.local_process import LocalProcess
from anagnorisisd.workers.readable_paths import ReadablePaths
from anagnorisisd.workers.worker_process import call, call_within

GRACE_SECONDS = 60.0
"""So long after its time a task may still be there: a machine that swaps is slow, not broken."""

GONE_SECONDS = 5.0
"""How long a killed worker is waited for: one that reads from a dead share cannot even die."""


@dataclass(frozen=True, slots=True)
class _Task:
    target: str
    args: tuple[Any, ...]
    answer: Any
    timeout_seconds: float | None
    processor_seconds: float | None


class WorkerPool:
    """Up to `size` worker processes that run functions named by strings.

    `memory_bytes` is what one worker may hold of its own, libraries included. `reach` says where
    workers may read and write, where they are confined. `executors` makes the executor of one
    place; anything that is a `concurrent.futures.Executor` will do.
    """

    def __init__(
        self,
        *,
        name: str,
        size: int,
        idle_seconds: float,
        threads: int = 1,
        memory_bytes: int | None = None,
        reach: ReadablePaths | None = None,
        executors: Callable[[], Executor] | None = None,
    ) -> None:
        self.name = name
        self.size = size
        self._idle_seconds = idle_seconds
        self._reach = reach
        self._executors = executors or (
            lambda: LocalProcess(threads, memory_bytes, reach.confinement if reach else None)
        )
        self._places = asyncio.Semaphore(size)
        self._resting: dict[Executor, asyncio.TimerHandle] = {}
        self._working: dict[Executor, float] = {}
        """Until when each may work, in the loop's time."""
        self._closed = False

    async def run(
        self,
        target: str,
        *args: Any,
        timeout_seconds: float | None = None,
        processor_seconds: float | None = None,
        answer: Any = None,
        reads: Sequence[str] = (),
    ) -> Any:
        """Return what the function `target` ("package.module:function") makes of `args`.

        Waits for a free place first; `timeout_seconds` counts from then on, the start of a
        worker included. `processor_seconds` is the processor time that the task may use, all
        threads together; the kernel ends a worker process that uses more. Arguments must be
        picklable. The result is of the type `answer`, which `answer_decoding.checker` knows;
        without one it is plain values. `reads` names the files of the music folder that it reads.

        Raises:
            WorkerDied: the worker died.
            WorkerHung: it took too long.
            WorkerLost: the pool was closed.
            Exception: whatever the target raised.
        """
        if self._reach is not None and reads:
            await self._reach.include(reads)
        task = _Task(target, args, answer, timeout_seconds, processor_seconds)
        async with self._places:
            executor, future = self._begin(task)
            processes = executor.processes() if isinstance(executor, LocalProcess) else []
            try:
                await asyncio.wait({future}, timeout=timeout_seconds)
                if not future.done():
                    raise WorkerHung(f"gave up after {timeout_seconds:g} seconds")
                error = future.exception()
            except BaseException:
                future.cancel()
                self._abandon(executor)
                raise
            if isinstance(error, BrokenExecutor | MemoryError):
                self._abandon(executor)
            else:
                self._rest(executor)
            if isinstance(error, BrokenExecutor):
                for process in processes:
                    await asyncio.to_thread(_wait, process)
                    if process.returncode == -signal.SIGXCPU:
                        raise WorkerDied("took too much processor time")
                raise WorkerDied(f"the {self.name} worker {error}")
            return future.result()

    def overdue(self) -> bool:
        """Say whether a task is still there long after `run` should have given it up."""
        now = asyncio.get_running_loop().time()
        return any(now > due + GRACE_SECONDS for due in self._working.values())

    async def close(self) -> None:
        """End all workers now, and wait a while until they are gone."""
        self._closed = True
        executors = [*self._working, *self._resting]
        local = [executor for executor in executors if isinstance(executor, LocalProcess)]
        processes = [process for executor in local for process in executor.processes()]
        for executor in executors:
            self._abandon(executor)
        for process in processes:
            await asyncio.to_thread(_wait, process)

    def _begin(self, task: _Task) -> tuple[Executor, asyncio.Future[Any]]:
        # The loop's own thread starts the processes: the kernel's parent-death signal is sent
        # when the starting *thread* ends, and a helper thread may end at any time.
        if self._closed:
            raise WorkerLost(f"the {self.name} workers are being stopped")
        while self._resting:
            executor, timer = self._resting.popitem()
            timer.cancel()
            if self._is_outdated(executor):
                executor.shutdown(wait=False)
                continue
            with suppress(BrokenExecutor):  # it died while idle: that is no task's fault
                return self._submit(executor, task)
            self._abandon(executor)
        return self._submit(self._executors(), task)

    def _submit(self, executor: Executor, task: _Task) -> tuple[Executor, asyncio.Future[Any]]:
        function: tuple[Any, ...] = (call, task.target, task.args)
        if isinstance(executor, LocalProcess):
            if task.processor_seconds is not None:
                function = (call_within, task.processor_seconds, task.target, task.args)
            check = None if task.answer is None else checker(task.answer)
            future = asyncio.wrap_future(executor.submit_checked(check, *function))
        else:
            future = asyncio.wrap_future(executor.submit(*function))
        now = asyncio.get_running_loop().time()
        seconds = task.timeout_seconds
        self._working[executor] = math.inf if seconds is None else now + seconds
        return executor, future

    def _is_outdated(self, executor: Executor) -> bool:
        """Say whether a worker may not read what has become music since it was started."""
        if self._reach is None or not isinstance(executor, LocalProcess):
            return False
        return executor.confinement != self._reach.confinement

    def _rest(self, executor: Executor) -> None:
        self._working.pop(executor, None)
        if self._closed:
            return
        loop = asyncio.get_running_loop()
        self._resting[executor] = loop.call_later(self._idle_seconds, self._leave, executor)

    def _leave(self, executor: Executor) -> None:
        del self._resting[executor]
        executor.shutdown(wait=False)
        # Heavy work is over; what passed through this process on the way is of no use any more.
        malloc_tuning.give_back()

    def _abandon(self, executor: Executor) -> None:
        self._working.pop(executor, None)
        if timer := self._resting.pop(executor, None):
            timer.cancel()
        if isinstance(executor, LocalProcess):
            executor.kill_workers()
        else:
            executor.shutdown(wait=False, cancel_futures=True)


def _wait(process: subprocess.Popen[bytes]) -> None:
    with suppress(subprocess.TimeoutExpired):
        process.wait(GONE_SECONDS)
