"""Making the vectors that are still missing.

What is pending is not remembered here: it is what the store says has no vector by the present
embedder. So new files, a crash and weights that arrive later all come to the same.

| what happens to a track                  | what follows                                     |
|------------------------------------------|--------------------------------------------------|
| it gets a vector                         | stored, and announced together with its fellows  |
| its file has vanished                    | left out until the library changes               |
| it cannot be embedded                    | failed for good, with the reason                 |
| its worker died or hung, or the disk failed | tried again after the others, `MAX_TRIES` times |
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil

from anagnorisisd.clock import Clock
from anagnorisisd.domain.embedding import EmbedderStamp, EmbeddingProgress
from anagnorisisd.domain.evaluator import Vectors
from anagnorisisd.domain.track import TrackId, Uri
from anagnorisisd.embedding.embedder import Embedder, EmbedderPreference
from anagnorisisd.errors import EmbedderUnusable, EmbeddingFailed, WeightsUnreadable
from anagnorisisd.events import Events, LibraryChanged, Subscription, TracksEmbedded
from anagnorisisd.storage.embeddings import EmbeddingStore

log = logging.getLogger(__name__)

MAX_TRIES = 3
LOOK_AGAIN_SECONDS = 60.0
"""So often what is pending is looked up unasked: an event may have been missed."""

WEIGHTS_SECONDS = 30.0
"""So often it is looked whether a better embedder's weights have arrived."""

COPIED_SECONDS = 5.0
"""So long weights must have stayed as they are: they may still be being copied."""

VANISHED_LIMIT = 50
"""So many vanished files mean that the disk is away; the library will notice."""

BACKLOG = 64
SPEED_TRACKS = 50
"""Over so many tracks the speed is measured."""


STORE_SECONDS = 1.0
"""Vectors that come faster than this are stored together: every write waits for the disk."""


def on_battery() -> bool:
    """Return whether the computer runs on battery power; `False` where there is none."""
    battery = psutil.sensors_battery()
    return battery is not None and battery.power_plugged is False


class EmbeddingRun:
    """Tracks under way, vectors not stored yet, and tracks to try again later."""

    def __init__(
        self, store: EmbeddingStore, stamp: EmbedderStamp, events: Events, clock: Clock
    ) -> None:
        self._store = store
        self._stamp = stamp
        self._events = events
        self._clock = clock
        self._stored_at = float("-inf")
        self.under_way: dict[asyncio.Task[Vectors], TrackId] = {}
        self.vectors: dict[TrackId, Vectors] = {}
        self.later: set[TrackId] = set()
        """Tracks to try again when nothing else is pending."""

    def __len__(self) -> int:
        return len(self.under_way) + len(self.vectors) + len(self.later)

    def __contains__(self, track_id: TrackId) -> bool:
        return (
            track_id in self.vectors
            or track_id in self.later
            or track_id in self.under_way.values()
        )

    def start(self, track_id: TrackId, work: Coroutine[None, None, Vectors]) -> None:
        """Have a track embedded."""
        self.under_way[asyncio.ensure_future(work)] = track_id

    async def store_when_due(self) -> None:
        """Store what there is: the first vector at once, so that there is something to pick."""
        if self._clock.monotonic() - self._stored_at >= STORE_SECONDS:
            await self.store()

    async def store(self) -> None:
        """Store the vectors, and announce them once they are on disk."""
        if not self.vectors:
            return
        await self._store.put(self._stamp, self.vectors)
        self._stored_at = self._clock.monotonic()
        self._events.publish(TracksEmbedded(tuple(self.vectors)))
        self.vectors = {}

    async def stop(self) -> None:
        """Give up what is under way."""
        for task in self.under_way:
            task.cancel()
        await asyncio.gather(*self.under_way, return_exceptions=True)


class EmbeddingService:
    """Has every present track embedded, the newest first."""

    def __init__(
        self,
        store: EmbeddingStore,
        embedder: Embedder,
        path: Callable[[Uri], Path],
        *,
        preference: EmbedderPreference,
        events: Events,
        clock: Clock,
        on_hold: Callable[[], bool] = lambda: False,
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._path = path
        self._preference = preference
        self._events = events
        self._clock = clock
        self._on_hold = on_hold
        self._changed = asyncio.Event()
        self._backlog: deque[tuple[TrackId, Uri]] = deque()
        self._vanished: set[TrackId] = set()
        self._finished: deque[float] = deque(maxlen=SPEED_TRACKS)

    @property
    def stamp(self) -> EmbedderStamp:
        """The stamp of the vectors that are being made."""
        return self._embedder.stamp

    async def progress(self) -> EmbeddingProgress:
        """Return how many tracks are pending, done and failed, how fast it goes, and where."""
        progress = await self._store.progress(self.stamp)
        executor = self._embedder.executor
        return replace(progress, tracks_per_second=self._speed(), executor=executor)

    async def retry(self) -> int:
        """Give the failed tracks another chance; return how many there are."""
        count = await self._store.retry(self.stamp)
        self._look_again()
        return count

    async def superseded(self) -> EmbedderStamp:
        """Return once another embedder is wanted than the present one, and which.

        It has to be wanted twice in a row: weights that are still being copied change.
        """
        before = self.stamp
        while True:
            wanted = await self._wanted()
            if wanted == before != self.stamp:
                return wanted
            before = wanted
            if wanted == self.stamp:
                await self._clock.rest(WEIGHTS_SECONDS)
            else:
                await self._clock.sleep(COPIED_SECONDS)

    async def _wanted(self) -> EmbedderStamp:
        with suppress(EmbedderUnusable):  # then the present one is the best there is
            return await asyncio.to_thread(self._preference.wanted)
        return self.stamp

    async def run(self) -> None:
        """Embed what is pending, now and whenever the library changes.

        Raises:
            EmbedderUnusable: nothing can be embedded with this embedder; it is refused.
        """
        listening = asyncio.create_task(self._listen(self._events.subscribe()))
        try:
            while True:
                self._changed.clear()
                self._vanished.clear()
                await self._drain()
                await self._rest(LOOK_AGAIN_SECONDS)
        except WeightsUnreadable:
            raise  # the disk may be well later
        except EmbedderUnusable:
            self._preference.refuse(self.stamp)
            raise
        finally:
            listening.cancel()

    async def _listen(self, subscription: Subscription) -> None:
        with subscription:
            async for announcement in subscription:
                if isinstance(announcement.event, LibraryChanged) or announcement.missed:
                    self._look_again()

    def _look_again(self) -> None:
        self._backlog.clear()  # what is newer comes first
        self._changed.set()

    async def _rest(self, seconds: float) -> None:
        """Wait until something changed, or for `seconds`."""
        waiting = [
            asyncio.ensure_future(self._changed.wait()),
            asyncio.ensure_future(self._clock.rest(seconds)),
        ]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiting:
                one.cancel()

    async def _drain(self) -> None:
        """Embed until nothing is left that can be tried now."""
        run = EmbeddingRun(self._store, self.stamp, self._events, self._clock)
        try:
            while await self._top_up(run):
                await asyncio.wait(run.under_way, return_when=asyncio.FIRST_COMPLETED)
                for task in [task for task in run.under_way if task.done()]:
                    await self._settle(run, task)
                await run.store_when_due()
            await run.store()
        finally:
            await run.stop()
            self._finished.clear()

    async def _top_up(self, run: EmbeddingRun) -> bool:
        """Start as many tracks as are worth having under way; say whether any are."""
        while len(run.under_way) < self._embedder.concurrency and not self._on_hold():
            following = await self._next(run)
            if following is None and run.later and not run.under_way:
                run.later.clear()
                continue
            if following is None:
                break
            track_id, uri = following
            run.start(track_id, self._embedder.embed(str(self._path(uri))))
        return bool(run.under_way)

    async def _next(self, run: EmbeddingRun) -> tuple[TrackId, Uri] | None:
        if len(self._vanished) > VANISHED_LIMIT:
            return None
        if not self._backlog:
            known = len(run) + len(self._vanished)
            self._backlog.extend(await self._store.pending(self.stamp, known + BACKLOG))
        while self._backlog:
            track_id, uri = self._backlog.popleft()
            if track_id not in run and track_id not in self._vanished:
                return track_id, uri
        return None

    async def _settle(self, run: EmbeddingRun, task: asyncio.Task[Vectors]) -> None:
        """Note what came of one track."""
        track_id = run.under_way.pop(task)
        self._finished.append(self._clock.monotonic())
        try:
            run.vectors[track_id] = task.result()
        except FileNotFoundError:
            self._vanished.add(track_id)
        except EmbeddingFailed as failure:
            if not await self._failed(track_id, failure):
                run.later.add(track_id)

    async def _failed(self, track_id: TrackId, failure: EmbeddingFailed) -> bool:
        """Record a failed try; return whether it was the last."""
        tries = await self._record(track_id, failure, permanent=failure.permanent)
        final = failure.permanent or tries >= MAX_TRIES
        if final and not failure.permanent:
            await self._record(track_id, failure, permanent=True)
        log.log(
            logging.WARNING if final else logging.INFO,
            "track %s cannot be embedded%s: %s",
            track_id,
            "" if final else " now",
            failure,
        )
        return final

    async def _record(self, track_id: TrackId, failure: EmbeddingFailed, *, permanent: bool) -> int:
        return await self._store.fail(
            self.stamp, track_id, str(failure), permanent=permanent, at=self._clock.now()
        )

    def _speed(self) -> float | None:
        if len(self._finished) < 2:
            return None
        seconds = self._finished[-1] - self._finished[0]
        return (len(self._finished) - 1) / seconds if seconds > 0 else None
