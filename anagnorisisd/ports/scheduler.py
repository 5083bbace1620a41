"""Calling again and again."""

from collections.abc import Awaitable, Callable
from datetime import time
from typing import Protocol

from anagnorisisd.domain.schedule import Zone


class Scheduler(Protocol):
    """Wakes somebody who then looks whether there is something to do."""

    async def run(self, at: time, zone: Zone, look: Callable[[], Awaitable[None]]) -> None:
        """Call `look` now, each day at `at`, and each minute, until cancelled.

        Never calls it while an earlier call goes on. What `look` raises ends this call.
        """
        ...
