"""The steering service: what is steered now, until when, and the steering factor of each track.

The steering is stored, so that it persists across restarts, and ends by itself.
"""

import asyncio
import logging
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from anagnorisisd.clock import Clock
from anagnorisisd.domain import artist_names
from anagnorisisd.domain.embedding import EmbedderStamp
from anagnorisisd.domain.pick import Candidates
from anagnorisisd.domain.player import PlaybackState, SongId
from anagnorisisd.domain.steering import (
    EnergyWish,
    FolderWish,
    SeedKind,
    SeedWish,
    Steering,
    SteeringFactors,
    TagWish,
    Wish,
)
from anagnorisisd.domain.track import TrackId
from anagnorisisd.embedding.metadata_embedder import NO_SOUND
from anagnorisisd.embedding.sound_tags import TAGS, SoundTagIndex
from anagnorisisd.errors import PreconditionFailed
from anagnorisisd.events import (
    Events,
    PlaybackChanged,
    PlayerDisconnected,
    SteeringChanged,
    Subscription,
    TracksEmbedded,
)
from anagnorisisd.steering import fit, serialization, wish_rules
from anagnorisisd.steering.wish_scores import WishScorer, has_energy, has_sound_tags, is_below
from anagnorisisd.storage.embeddings import EmbeddingStore
from anagnorisisd.storage.library import LibraryStore
from anagnorisisd.storage.metadata_queries import TagColumn
from anagnorisisd.storage.queue import QueueStore

log = logging.getLogger(__name__)

SETTING = "steering"

MAX_WAIT_SECONDS = 60.0
"""The end is compared with the wall clock this often, which may be set or run on in standby."""

RESCORE_SECONDS = 60.0
"""While the library is being embedded, the scores are computed again at most so often."""


@dataclass(frozen=True, slots=True)
class _Scored:
    """Factors, and what they were computed for."""

    key: tuple[tuple[Wish, ...], float]
    track_ids: NDArray[np.bytes_]
    factors: SteeringFactors


class SteeringService:
    """Sets, ends and applies the steering."""

    def __init__(
        self,
        *,
        library: LibraryStore,
        embeddings: EmbeddingStore,
        sound_tags: SoundTagIndex,
        stamp: EmbedderStamp,
        store: QueueStore,
        events: Events,
        clock: Clock,
    ) -> None:
        self._library = library
        self._stamp = stamp
        self._store = store
        self._events = events
        self._clock = clock
        self._scorer = WishScorer(library, embeddings, sound_tags, stamp)
        self._subscription: Subscription | None = None
        self._steering: Steering | None = None
        self._restored = False
        self._changed = asyncio.Event()
        self._lock = asyncio.Lock()
        self._scored: _Scored | None = None
        self._rescore_at = float("inf")
        self._song: SongId | None = None
        self._song_is_known = False

    async def current(self) -> Steering | None:
        """Return the steering, `None` when nothing is steered."""
        if not self._restored:
            stored = await self._store.setting(SETTING)
            if not self._restored:
                self._steering = serialization.from_text(stored or "null")
                self._restored = True
        return None if self._has_ended() else self._steering

    async def steer(self, steering: Steering) -> Steering | None:
        """Replace the steering and return it as it applies; without wishes, end it.

        Raises:
            InvalidValue: a wish is unknown, or contradicts another.
            UnknownTrack: the library has no such seed.
            PreconditionFailed: the embedder does not tell calm from lively music.
        """
        wishes = steering.wishes
        if has_sound_tags(self._stamp):
            wishes = tuple(map(wish_rules.canonical, wishes))
        wishes = tuple(dict.fromkeys(wishes))
        wish_rules.check(wishes, steering.strength)
        checked = tuple([await self._checked(wish) for wish in wishes])
        applied = replace(steering, wishes=checked) if checked else None
        await self._store_steering(applied)
        return applied

    async def factors(self, candidates: Candidates) -> SteeringFactors | None:
        """Return the steering factor of the candidates; `None` when nothing is steered.

        The same object is returned until the steering, the candidates or their vectors change.
        """
        steering = await self.current()
        if steering is None:
            return None
        async with self._lock:
            self._notice_vectors()
            key = (steering.wishes, steering.strength)
            scored = self._scored
            if (
                scored is None
                or scored.key != key
                or scored.track_ids is not candidates.track_ids
                or self._clock.monotonic() >= self._rescore_at
            ):
                self._rescore_at = float("inf")
                factors = await self._computed(steering, candidates)
                scored = self._scored = _Scored(key, candidates.track_ids, factors)
            return scored.factors

    async def run(self) -> None:
        """End the steering at its time, and count its songs, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch_end())
            tasks.create_task(self._count_songs())

    async def _watch_end(self) -> None:
        while True:
            self._changed.clear()
            await self.current()
            if self._has_ended():
                log.debug("the steering has ended")
                await self._store_steering(None)
            await self._wait_for_end_or_change()

    async def _wait_for_end_or_change(self) -> None:
        waits: list[asyncio.Future[object]] = [asyncio.ensure_future(self._changed.wait())]
        if self._steering is not None and self._steering.ends_at is not None:
            left = max(0.0, self._steering.ends_at - self._clock.now())
            waits += [asyncio.ensure_future(self._clock.sleep(min(left, MAX_WAIT_SECONDS)))]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _count_songs(self) -> None:
        """Count songs when they start: the current one was chosen before, and when the last one
        plays, other songs have to follow it.
        """
        with self._events.subscribe() as announcements:
            async for announcement in announcements:
                match announcement.event:
                    case PlayerDisconnected():
                        self._song_is_known = False
                    case PlaybackChanged(state, song_id) if self._has_started(state, song_id):
                        await self._count_song()

    def _has_started(self, state: PlaybackState, song_id: SongId | None) -> bool:
        """Return whether another song than before plays.

        The first one after a connection may have played before, and is not counted.
        """
        known, self._song_is_known = self._song_is_known, True
        if state is PlaybackState.STOP:
            return False
        before, self._song = self._song, song_id
        return known and song_id != before

    async def _count_song(self) -> None:
        steering = await self.current()
        if steering is None or steering.songs_left is None:
            return
        if steering.songs_left > 1:
            left = replace(steering, songs_left=steering.songs_left - 1)
            await self._store_steering(left, only_end=True)
        else:
            log.debug("the steering has ended")
            await self._store_steering(None)

    def _has_ended(self) -> bool:
        steering = self._steering
        if steering is None or steering.ends_at is None:
            return False
        return self._clock.now() >= steering.ends_at

    async def _store_steering(self, steering: Steering | None, *, only_end: bool = False) -> None:
        await self._store.put_setting(SETTING, serialization.to_text(steering))
        self._steering, self._restored = steering, True
        self._changed.set()
        if steering is None:
            self._scored = None
        self._events.publish(SteeringChanged(steering, only_end))

    def _notice_vectors(self) -> None:
        if self._subscription is None:  # Nobody steered before.
            self._subscription = self._events.subscribe()
        for announcement in self._subscription.arrived():
            if announcement.missed or isinstance(announcement.event, TracksEmbedded):
                soon = self._clock.monotonic() + RESCORE_SECONDS
                self._rescore_at = min(self._rescore_at, soon)

    async def _computed(self, steering: Steering, candidates: Candidates) -> SteeringFactors:
        scored = [(wish, await self._scorer.score(wish, candidates)) for wish in steering.wishes]
        # Sorting a million scores takes a while; in a thread it delays no rating.
        return await asyncio.to_thread(
            fit.steering_factors, scored, steering.strength, len(candidates)
        )

    async def _checked(self, wish: Wish) -> Wish:
        """Return the wish, with a label for the listener; refuse one that names nothing."""
        match wish:
            case TagWish(name):
                genres = await self._library.distinct_tags(TagColumn.GENRE)
                known = {key for genre in genres for key in artist_names.genres(genre)}
                if has_sound_tags(self._stamp):
                    known.update(TAGS)
                if artist_names.key(name) not in known:
                    raise wish_rules.unknown("tag", name, known)
            case SeedWish() if not self._stamp.knows_sound:
                raise PreconditionFailed(NO_SOUND)
            case SeedWish(SeedKind.TRACK, value):
                track = await self._library.track(TrackId(value), self._stamp)
                by = f" by {track.tags.artist}" if track.tags.artist else ""
                return replace(wish, label=f"{track.title}{by}")
            case SeedWish(kind, value):
                if not await self._scorer.seeds(wish):
                    column = TagColumn.ARTIST if kind is SeedKind.ARTIST else TagColumn.ALBUM
                    known = set(await self._library.distinct_tags(column))
                    raise wish_rules.unknown(column.value, value, known)
            case FolderWish(path):
                await self._check_folder(path)
            case EnergyWish():
                if not has_energy(self._stamp):
                    raise PreconditionFailed(
                        f"embeddings by {self._stamp.name} do not tell calm from lively music"
                    )
        return wish

    async def _check_folder(self, path: str) -> None:
        folders: set[str] = set()
        async for page in self._library.metadata():
            if any(is_below(uri, path) for uri in page.uris):
                return
            folders.update(uri.rpartition("/")[0] for uri in page.uris)
        parents = {str(parent) for folder in folders for parent in PurePosixPath(folder).parents}
        raise wish_rules.unknown("folder", path, (folders | parents) - {"", "."})
