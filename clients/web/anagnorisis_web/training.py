"""The training that all open pages show, and how it ended."""

import asyncio
import time

import grpc

from anagnorisis.v1.evaluator_pb2 import TrainEvaluatorRequest, TrainEvaluatorResponse
from anagnorisis_web.daemon import Daemon
from anagnorisis_web.live import LiveEvents

EVENT = "training_progress"
"""Event for all open pages: the training goes on, or has ended."""
SECONDS_BETWEEN_EVENTS = 0.5


class Training:
    """The training that runs, or else the last one since this server was started."""

    def __init__(self, daemon: Daemon, events: LiveEvents) -> None:
        self._daemon = daemon
        self._events = events
        self._task: asyncio.Task[None] | None = None
        self.progress: TrainEvaluatorResponse | None = None
        """What the daemon reported last."""
        self.problem = ""
        """Why the last training failed; empty if it did not."""

    @property
    def running(self) -> bool:
        """Return whether a training is followed."""
        return self._task is not None and not self._task.done()

    def start(self) -> None:
        """Train with all ratings of this moment; the daemon knows whether one that runs will do."""
        if self._task is not None:
            self._task.cancel()  # ends only our reading of its progress
        self._follow(TrainEvaluatorRequest())

    def join(self) -> None:
        """Follow the training that the daemon has started by itself."""
        if not self.running:
            self._follow(TrainEvaluatorRequest(running_only=True))

    def close(self) -> None:
        """Stop following."""
        if self._task is not None:
            self._task.cancel()

    def _follow(self, request: TrainEvaluatorRequest) -> None:
        self._task = asyncio.create_task(self._read(request))

    async def _read(self, request: TrainEvaluatorRequest) -> None:
        published = 0.0
        try:
            async for progress in self._daemon.evaluators.TrainEvaluator(request):
                self.progress, self.problem = progress, ""
                if time.monotonic() - published >= SECONDS_BETWEEN_EVENTS:
                    published = time.monotonic()
                    self._events.publish(EVENT)
        except grpc.aio.AioRpcError as error:
            # The training to join may just have ended.
            if not (request.running_only and error.code() is grpc.StatusCode.FAILED_PRECONDITION):
                self.problem = self._daemon.describe(error)
        # The pages ask again at once, and have to see that it has ended.
        asyncio.get_running_loop().call_soon(self._events.publish, EVENT)
