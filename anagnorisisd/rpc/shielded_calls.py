"""Calls that run to completion even if the client cancels."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")

_running: set[asyncio.Task[Any]] = set()


async def shielded_call(change: Coroutine[Any, Any, Result]) -> Result:
    """Await `change`, which runs to completion even if the caller is cancelled.

    Otherwise a client that disconnects could leave a rating stored whose event is never published.
    """
    task = asyncio.ensure_future(change)
    _running.add(task)
    task.add_done_callback(_remove)
    return await asyncio.shield(task)


async def all_shielded_calls() -> None:
    """Wait for all running calls; their exceptions are ignored."""
    await asyncio.gather(*_running, return_exceptions=True)


def _remove(task: asyncio.Task[Any]) -> None:
    _running.discard(task)
    if not task.cancelled():
        task.exception()  # asyncio warns of an exception that is never retrieved.
