"""The player's queue: which entries are ours, how many picks are short, what may be replaced.

*Our entries* here are those that we added and that have not begun yet; once an entry has been
the current one it is history, and what the listener does with it is theirs.

| manner | picks wanted |
|---|---|
| single, also for one song | none: the listener wants silence after this song |
| repeat | none: nothing is ever short |
| an empty queue | none, unless it is to be filled |
| random | as many as were configured, wherever they stand |
| everything else, consume too | as many as were configured, after the current song |
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from anagnorisisd.domain.player import Mode, PlaybackState, PlayerState, QueueEntry, SongId, ids_of
from anagnorisisd.domain.track import TrackId

PREPARED_SECONDS = 10.0
"""So long before its turn the player may have opened the next song; it is left alone then."""


@dataclass(frozen=True, slots=True)
class Shortfall:
    """How many picks are short, and why none are where the listener might expect some."""

    count: int
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class QueueView:
    """The player and its queue as they were seen last; `tracks` are those of the library."""

    state: PlayerState
    entries: Sequence[QueueEntry]
    tracks: Mapping[SongId, TrackId]

    @property
    def ahead(self) -> list[TrackId]:
        """The tracks from the current one on."""
        return self._tracks(entry for entry in self.entries if entry.position >= self._current)

    @property
    def to_come(self) -> list[TrackId]:
        """The tracks that play or may follow: at random every one of the queue may."""
        return self._tracks(self.entries) if self.state.random else self.ahead

    @property
    def behind(self) -> list[TrackId]:
        """The tracks that stand before the current one; none at random, where nobody can tell."""
        if self.state.random:
            return []
        return self._tracks(entry for entry in self.entries if entry.position < self._current)

    @property
    def _current(self) -> int:
        return self.state.position or 0

    def _tracks(self, entries: Iterable[QueueEntry]) -> list[TrackId]:
        ids = (entry.song_id for entry in entries)
        return [self.tracks[song_id] for song_id in ids if song_id in self.tracks]


def shortfall(
    state: PlayerState,
    queue: Sequence[QueueEntry],
    ours: Collection[SongId],
    ahead: int,
    *,
    fill_empty_queue: bool = False,
) -> Shortfall:
    """Return how many picks must be added so that `ahead` of them are to come."""
    if state.single is not Mode.OFF:
        return Shortfall(0, "single is on, so nothing follows the current song")
    if state.repeat:
        return Shortfall(0, "repeat is on, so nothing is ever short")
    if not queue and not fill_empty_queue:
        return Shortfall(0, "the queue is empty, and filling it is switched off")
    return Shortfall(max(0, ahead - len(upcoming(state, queue, ours))))


def upcoming(
    state: PlayerState, queue: Sequence[QueueEntry], ours: Collection[SongId]
) -> list[QueueEntry]:
    """Return our entries that are still to come, in the order of the queue."""
    if not ours:
        return []
    behind = -1 if state.random or state.position is None else state.position
    return [
        entry
        for entry in queue
        if entry.song_id in ours and entry.position > behind and entry.song_id != state.song_id
    ]


def spent(
    state: PlayerState,
    queue: Sequence[QueueEntry],
    ours: Collection[SongId],
    begun: Collection[SongId],
) -> list[QueueEntry]:
    """Return our entries that have had their turn, the oldest first: played, or jumped over.

    `ours` have not begun yet, `begun` have.
    """
    if not (ours or begun):
        return []
    behind = -1 if state.random or state.position is None else state.position
    return [
        entry
        for entry in queue
        if entry.song_id != state.song_id
        and (entry.song_id in begun or (entry.song_id in ours and entry.position < behind))
    ]


def begun(state: PlayerState) -> SongId | None:
    """Return the entry that has begun, or `None` where playback is stopped."""
    return None if state.playback_state is PlaybackState.STOP else state.song_id


def replaceable(
    state: PlayerState, queue: Sequence[QueueEntry], ours: Collection[SongId]
) -> list[QueueEntry]:
    """Return our entries that may still be exchanged for others.

    What the listener gave a priority is theirs, and the very next song is left alone when the
    current one is about to end.
    """
    return [
        entry
        for entry in upcoming(state, queue, ours)
        if not entry.priority and not _is_imminent(state, entry)
    ]


def _is_imminent(state: PlayerState, entry: QueueEntry) -> bool:
    follows = state.random or (state.position is not None and entry.position == state.position + 1)
    if not follows or state.duration_seconds is None or state.elapsed_seconds is None:
        return False
    left = state.duration_seconds - state.elapsed_seconds
    return left <= max(PREPARED_SECONDS, 2 * state.crossfade_seconds)


def recognised(
    remembered: Mapping[SongId, TrackId],
    queue: Sequence[QueueEntry],
    tracks: Mapping[SongId, TrackId],
) -> dict[SongId, TrackId]:
    """Return which entries are ours after a time in which the queue could not be seen.

    `tracks` says what the entries of `queue` are. An entry is ours when it still has its id and
    its track. A restarted player numbers its entries anew, by position; then an entry of one of
    our tracks is ours wherever it stands, the hindmost first, because we add at the end.
    """
    kept = {
        song_id: track_id
        for song_id, track_id in remembered.items()
        if tracks.get(song_id) == track_id
    }
    if any(entry.song_id != entry.position + 1 for entry in queue):
        return kept
    for song_id, track_id in remembered.items():
        if song_id in kept:
            continue
        for entry in reversed(queue):
            if tracks.get(entry.song_id) == track_id and entry.song_id not in kept:
                kept[entry.song_id] = track_id
                break
    return kept


def was_cleared(before: Collection[SongId], now: Sequence[QueueEntry], *, consuming: bool) -> bool:
    """Return whether the listener emptied the queue, perhaps to put other songs into it.

    `before` holds the ids of all entries that it had. In consume mode the last one goes by itself.
    """
    kept = ids_of(now) & set(before)
    return not kept and len(before) > (1 if consuming else 0)
