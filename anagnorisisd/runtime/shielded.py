"""Steps in two places that are done in both or in neither, whoever is cancelled meanwhile."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


async def shielded(step: Coroutine[Any, Any, Result]) -> Result:
    """Await `step`; one who is cancelled meanwhile leaves only when it has come to its end."""
    task = asyncio.ensure_future(step)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise
