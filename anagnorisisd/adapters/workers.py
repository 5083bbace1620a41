"""Worker processes: heavy work runs there, at low priority, and never takes the daemon along.

Every place of the pool is an executor with a single process of its own, so that a crash or a
hang is always the fault of exactly one task. A place is filled when a task comes and emptied
when it was idle for a while. The parent starts, outlives and ends the workers:

| what happens                      | what follows                                       |
|-----------------------------------|----------------------------------------------------|
| the target raises                 | `run` raises the same; the worker stays            |
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
import ctypes
import importlib
import math
import multiprocessing
import os
import pickle
import resource
import signal
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil
from threadpoolctl import threadpool_limits

from anagnorisisd.adapters import memory, processor_time
from anagnorisisd.errors import WorkerDied, WorkerHung, WorkerLost

NICENESS = 15
PR_SET_PDEATHSIG = 1
OOM_SCORE = Path("/proc/self/oom_score_adj")
RATHER_THAN_THE_PARENT = 500
"""Of -1000 to 1000: how much rather the kernel ends a worker when memory is short."""

GRACE_SECONDS = 60.0
"""So long after its time a task may still be there: a machine that swaps is slow, not broken."""

GONE_SECONDS = 5.0
"""How long a killed worker is waited for: one that reads from a dead share cannot even die."""

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)


class LocalProcess(ProcessPoolExecutor):
    """An executor of one spawned process, which leaves music playing and the machine usable."""

    def __init__(self, threads: int = 1, memory_bytes: int | None = None) -> None:
        super().__init__(
            max_workers=1,
            # Never fork: the daemon has threads (gRPC, watchdog) whose locks would be copied.
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_settle_in,
            initargs=(os.getpid(), threads, memory_bytes),
        )

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Hand `fn` to the process, which is started now if there is none."""
        # A worker inherits the mask: Ctrl-C while it starts must not end it with a traceback.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        try:
            return super().submit(fn, *args, **kwargs)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def kill_workers(self) -> None:
        """End the process at once, whatever it is doing; its task ends as broken."""
        for process in self.processes():
            process.kill()
        self.shutdown(wait=False, cancel_futures=True)

    def processes(self) -> list[multiprocessing.Process]:
        """Return the process as a list, which is empty when there is none."""
        # Python 3.14 can kill workers by a public method; until then the attribute is the only way.
        return list((self._processes or {}).values())


class WorkerPool:
    """Up to `size` worker processes that run functions named by strings.

    `memory_bytes` is what one worker may hold of its own, libraries included. `executors` makes the
    executor of one place; anything that is a `concurrent.futures.Executor` will do.
    """

    def __init__(
        self,
        *,
        name: str,
        size: int,
        idle_seconds: float,
        threads: int = 1,
        memory_bytes: int | None = None,
        executors: Callable[[], Executor] | None = None,
    ) -> None:
        self.name = name
        self.size = size
        self._idle_seconds = idle_seconds
        self._executors = executors or partial(LocalProcess, threads, memory_bytes)
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
    ) -> Any:
        """Return what the function `target` ("package.module:function") makes of `args`.

        Waits for a free place first; `timeout_seconds` counts from then on, the start of a
        worker included. `processor_seconds` is the processor time that the task may use, all
        threads together; the kernel ends a worker process that uses more. Arguments and result
        must be picklable.

        Raises:
            WorkerDied: the worker died.
            WorkerHung: it took too long.
            WorkerLost: the pool was closed.
            Exception: whatever the target raised.
        """
        async with self._places:
            executor, answer = self._begin(target, args, timeout_seconds, processor_seconds)
            processes = executor.processes() if isinstance(executor, LocalProcess) else []
            try:
                await asyncio.wait({answer}, timeout=timeout_seconds)
                if not answer.done():
                    raise WorkerHung(f"gave up after {timeout_seconds:g} seconds")
                error = answer.exception()
            except BaseException:
                answer.cancel()
                self._abandon(executor)
                raise
            if isinstance(error, BrokenExecutor | MemoryError):
                self._abandon(executor)
            else:
                self._rest(executor)
            if isinstance(error, BrokenExecutor):
                for process in processes:
                    await asyncio.to_thread(process.join, GONE_SECONDS)
                    if process.exitcode == -signal.SIGXCPU:
                        raise WorkerDied("took too much processor time")
                raise WorkerDied(f"the {self.name} worker died during this task")
            return answer.result()

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
            await asyncio.to_thread(process.join, GONE_SECONDS)

    def _begin(
        self,
        target: str,
        args: tuple[Any, ...],
        seconds: float | None,
        processor_seconds: float | None,
    ) -> tuple[Executor, asyncio.Future[Any]]:
        # The loop's own thread starts the processes: the kernel's parent-death signal is sent
        # when the starting *thread* ends, and a helper thread may end at any time.
        if self._closed:
            raise WorkerLost(f"the {self.name} workers are being stopped")
        while self._resting:
            executor, timer = self._resting.popitem()
            timer.cancel()
            with suppress(BrokenExecutor):  # it died while idle: that is no task's fault
                return self._submit(executor, target, args, seconds, processor_seconds)
            self._abandon(executor)
        return self._submit(self._executors(), target, args, seconds, processor_seconds)

    def _submit(
        self,
        executor: Executor,
        target: str,
        args: tuple[Any, ...],
        seconds: float | None,
        processor_seconds: float | None,
    ) -> tuple[Executor, asyncio.Future[Any]]:
        if processor_seconds is not None and isinstance(executor, LocalProcess):
            future = executor.submit(call_within, processor_seconds, target, args)
        else:
            future = executor.submit(call, target, args)
        answer = asyncio.wrap_future(future)
        now = asyncio.get_running_loop().time()
        self._working[executor] = math.inf if seconds is None else now + seconds
        return executor, answer

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
        memory.give_back()

    def _abandon(self, executor: Executor) -> None:
        self._working.pop(executor, None)
        if timer := self._resting.pop(executor, None):
            timer.cancel()
        if isinstance(executor, LocalProcess):
            executor.kill_workers()
        else:
            executor.shutdown(wait=False, cancel_futures=True)


def call(target: str, args: tuple[Any, ...]) -> Any:
    """Import and call `target`; runs in the worker."""
    module, _, function = target.partition(":")
    try:
        return getattr(importlib.import_module(module), function)(*args)
    except Exception as error:
        if _survives_pickling(error):
            raise
        raise RuntimeError(f"{type(error).__name__}: {error}") from None


def call_within(processor_seconds: float, target: str, args: tuple[Any, ...]) -> Any:
    """Import and call `target`; after so much processor time the kernel ends this process."""
    processor_time.kill_after(processor_seconds)
    try:
        return call(target, args)
    finally:
        processor_time.kill_after(math.inf)


def _survives_pickling(error: Exception) -> bool:
    """Say whether the parent can be told: an error that it cannot read would break the pool."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - made one call earlier, here
    except Exception:
        return False
    return True


def _settle_in(parent: int, threads: int, memory_bytes: int | None) -> None:
    """Make this process a well-behaved worker of `parent`; each step is best effort."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it went before the kernel was told
        os._exit(1)
    limit_threads(threads)
    with suppress(OSError):
        os.nice(NICENESS)
    with suppress(OSError):
        inherited = int(OOM_SCORE.read_text())
        OOM_SCORE.write_text(str(min(1000, inherited + RATHER_THAN_THE_PARENT)))
    if memory_bytes is not None:
        with suppress(AttributeError, OSError, ValueError):
            # Not the address space: libraries reserve much more of that than they ever use.
            resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    with suppress(AttributeError, OSError, psutil.Error):
        psutil.Process().ionice(psutil.IOPRIO_CLASS_IDLE)


def limit_threads(threads: int) -> None:
    """Let numerical libraries use so many threads in this process, whether loaded yet or not."""
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
    threadpool_limits(threads)
