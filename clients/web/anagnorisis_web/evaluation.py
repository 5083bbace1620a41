"""The evaluation of the current evaluator, which takes the daemon seconds or minutes."""

import asyncio
import time

import grpc

from anagnorisis.v1.evaluator_pb2 import GetEvaluationRequest, GetEvaluationResponse
from anagnorisis_web.daemon import Daemon
from anagnorisis_web.live import LiveEvents

EVENT = "evaluation_changed"
"""Event for all open pages: an evaluation has been computed, or has failed."""
SECONDS_UNTIL_RETRY = 60.0


class Evaluation:
    """The evaluation of one version; asked for once for all pages, and only if a page shows it."""

    def __init__(self, daemon: Daemon, events: LiveEvents) -> None:
        self._daemon = daemon
        self._events = events
        self._task: asyncio.Task[None] | None = None
        self._retry_at = 0.0
        self._version = 0
        self.result: GetEvaluationResponse | None = None
        self.problem = ""
        """Why there is no result; empty while it is computed."""

    @property
    def running(self) -> bool:
        """Return whether it is being computed."""
        return self._task is not None and not self._task.done()

    def request(self, version: int) -> None:
        """Have a version evaluated, unless that was done or is under way."""
        if version != self._version:
            self.result, self.problem, self._retry_at = None, "", 0.0
        waiting = self.problem and time.monotonic() < self._retry_at
        if self.running or waiting or (self.result and version == self._version):
            return
        self._version = version
        self._task = asyncio.create_task(self._read(version))

    def close(self) -> None:
        """Stop waiting for it."""
        if self._task is not None:
            self._task.cancel()

    async def _read(self, version: int) -> None:
        try:
            result = await self._daemon.evaluators.GetEvaluation(GetEvaluationRequest())
            self.result, self.problem, self._version = result, "", result.version
        except grpc.aio.AioRpcError as error:
            self.result, self.problem = None, self._daemon.describe(error)
            self._retry_at = time.monotonic() + SECONDS_UNTIL_RETRY
        # The pages ask again at once, and have to see that it has ended.
        asyncio.get_running_loop().call_soon(self._events.publish, EVENT)
