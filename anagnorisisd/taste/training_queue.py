"""The queue of trainings: at most one runs and at most one waits.

A request gets a training that includes every rating stored before it:

| there is                                            | the request                       |
|-----------------------------------------------------|-----------------------------------|
| a training that waits                               | shares it: it reads ratings later |
| one under way, and nothing was rated since it began | shares it                         |
| one under way, and something was rated since        | gets one that waits for its end   |
| nothing                                             | gets one at once                  |
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from anagnorisisd.domain.evaluator import Evidence, TrainingPhase, TrainingProgress, TrainingResult
from anagnorisisd.errors import PreconditionFailed
from anagnorisisd.taste.trainer import ReportProgress


class ProgressBroadcast:
    """The progress of one training, for any number of followers; late ones get all of it."""

    def __init__(self) -> None:
        self._reported: list[TrainingProgress] = []
        self._error: BaseException | None = None
        self._ended = False
        self._changed = asyncio.Event()

    def report(self, progress: TrainingProgress) -> None:
        """Send progress to all followers."""
        self._reported.append(progress)
        self._notify()

    def end(self, error: BaseException | None = None) -> None:
        """End the iteration of all followers; with `error`, each of them raises it."""
        self._error = error
        self._ended = True
        self._notify()

    async def follow(self) -> AsyncIterator[TrainingProgress]:
        """Yield all progress, from the start to the end of the training.

        Raises:
            PreconditionFailed: the daemon is stopping.
            Exception: the training failed.
        """
        position = 0
        while True:
            changed = self._changed
            while position < len(self._reported):
                yield self._reported[position]
                position += 1
            if self._ended:
                break
            await changed.wait()
        if isinstance(self._error, asyncio.CancelledError):
            raise PreconditionFailed("the daemon is stopping")
        if self._error is not None:
            raise self._error

    def _notify(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


@dataclass(slots=True, eq=False)
class _Entry:
    """A training; `evidence` is what there was when it began, `None` while it waits."""

    broadcast: ProgressBroadcast = field(default_factory=ProgressBroadcast)
    evidence: Evidence | None = None


class TrainingQueue:
    """Runs trainings one after another and shares them among requests.

    `evidence` returns what there is to learn from; `train` trains and gets the evidence read just
    before; `failed` is called with each error. `training_lock` is held during a training.
    """

    def __init__(
        self,
        *,
        evidence: Callable[[], Awaitable[Evidence]],
        train: Callable[[ReportProgress, Evidence], Awaitable[TrainingResult]],
        failed: Callable[[Exception], Awaitable[None]],
        training_lock: asyncio.Lock,
    ) -> None:
        self._evidence = evidence
        self._train = train
        self._failed = failed
        self._training_lock = training_lock
        self._running: _Entry | None = None
        self._waiting: _Entry | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def busy(self) -> bool:
        """Whether a training runs or waits."""
        return bool(self._tasks)

    @property
    def newest(self) -> ProgressBroadcast | None:
        """The progress of the training that waits, else of the one under way."""
        entry = self._waiting or self._running
        return entry.broadcast if entry else None

    async def request(self) -> ProgressBroadcast:
        """Return the progress of a training that includes every rating stored before this call."""
        running = self._running
        if self._waiting is None and running is not None:
            now = await self._evidence()
            # A training that has not read the ratings yet will read all of them.
            if running.evidence is None or running.evidence == now:
                return running.broadcast
        if self._waiting is None:
            self._waiting = _Entry()
            task = asyncio.create_task(self._run(self._waiting))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return self._waiting.broadcast

    async def close(self) -> None:
        """Cancel all trainings; their followers get `PreconditionFailed`."""
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _run(self, entry: _Entry) -> None:
        broadcast = entry.broadcast
        try:
            if self._running is not None:
                message = "waiting for the training that is running"
                broadcast.report(TrainingProgress(TrainingPhase.LOADING, 0.0, message))
            async with self._training_lock:
                self._waiting, self._running = None, entry
                entry.evidence = await self._evidence()
                result = await self._train(broadcast.report, entry.evidence)
        except BaseException as error:
            self._remove(entry)
            try:
                if isinstance(error, Exception):
                    await self._failed(error)
            finally:
                broadcast.end(error)
        else:
            self._remove(entry)
            broadcast.report(TrainingProgress(TrainingPhase.DONE, 1.0, result.reason, result))
            broadcast.end()

    def _remove(self, entry: _Entry) -> None:
        if self._running is entry:
            self._running = None
        if self._waiting is entry:
            self._waiting = None
