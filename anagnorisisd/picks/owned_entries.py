"""Our entries: what we put into the queue and what has not begun yet, across restarts."""

from collections.abc import Iterable, Mapping, Sequence, Set

from anagnorisisd.domain.player import PlayerState, QueueEntry, SongId, ids_of
from anagnorisisd.domain.track import TrackId
from anagnorisisd.picks import queue_rules
from anagnorisisd.storage.queue import QueueStore


class OwnedEntries:
    """Keeps in memory what the store remembers, and both in line with the queue."""

    def __init__(self, store: QueueStore) -> None:
        self._store = store
        self._tracks: dict[SongId, TrackId] = {}
        self._begun: set[SongId] = set()
        self._doubts = 1
        self._settled_doubts = 0

    @property
    def tracks(self) -> Mapping[SongId, TrackId]:
        """Our entries and their tracks; empty until they were first compared with the queue.

        What is returned never changes: a change puts another mapping in its place.
        """
        return self._tracks if self._settled_doubts == self._doubts else {}

    @property
    def begun(self) -> Set[SongId]:
        """Our entries that have begun since the last doubt and are still in the queue."""
        return self._begun

    def doubt(self) -> None:
        """Note that the queue was out of sight, so that ids may mean something else now."""
        # Counted, because a doubt may come while an earlier one is being settled.
        self._doubts += 1
        self._begun = set()

    async def compare(
        self,
        state: PlayerState,
        entries: Sequence[QueueEntry],
        tracks: Mapping[SongId, TrackId],
        now: float,
    ) -> None:
        """Forget what is gone from the queue or has begun; recognise the rest after a doubt."""
        if self._settled_doubts != self._doubts:
            await self._recognise(entries, tracks, now)
        present = ids_of(entries)
        begun = queue_rules.begun(state)
        if begun in self.tracks and begun is not None:
            self._begun.add(begun)
        self._begun &= present
        waiting = present - {begun}
        await self._forget(song_id for song_id in self.tracks if song_id not in waiting)

    async def add(self, song_id: SongId, track_id: TrackId, now: float) -> None:
        """Remember an entry as ours."""
        await self._store.add_entry(song_id, track_id, now)
        self._tracks = {**self._tracks, song_id: track_id}

    async def _recognise(
        self, entries: Sequence[QueueEntry], tracks: Mapping[SongId, TrackId], now: float
    ) -> None:
        doubts = self._doubts
        remembered = await self._store.entries()
        found = queue_rules.recognised(remembered, entries, tracks)
        await self._store.forget_entries(set(remembered) - set(found))
        for song_id, track_id in found.items():
            if remembered.get(song_id) != track_id:
                await self._store.add_entry(song_id, track_id, now)
        self._tracks, self._settled_doubts = found, doubts

    async def _forget(self, gone: Iterable[SongId]) -> None:
        song_ids = set(gone)
        if song_ids:
            await self._store.forget_entries(song_ids)
            kept = self.tracks.items()
            self._tracks = {song_id: track for song_id, track in kept if song_id not in song_ids}
