"""Changes that outlive their caller."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")

_under_way: set[asyncio.Task[Any]] = set()


async def shielded_call(change: Coroutine[Any, Any, Result]) -> Result:
    """Await `change`, and let it finish even if the caller is cancelled meanwhile.

    A caller who leaves at the wrong moment must not have a rating stored but not announced.
    """
    task = asyncio.ensure_future(change)
    _under_way.add(task)
    task.add_done_callback(_forget)
    return await asyncio.shield(task)


async def all_shielded_calls() -> None:
    """Wait for the changes that are still under way."""
    await asyncio.gather(*_under_way, return_exceptions=True)


def _forget(task: asyncio.Task[Any]) -> None:
    _under_way.discard(task)
    if not task.cancelled():
        task.exception()  # Its caller may be gone: an error nobody awaits is not a warning.
