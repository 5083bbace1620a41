"""Telling systemd that the daemon is well, for as long as it is.

| what has to make progress  | how it is seen                                        |
|----------------------------|-------------------------------------------------------|
| the event loop             | it comes round to this at all                         |
| the store                  | it answers a question                                 |
| the supervision of workers | no pool has a task that it should have ended long ago |

What is not fed within the unit's `WatchdogSec` is killed by systemd, and started again.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Protocol

from anagnorisisd.clock import Clock
from anagnorisisd.errors import StoreError
from anagnorisisd.runtime.systemd_notify import WATCHDOG, SystemdNotifier

log = logging.getLogger(__name__)

PATIENCE = 0.75
"""Of the time between two feedings: so late an answer comes in time for the limit, which is two."""


class Supervised(Protocol):
    """Worker processes of one kind, and whoever sees to them."""

    @property
    def name(self) -> str:
        """What they do."""
        ...

    def has_overdue_task(self) -> bool:
        """Say whether a task should have been ended long ago."""
        ...


async def feed(
    manager: SystemdNotifier,
    store_answers: Callable[[], Awaitable[object]],
    pools: Sequence[Supervised],
    clock: Clock,
) -> None:
    """Feed the watchdog until cancelled, if systemd asks for it."""
    seconds = manager.watchdog_seconds
    said = ""
    while seconds is not None:
        late = ", ".join(pool.name for pool in pools if pool.has_overdue_task())
        if late and late != said:
            log.error(
                "worker pool %s did not kill a timed-out task; withholding the watchdog ping", late
            )
        said = late
        # A store that cannot even be read makes nobody leave; systemd ends the wait for it.
        with suppress(TimeoutError, StoreError):
            async with asyncio.timeout(seconds * PATIENCE):
                await store_answers()
                if not late:
                    manager.notify(WATCHDOG)
        await clock.rest(seconds)
