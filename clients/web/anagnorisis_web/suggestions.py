"""Suggested tracks for the page Teach me; finding them takes seconds in a large library."""

import asyncio
from collections.abc import Sequence

from anagnorisis.v1.pick_pb2 import SuggestTracksRequest
from anagnorisis_web.daemon import Daemon
from anagnorisis_web.live import LiveEvents

EVENT = "tracks_suggested"
"""Event for all open pages: a page that was told to wait can have its tracks now."""
PATIENCE_SECONDS = 0.4
TIMEOUT_SECONDS = 120.0
"""The daemon's worker may have to start, and then rates thousands of candidates."""
MAX_VISITS = 20
"""Visits whose suggestions are kept or waited for; the oldest are dropped."""


class Suggestions:
    """Asks for the suggestions of each visit once, however often its pages ask meanwhile."""

    def __init__(self, daemon: Daemon, events: LiveEvents) -> None:
        self._daemon = daemon
        self._events = events
        self._tasks: dict[str, asyncio.Task[Sequence[str]]] = {}

    async def take(self, visit_id: str, count: int, seed: int) -> Sequence[str] | None:
        """Return the ids of suggested tracks, the most useful first; `None` if it takes longer.

        Then `EVENT` is published when they are there to be taken.

        Raises:
            grpc.aio.AioRpcError: the daemon could not suggest any.
        """
        task = self._tasks.get(visit_id)
        if task is None:
            task = self._tasks[visit_id] = asyncio.create_task(self._ask(count, seed))
            while len(self._tasks) > MAX_VISITS:
                self._tasks.pop(next(iter(self._tasks))).cancel()
        done, _ = await asyncio.wait({task}, timeout=PATIENCE_SECONDS)
        if not done or task.cancelled():
            task.add_done_callback(self._publish)
            return None
        if self._tasks.get(visit_id) is task:
            del self._tasks[visit_id]
        return task.result()

    async def close(self) -> None:
        """Stop waiting for the daemon."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _ask(self, count: int, seed: int) -> Sequence[str]:
        answer = await self._daemon.picks.SuggestTracks(
            SuggestTracksRequest(count=count, seed=seed), timeout=TIMEOUT_SECONDS
        )
        return [each.track.track_id for each in answer.suggestions]

    def _publish(self, task: asyncio.Task[Sequence[str]]) -> None:
        if not task.cancelled():
            task.exception()  # it is raised to the page that asks next, if one does
            self._events.publish(EVENT)
