"""The queue of trainings: at most one under way, and at most one that waits.

Whoever asks for a training gets one that learns from every rating stored before the request:

| there is                                            | the request                       |
|-----------------------------------------------------|-----------------------------------|
| a training that waits                               | shares it: it reads ratings later |
| one under way, and nothing was rated since it began | shares it                         |
| one under way, and something was rated since        | gets one that waits for its end   |
| nothing                                             | gets one at once                  |
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from anagnorisisd.domain.evaluator import Evidence, TrainingPhase, TrainingProgress, TrainingResult
from anagnorisisd.taste.progress_broadcast import ProgressBroadcast
from anagnorisisd.taste.trainer import Say


@dataclass(slots=True, eq=False)
class _Entry:
    """`evidence` is what there was when the training began; `None`: it has not read it yet."""

    broadcast: ProgressBroadcast[TrainingProgress] = field(default_factory=ProgressBroadcast)
    evidence: Evidence | None = None


class TrainingQueue:
    """Runs trainings one after another, and shares each among those who may have it.

    `evidence` returns what there is to learn from now; `train` trains, told what `evidence`
    returned just before; `failed` is told of each error. `training_lock` is held meanwhile.
    """

    def __init__(
        self,
        *,
        evidence: Callable[[], Awaitable[Evidence]],
        train: Callable[[Say, Evidence], Awaitable[TrainingResult]],
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
        """Whether a training is under way or waits."""
        return bool(self._tasks)

    async def request(self) -> ProgressBroadcast[TrainingProgress]:
        """Return a training that learns from every rating stored before this call."""
        running = self._running
        if self._waiting is None and running is not None:
            now = await self._evidence()
            # What has not read the ratings yet will read those stored before this call.
            if running.evidence is None or running.evidence == now:
                return running.broadcast
        if self._waiting is None:
            self._waiting = _Entry()
            task = asyncio.create_task(self._run(self._waiting))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return self._waiting.broadcast

    async def close(self) -> None:
        """Break off what is under way, and let those who follow it go."""
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _run(self, entry: _Entry) -> None:
        broadcast = entry.broadcast
        try:
            if self._running is not None:
                message = "waiting for the training under way"
                broadcast.say(TrainingProgress(TrainingPhase.LOADING, 0.0, message))
            async with self._training_lock:
                self._waiting, self._running = None, entry
                entry.evidence = await self._evidence()
                result = await self._train(broadcast.say, entry.evidence)
        except BaseException as error:
            self._leave(entry)
            try:
                if isinstance(error, Exception):
                    await self._failed(error)
            finally:
                broadcast.end(error)
        else:
            self._leave(entry)
            broadcast.say(TrainingProgress(TrainingPhase.DONE, 1.0, result.reason, result))
            broadcast.end()

    def _leave(self, entry: _Entry) -> None:
        if self._running is entry:
            self._running = None
        if self._waiting is entry:
            self._waiting = None
