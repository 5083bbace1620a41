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
from anagnorisisd.domain.embedding import EmbedderStamp, EmbeddingProgress, FilePart
from anagnorisisd.domain.evaluator import Vectors
from anagnorisisd.domain.track import TrackId, Uri
from anagnorisisd.embedding.embedder import Embedder, EmbedderPreference
from anagnorisisd.errors import EmbedderUnusable, EmbeddingFailed, WeightsUnreadable
from anagnorisisd.events import Events, LibraryChanged, Subscription, TracksEmbedded
from anagnorisisd.library.tunes import NO_EMBEDDING, is_tune
from anagnorisisd.storage.embeddings import EmbeddingStore, PendingTrack

log = logging.getLogger(__name__)

MAX_TRIES = 3
RECHECK_SECONDS = 60.0
"""So often what is pending is looked up unasked: an event may have been missed."""

WEIGHTS_SECONDS = 30.0
"""So often it is looked whether a better embedder's weights have arrived."""

COPIED_SECONDS = 5.0
"""So long weights must have stayed as they are: they may still be being copied."""

VANISHED_LIMIT = 50
"""So many vanished files mean that the disk is away; the library will notice."""

BACKLOG = 1_000
"""So many pending tracks are read at once: each read passes over all that are embedded."""
SPEED_TRACKS = 50
"""Over so many tracks the speed is measured."""


STORE_SECONDS = 1.0
"""Vectors that come faster than this are stored together: every write waits for the disk."""

MAX_STORED = 200
"""So many vectors are stored together at most: other writes wait meanwhile."""


def on_battery() -> bool:
    """Return whether the computer runs on battery power; `False` where there is none."""
    battery = psutil.sensors_battery()
    return battery is not None and battery.power_plugged is False


class EmbeddingRun:
    """Tracks being embedded, vectors that are not stored yet, and tracks to retry."""

    def __init__(
        self, store: EmbeddingStore, stamp: EmbedderStamp, events: Events, clock: Clock
    ) -> None:
        self._store = store
        self._stamp = stamp
        self._events = events
        self._clock = clock
        self._stored_at = float("-inf")
        self.in_progress: dict[asyncio.Task[Vectors], TrackId] = {}
        self.vectors: dict[TrackId, Vectors] = {}
        self.later: set[TrackId] = set()
        """Tracks to retry when nothing else is pending."""

    def __len__(self) -> int:
        return len(self.in_progress) + len(self.vectors) + len(self.later)

    def __contains__(self, track_id: TrackId) -> bool:
        return (
            track_id in self.vectors
            or track_id in self.later
            or track_id in self.in_progress.values()
        )

    def start(self, track_id: TrackId, work: Coroutine[None, None, Vectors]) -> None:
        """Start embedding a track."""
        self.in_progress[asyncio.ensure_future(work)] = track_id

    async def store_when_due(self) -> None:
        """Store the vectors if the last write is old enough; the first one is stored at once."""
        is_old = self._clock.monotonic() - self._stored_at >= STORE_SECONDS
        if is_old or len(self.vectors) >= MAX_STORED:
            await self.store()

    async def store(self) -> None:
        """Store the vectors, and publish an event after the commit."""
        if not self.vectors:
            return
        await self._store.put(self._stamp, self.vectors)
        self._stored_at = self._clock.monotonic()
        self._events.publish(TracksEmbedded(tuple(self.vectors)))
        self.vectors = {}

    async def stop(self) -> None:
        """Cancel the tracks being embedded."""
        for task in self.in_progress:
            task.cancel()
        await asyncio.gather(*self.in_progress, return_exceptions=True)


class EmbeddingService:
    """Embeds every present track, the newest first."""

    def __init__(
        self,
        store: EmbeddingStore,
        embedder: Embedder,
        path: Callable[[Uri], Path],
        *,
        preference: EmbedderPreference,
        events: Events,
        clock: Clock,
        is_paused: Callable[[], bool] = lambda: False,
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._path = path
        self._preference = preference
        self._events = events
        self._clock = clock
        self._is_paused = is_paused
        self._changed = asyncio.Event()
        self._backlog: deque[PendingTrack] = deque()
        self._vanished: set[TrackId] = set()
        self._finished: deque[float] = deque(maxlen=SPEED_TRACKS)

    @property
    def stamp(self) -> EmbedderStamp:
        """The stamp of the current embedder."""
        return self._embedder.stamp

    async def progress(self) -> EmbeddingProgress:
        """Return the numbers of pending, embedded and failed tracks, the speed and the executor."""
        progress = await self._store.progress(self.stamp)
        executor = self._embedder.executor
        return replace(progress, tracks_per_second=self._speed(), executor=executor)

    async def retry(self) -> int:
        """Make the failed tracks pending again; return their number."""
        count = await self._store.retry(self.stamp)
        self._reload_backlog()
        return count

    async def superseded(self) -> EmbedderStamp:
        """Wait until another embedder should be used than the current one; return its stamp.

        It must be the preferred one twice in a row: weights that are being copied change.
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
        with suppress(EmbedderUnusable):  # then the current one is the best
            return await asyncio.to_thread(self._preference.wanted)
        return self.stamp

    async def run(self) -> None:
        """Embed the pending tracks, now and whenever the library changes.

        Raises:
            EmbedderUnusable: this embedder embeds no file; it is not chosen again.
        """
        listening = asyncio.create_task(self._listen(self._events.subscribe()))
        try:
            while True:
                self._changed.clear()
                self._vanished.clear()
                await self._embed_pending()
                await self._rest(RECHECK_SECONDS)
        except WeightsUnreadable:
            raise  # the disk may work again later
        except EmbedderUnusable:
            self._preference.refuse(self.stamp)
            raise
        finally:
            listening.cancel()

    async def _listen(self, subscription: Subscription) -> None:
        with subscription:
            async for announcement in subscription:
                if isinstance(announcement.event, LibraryChanged) or announcement.missed:
                    self._reload_backlog()

    def _reload_backlog(self) -> None:
        self._backlog.clear()  # newer tracks come first
        self._changed.set()

    async def _rest(self, seconds: float) -> None:
        """Wait for a change of the library, for `seconds` at most."""
        waiting = [
            asyncio.ensure_future(self._changed.wait()),
            asyncio.ensure_future(self._clock.rest(seconds)),
        ]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiting:
                one.cancel()

    async def _embed_pending(self) -> None:
        """Embed until no track is left that can be embedded now."""
        run = EmbeddingRun(self._store, self.stamp, self._events, self._clock)
        try:
            while await self._start_tracks(run):
                await asyncio.wait(run.in_progress, return_when=asyncio.FIRST_COMPLETED)
                for task in [task for task in run.in_progress if task.done()]:
                    await self._finish(run, task)
                await run.store_when_due()
            await run.store()
        finally:
            await run.stop()
            self._finished.clear()

    async def _start_tracks(self, run: EmbeddingRun) -> bool:
        """Start tracks up to the embedder's concurrency; return whether any are being embedded."""
        while len(run.in_progress) < self._embedder.concurrency and not self._is_paused():
            following = await self._next(run)
            if following is None and run.later and not run.in_progress:
                run.later.clear()
                continue
            if following is None:
                break
            if self.stamp.knows_sound and is_tune(following.uri):
                failure = EmbeddingFailed(NO_EMBEDDING, permanent=True)
                await self._record(following.track_id, failure, permanent=True)
                continue
            run.start(following.track_id, self._embedder.embed(self._file(following)))
        return bool(run.in_progress)

    def _file(self, pending: PendingTrack) -> str | FilePart:
        path = str(self._path(pending.uri))
        if pending.start_ms is None:
            return path
        end_ms = pending.end_ms
        return FilePart(path, pending.start_ms / 1000, None if end_ms is None else end_ms / 1000)

    async def _next(self, run: EmbeddingRun) -> PendingTrack | None:
        if len(self._vanished) > VANISHED_LIMIT:
            return None
        if not self._backlog:
            known = len(run) + len(self._vanished)
            self._backlog.extend(await self._store.pending(self.stamp, known + BACKLOG))
        while self._backlog:
            pending = self._backlog.popleft()
            if pending.track_id not in run and pending.track_id not in self._vanished:
                return pending
        return None

    async def _finish(self, run: EmbeddingRun, task: asyncio.Task[Vectors]) -> None:
        """Record the result of one track."""
        track_id = run.in_progress.pop(task)
        self._finished.append(self._clock.monotonic())
        try:
            run.vectors[track_id] = task.result()
        except FileNotFoundError:
            self._vanished.add(track_id)
        except EmbeddingFailed as failure:
            if not await self._failed(track_id, failure):
                run.later.add(track_id)

    async def _failed(self, track_id: TrackId, failure: EmbeddingFailed) -> bool:
        """Record a failed attempt; return whether it was the last."""
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
