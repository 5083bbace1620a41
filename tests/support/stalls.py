"""Noticing that the machine stalled while a test in real time ran.

Where music plays many times as fast, half a second in which a process does not run is as long as
five seconds of a listener's day. A test that failed after such a stall is run again:

    pytestmark = pytest.mark.flaky(reruns=5, condition="stalls.occurred()")
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

MAX_SECONDS = 0.2
INTERVAL_SECONDS = 0.02


class StallMeter:
    """Keeps the longest stall of the present test, in seconds."""

    def __init__(self) -> None:
        self.longest_seconds = 0.0

    def occurred(self) -> bool:
        """Return whether anything stalled for so long that a failure says nothing."""
        return self.longest_seconds > MAX_SECONDS

    def note(self, seconds: float) -> None:
        """Note that something was late by so much."""
        self.longest_seconds = max(self.longest_seconds, seconds)

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Forget what was noted, and watch the event loop meanwhile."""
        self.longest_seconds = 0.0
        watch = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await watch

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + INTERVAL_SECONDS
            await asyncio.sleep(INTERVAL_SECONDS)
            self.note(loop.time() - due)
