"""Owned entries: the queue entries that the daemon added and that have not started yet.

They are stored, so that they are known after a restart of the daemon or of the player, and so is
the last one that has started.
"""

from collections.abc import Iterable, Mapping, Sequence, Set

from anagnorisisd.clock import Clock
from anagnorisisd.domain.pick import Explanation
from anagnorisisd.domain.player import PlayerState, QueueEntry, SongId, ids_of
from anagnorisisd.domain.track import TrackId
from anagnorisisd.picks import queue_rules
from anagnorisisd.storage.queue import QueueStore

STARTED = "started_pick"
"""The setting that holds the track of the entry that has started last."""


class OwnedEntries:
    """Keeps the owned entries in memory and in the database equal to those of the queue."""

    def __init__(self, store: QueueStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._tracks: dict[SongId, TrackId] = {}
        self._started: set[SongId] = set()
        self._observed_generation = 0
        self._generation = 1
        self._removals: set[SongId] = set()
        self.explanations: dict[SongId, Explanation] = {}
        """Why the entries were picked; empty for those whose reasons are outdated."""

    @property
    def tracks(self) -> Mapping[SongId, TrackId]:
        """The owned entries and their tracks; empty until they were compared with the queue.

        The mapping that is returned never changes.
        """
        return self._tracks if self._observed_generation == self._generation else {}

    @property
    def started(self) -> Set[SongId]:
        """Entries that were owned until they started, and that are still in the queue."""
        return self._started

    def invalidate(self) -> None:
        """Note that the queue was not observed for a while: ids may belong to other entries now."""
        # A counter, because this may happen again while `reconcile` waits for the database.
        self._generation += 1
        self._started = set()
        self._removals = set()

    def note_removal(self, song_id: SongId) -> None:
        """Note that the daemon is about to remove an entry, so that the listener did not."""
        self._removals.add(song_id)

    async def reconcile(
        self, state: PlayerState, entries: Sequence[QueueEntry], tracks: Mapping[SongId, TrackId]
    ) -> set[TrackId]:
        """Drop the entries that started or left the queue; find all again after `invalidate`.

        `tracks` are the tracks of `entries`. Returns the tracks of the entries that others than the
        daemon removed before they started.
        """
        started = queue_rules.started_entry(state)
        if self._observed_generation != self._generation:
            await self._find(entries, tracks)
            await self._find_started(started, tracks)
        present = ids_of(entries)
        if started in self.tracks and started is not None:
            self._started.add(started)
            await self._store.put_setting(STARTED, self.tracks[started])
        self._started &= present
        gone = self.tracks.keys() - present
        removed = {self.tracks[song_id] for song_id in gone - self._removals}
        self._removals &= present
        waiting = present - {started}
        await self._drop(song_id for song_id in self.tracks if song_id not in waiting)
        owned = self.tracks
        explained = self.explanations.items()
        self.explanations = {song_id: why for song_id, why in explained if song_id in owned}
        return removed

    async def add(self, song_id: SongId, track_id: TrackId) -> None:
        """Store an entry as owned."""
        await self._store.add_entry(song_id, track_id, self._clock.now())
        self._tracks = {**self._tracks, song_id: track_id}

    async def _find(self, entries: Sequence[QueueEntry], tracks: Mapping[SongId, TrackId]) -> None:
        generation = self._generation
        stored = await self._store.entries()
        found = queue_rules.find_owned_entries(stored, entries, tracks)
        await self._store.forget_entries(set(stored) - set(found))
        for song_id, track_id in found.items():
            if stored.get(song_id) != track_id:
                await self._store.add_entry(song_id, track_id, self._clock.now())
        self._tracks, self._observed_generation = found, generation

    async def _find_started(self, current: SongId | None, tracks: Mapping[SongId, TrackId]) -> None:
        if current is None or current not in tracks:
            return
        if tracks[current] == await self._store.setting(STARTED):
            self._started.add(current)

    async def _drop(self, song_ids: Iterable[SongId]) -> None:
        dropped = set(song_ids)
        if dropped:
            await self._store.forget_entries(dropped)
            kept = self.tracks.items()
            self._tracks = {song_id: track for song_id, track in kept if song_id not in dropped}
