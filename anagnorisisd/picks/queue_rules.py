"""Rules of the player's queue: how many picks are missing, and which entries may be replaced.

*Owned entries* here are those that the daemon added and that have not started yet. Once an entry
has been the current one it is history, and what the listener does with it is theirs. A priority
that the listener gave to an entry makes it theirs too.

| playback options | picks wanted |
|---|---|
| single, also for one song | none: the listener wants silence after this song |
| repeat | none: the queue never ends |
| an empty queue | none, unless `picks.fill_empty_queue` is set |
| random | `picks.ahead`, at any position |
| all others, consume included | `picks.ahead`, after the current song |
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

from anagnorisisd.domain.player import Mode, PlaybackState, PlayerState, QueueEntry, SongId, ids_of
from anagnorisisd.domain.track import TrackId

PRELOAD_SECONDS = 10.0
"""So long before its turn the player may have opened the next song; it is not replaced then."""


@dataclass(frozen=True, slots=True)
class Shortfall:
    """How many picks are missing, and why none are where the listener might expect some."""

    count: int
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class QueueView:
    """The player and its queue when they were last read.

    `tracks` maps the entries whose files belong to the library to their tracks.
    """

    state: PlayerState
    entries: Sequence[QueueEntry]
    tracks: Mapping[SongId, TrackId]

    @property
    def from_current(self) -> list[TrackId]:
        """The tracks from the current one on, in queue order."""
        return self._tracks(entry for entry in self.entries if entry.position >= self._current)

    @property
    def upcoming(self) -> list[TrackId]:
        """The tracks that play or may follow; in random mode all of the queue."""
        return self._tracks(self.entries) if self.state.random else self.from_current

    @property
    def played(self) -> list[TrackId]:
        """The tracks before the current one; none in random mode, where the order says nothing."""
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
    owned: Collection[SongId],
    ahead: int,
    *,
    fill_empty_queue: bool = False,
) -> Shortfall:
    """Return how many picks must be added so that `ahead` of them are upcoming."""
    if state.single is not Mode.OFF:
        return Shortfall(0, "single is on, so nothing follows the current song")
    if state.repeat:
        return Shortfall(0, "repeat is on, so the queue never ends")
    if not queue and not fill_empty_queue:
        return Shortfall(0, "the queue is empty, and picks.fill_empty_queue is off")
    return Shortfall(max(0, ahead - len(upcoming_entries(state, queue, owned))))


def rest_of_album(
    current: int | None, upcoming: Sequence[QueueEntry], albums: Mapping[SongId, int]
) -> list[QueueEntry]:
    """Return the upcoming owned entries that belong to the album of the current song.

    These are the first of them, up to one of another album. `albums` has the numbers of the albums
    of the entries, `current` is that of the current song.
    """
    if current is None:
        return []
    return list(takewhile(lambda entry: albums.get(entry.song_id) == current, upcoming))


def count_albums(upcoming: Sequence[QueueEntry], albums: Mapping[SongId, int]) -> int:
    """Return how many albums the upcoming owned entries are; a track of none counts as one."""
    numbers = [albums.get(entry.song_id) for entry in upcoming]
    return sum(
        number is None or number != before
        for number, before in zip(numbers, [None, *numbers], strict=False)
    )


def upcoming_entries(
    state: PlayerState, queue: Sequence[QueueEntry], owned: Collection[SongId]
) -> list[QueueEntry]:
    """Return the owned entries that are still to come, in queue order."""
    if not owned:
        return []
    current = _last_played_position(state)
    return [
        entry
        for entry in queue
        if entry.song_id in owned and entry.position > current and entry.song_id != state.song_id
    ]


def finished_entries(
    state: PlayerState,
    queue: Sequence[QueueEntry],
    owned: Collection[SongId],
    started: Collection[SongId],
) -> list[QueueEntry]:
    """Return the entries added by us that were played or jumped over, in queue order.

    `owned` have not started yet, `started` have.
    """
    if not (owned or started):
        return []
    current = _last_played_position(state)
    return [
        entry
        for entry in queue
        if entry.song_id != state.song_id
        and (entry.song_id in started or (entry.song_id in owned and entry.position < current))
    ]


def _last_played_position(state: PlayerState) -> int:
    """Return the position up to which entries cannot follow; -1 where any entry can."""
    return -1 if state.random or state.position is None else state.position


def started_entry(state: PlayerState) -> SongId | None:
    """Return the entry that plays or is paused; `None` while playback is stopped."""
    return None if state.playback_state is PlaybackState.STOP else state.song_id


def replaceable_entries(
    state: PlayerState, queue: Sequence[QueueEntry], owned: Collection[SongId]
) -> list[QueueEntry]:
    """Return the owned entries that may be replaced by others.

    These are the upcoming ones without a priority, except the next song when the current one is
    about to end.
    """
    return [
        entry
        for entry in upcoming_entries(state, queue, owned)
        if not entry.priority and not _is_imminent(state, entry)
    ]


def _is_imminent(state: PlayerState, entry: QueueEntry) -> bool:
    follows = state.random or (state.position is not None and entry.position == state.position + 1)
    if not follows or state.duration_seconds is None or state.elapsed_seconds is None:
        return False
    remaining = state.duration_seconds - state.elapsed_seconds
    return remaining <= max(PRELOAD_SECONDS, 2 * state.crossfade_seconds)


def find_owned_entries(
    stored: Mapping[SongId, TrackId],
    queue: Sequence[QueueEntry],
    tracks: Mapping[SongId, TrackId],
) -> dict[SongId, TrackId]:
    """Return which entries are owned after a time in which the queue could not be observed.

    `stored` are the owned entries before, `tracks` the tracks of the entries of `queue`. An entry
    is owned if it still has its id and its track. A restarted player numbers its entries anew, by
    position; then an entry with the track of an owned one is owned, the last such entry first,
    because picks are added at the end.
    """
    found = {
        song_id: track_id for song_id, track_id in stored.items() if tracks.get(song_id) == track_id
    }
    renumbered = all(entry.song_id == entry.position + 1 for entry in queue)
    if not renumbered:
        return found
    for song_id, track_id in stored.items():
        if song_id in found:
            continue
        for entry in reversed(queue):
            if tracks.get(entry.song_id) == track_id and entry.song_id not in found:
                found[entry.song_id] = track_id
                break
    return found


def was_cleared(before: Collection[SongId], now: Sequence[QueueEntry], *, consume: bool) -> bool:
    """Return whether the listener emptied the queue, perhaps to add other songs.

    `before` holds the ids of all entries that it had. In consume mode the player itself removes
    the last one.
    """
    kept = ids_of(now) & set(before)
    return not kept and len(before) > (1 if consume else 0)
