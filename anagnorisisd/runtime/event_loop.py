"""The event loop of the daemon: running it, ending it despite blocked threads, uncancelled steps.

A stalled network share can block a thread that accesses it for hours, and Python waits for its
threads at exit. So blocking calls run in an executor that is not waited for.
"""

import asyncio
import os
import sys
import threading
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

EXIT_TIMEOUT_SECONDS = 5.0
"""How long a thread may take at exit to finish its work, such as writing a tag."""

THREAD_NAME_PREFIX = "blocking"

Result = TypeVar("Result")

_running: set[asyncio.Task[Any]] = set()


class BlockingExecutor(ThreadPoolExecutor):
    """An executor for blocking calls, whose shutdown does not wait for its `threads`."""

    def __init__(self, threads: int | None = None) -> None:
        super().__init__(threads, thread_name_prefix=THREAD_NAME_PREFIX)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Accept no more calls, and drop those that have not started."""
        super().shutdown(wait=False, cancel_futures=True)


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run `main` like `asyncio.run`, but without waiting for blocked threads at the end."""

    async def with_executor() -> None:
        asyncio.get_running_loop().set_default_executor(BlockingExecutor())
        await main

    asyncio.run(with_executor())


def exit_if_blocked(exit_code: int) -> None:
    """End the process if a thread of `run` is still blocked after a while; else return."""
    deadline = time.monotonic() + EXIT_TIMEOUT_SECONDS
    for thread in threading.enumerate():
        if thread.name.startswith(THREAD_NAME_PREFIX):
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(exit_code)


async def run_to_completion(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Await `coroutine`, which runs to its end even if the caller is cancelled.

    `CancelledError` propagates afterwards. For steps of which all or none must be done, such as a
    change at MPD and in the database, or a rating and its event.
    """
    task = asyncio.ensure_future(coroutine)
    _running.add(task)
    task.add_done_callback(_remove)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


async def all_completed() -> None:
    """Wait for all coroutines of `run_to_completion`; their exceptions are ignored."""
    await asyncio.gather(*_running, return_exceptions=True)


def _remove(task: asyncio.Task[Any]) -> None:
    _running.discard(task)
    if not task.cancelled():
        task.exception()  # asyncio warns of an exception that is never retrieved.
