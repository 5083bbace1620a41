"""Running to the end, and leaving although a thread hangs.

A network share that has gone stale holds whoever asks for one of its files, for hours if need be,
and Python waits for its threads before it leaves. So blocking calls run in threads of our own
executor, whose end is waited for only for a while.
"""

import asyncio
import os
import sys
import threading
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

PATIENCE_SECONDS = 5.0
"""So long a thread may take to finish what it is doing, such as writing a tag."""

NAME = "blocking"


class _Threads(ThreadPoolExecutor):
    """The threads for blocking calls; shutting down does not wait for them."""

    def __init__(self) -> None:
        super().__init__(thread_name_prefix=NAME)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls, and forget those that have not begun."""
        super().shutdown(wait=False, cancel_futures=True)


def run(life: Coroutine[Any, Any, None]) -> None:
    """Run `life` as `asyncio.run` does, with threads that cannot keep it from ending."""

    async def with_threads() -> None:
        asyncio.get_running_loop().set_default_executor(_Threads())
        await life

    asyncio.run(with_threads())


def leave_if_held(code: int) -> None:
    """End the process with the exit code if a thread still hangs after a while; else return."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    for thread in threading.enumerate():
        if thread.name.startswith(NAME):
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
