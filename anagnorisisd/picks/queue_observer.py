"""Observes the player's queue: its tracks, its owned entries, and whether it was cleared."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from anagnorisisd.domain.player import Mode, Player, PlayerState, QueueEntry, SongId, ids_of
from anagnorisisd.domain.track import TrackId
from anagnorisisd.events import Events, LibraryChanged
from anagnorisisd.library.track_resolver import TrackIdCache
from anagnorisisd.picks import queue_rules
from anagnorisisd.picks.owned_entries import OwnedEntries
from anagnorisisd.picks.picking_status import PickingStatus
from anagnorisisd.picks.queue_rules import QueueView
from anagnorisisd.storage.library import LibraryStore


class QueueObserver:
    """Reads the queue; `view` is what was read last, `None` before the first time."""

    def __init__(
        self,
        library: LibraryStore,
        player: Player,
        owned: OwnedEntries,
        status: PickingStatus,
        events: Events,
    ) -> None:
        self._player = player
        self._owned = owned
        self._status = status
        self._tracks = _EntryTracks(library, events)
        self.view: QueueView | None = None

    def invalidate(self) -> None:
        """Note that the queue was not observed for a while, and may be another one."""
        self._owned.invalidate()
        self.view = None

    async def observe(self, state: PlayerState) -> QueueView:
        """Read the queue, and update the owned entries and the status.

        Raises:
            PlayerUnavailable: the connection to the player is lost.
        """
        entries = await self._player.queue()
        state = _with_position_in(entries, state)
        tracks = await self._tracks.find(entries)
        self._detect_clearing(state, entries)
        await self._owned.reconcile(state, entries, tracks)
        self.view = QueueView(state, entries, tracks)
        return self.view

    def _detect_clearing(self, state: PlayerState, entries: Sequence[QueueEntry]) -> None:
        """After the listener cleared the queue, no picks are added until they play something."""
        if queue_rules.started_entry(state) in ids_of(entries):
            self._status.queue_cleared = False
        elif self.view is not None:
            consume = self.view.state.consume is not Mode.OFF
            # Picks that were added since the queue was read may have been cleared with the rest.
            before = ids_of(self.view.entries) | self._owned.tracks.keys()
            if queue_rules.was_cleared(before, entries, consume=consume):
                self._status.queue_cleared = True


def _with_position_in(entries: Sequence[QueueEntry], state: PlayerState) -> PlayerState:
    """Return the state with the position that the current song has in `entries`.

    The queue is read after the state: entries before the current song may have been removed.
    """
    position = state.position
    if position is None or (position < len(entries) and entries[position].song_id == state.song_id):
        return state
    found = (entry.position for entry in entries if entry.song_id == state.song_id)
    return replace(state, position=next(found, position))


class _EntryTracks:
    """Maps queue entries to tracks; only entries that changed are looked up."""

    def __init__(self, library: LibraryStore, events: Events) -> None:
        self._track_ids = TrackIdCache(library, events)
        self._subscription = events.subscribe()
        self._entries: Sequence[QueueEntry] = ()
        self._found: Mapping[SongId, TrackId] = {}

    async def find(self, entries: Sequence[QueueEntry]) -> Mapping[SongId, TrackId]:
        """Return the track of each entry whose file belongs to the library."""
        if any(
            announcement.missed or isinstance(announcement.event, LibraryChanged)
            for announcement in self._subscription.arrived()
        ):
            self._entries, self._found = (), {}
        before, found = self._entries, dict(self._found)
        # The player returns the same object for an entry that did not change, so that comparing
        # queues of thousands takes no time.
        changed = [pair for pair in zip(before, entries, strict=False) if pair[0] is not pair[1]]
        for entry in (*(old for old, _ in changed), *before[len(entries) :]):
            found.pop(entry.song_id, None)
        for entry in (*(new for _, new in changed), *entries[len(before) :]):
            track_id = await self._track_ids.get(entry.uri)
            if track_id is not None:
                found[entry.song_id] = track_id
        self._entries, self._found = entries, found
        return found
