"""Keeps `picks.ahead` picks in the player's queue after the current song.

Picks are only ever added to the end of the queue. Playback, options and the listener's own entries
are never touched; picks that have not started yet may be replaced.
"""

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from anagnorisisd.clock import Clock
from anagnorisisd.config import schema
from anagnorisisd.domain.player import Mode, Player, PlayerState, QueueEntry, SongId, ids_of
from anagnorisisd.domain.track import TrackId
from anagnorisisd.errors import PreconditionFailed
from anagnorisisd.events import Events, LibraryChanged, UpcomingPicksChanged
from anagnorisisd.library.track_resolver import TrackIdCache
from anagnorisisd.picks import queue_rules
from anagnorisisd.picks.candidate_cache import CandidateCache
from anagnorisisd.picks.owned_entries import OwnedEntries
from anagnorisisd.picks.picking_status import PickingStatus
from anagnorisisd.picks.queue_filler import QueueFiller
from anagnorisisd.picks.queue_rules import QueueView, Shortfall
from anagnorisisd.picks.removed_picks import RemovedPicks
from anagnorisisd.picks.replanner import Replanner
from anagnorisisd.storage.library import LibraryStore


class QueueObserver:
    """Reads the queue; `view` is what was read last, `None` before the first time."""

    def __init__(
        self,
        *,
        library: LibraryStore,
        player: Player,
        owned: OwnedEntries,
        status: PickingStatus,
        removed: RemovedPicks,
        events: Events,
    ) -> None:
        self._player = player
        self._owned = owned
        self._status = status
        self._removed = removed
        self._events = events
        self._upcoming: tuple[SongId, ...] = ()
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
        removed = await self._owned.reconcile(state, entries, tracks)
        if self.view is not None and ids_of(self.view.entries) & ids_of(entries):
            self._removed.add(removed)
        # Else the queue was cleared: nothing was said of a single pick.
        self.view = QueueView(state, entries, tracks)
        self._publish_upcoming(self.view)
        return self.view

    def upcoming(self, view: QueueView) -> list[QueueEntry]:
        """Return the owned entries that are still to come, in queue order."""
        return queue_rules.upcoming_entries(view.state, view.entries, self._owned.tracks)

    def _publish_upcoming(self, view: QueueView) -> None:
        upcoming = tuple(entry.song_id for entry in self.upcoming(view))
        if upcoming != self._upcoming:
            self._upcoming = upcoming
            self._events.publish(UpcomingPicksChanged(upcoming))

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


class QueueManager:
    """Refills the queue: observes it, replaces picks that no longer fit, and adds missing ones."""

    def __init__(
        self,
        *,
        status: PickingStatus,
        owned: OwnedEntries,
        observer: QueueObserver,
        replanner: Replanner,
        filler: QueueFiller,
        candidates: CandidateCache,
        player: Player,
        clock: Clock,
        config: schema.Picks,
    ) -> None:
        self._candidates = candidates
        self._player = player
        self._status = status
        self._owned = owned
        self._observer = observer
        self._replanner = replanner
        self._filler = filler
        self._clock = clock
        self._config = config
        self._lock = asyncio.Lock()
        self._reconfigured = asyncio.Event()
        self._skipped: set[SongId] = set()
        self._skipped_from: SongId | None = None

    def reconfigure(self, config: schema.Picks) -> None:
        """Apply changed rules at the next refill; picks that they exclude are replaced."""
        self._config = config
        self._replanner.request(config.unit)
        self._reconfigured.set()

    async def wait_for_reconfiguration(self) -> None:
        """Wait until the rules have changed since the last call, so that a refill is needed."""
        await self._reconfigured.wait()
        self._reconfigured.clear()

    async def restore(self) -> None:
        """Read the stored state; call this before the first refill."""
        await self._status.restore()

    def reconnected(self) -> None:
        """Note that the player may have been restarted, or its queue changed, meanwhile."""
        self._observer.invalidate()
        self.database_updated()

    def database_updated(self) -> None:
        """Note that the player may now know files that it refused before."""
        self._filler.forget_refusals()

    def due(self) -> float:
        """Return when, in monotonic seconds, to refill although nothing changed; else `inf`."""
        if not self._status.active:
            return math.inf
        replan_at = self._replanner.due()
        return replan_at if replan_at < math.inf else self._filler.due()

    async def refill(self, state: PlayerState) -> None:
        """Replace picks that no longer fit, and add the missing ones.

        Raises:
            PlayerUnavailable: the connection to the player is lost; picks added before are kept.
        """
        async with self._lock:
            view = await self._observe(state)
            if state.song_id != self._skipped_from and await self._remove_skipped(view):
                view = await self._observe(state)
            if not self._status.active:
                self._status.report_inactive()
                return
            if await self._replanner.replan(view):
                view = await self._observe(state)
            shortfall = await self._shortfall(view)
            if shortfall.count:
                await self._filler.fill(view, shortfall.count, self._config)
                await self._observe(state)
            else:
                self._status.report(shortfall.reason)

    async def _observe(self, state: PlayerState) -> QueueView:
        view = await self._observer.observe(state)
        self._replanner.process_events()
        return view

    async def skip_album(self, state: PlayerState) -> int:
        """Go to the song after the current picked album; return how many songs are left out.

        They are removed at the next refill after the state was read: so the current song is seen to
        be left and not removed, and counts as skipped, also in consume mode.

        Raises:
            PreconditionFailed: no albums are picked, or the current song is not on one of them.
            PlayerUnavailable: the connection to the player is lost.
        """
        async with self._lock:
            if self._config.unit is schema.PickUnit.TRACK:
                raise PreconditionFailed("tracks are picked, not albums; see picks.unit")
            view = await self._observer.observe(state)
            rest = await self._candidates.rest_of_album(view, self._owned.tracks)
            if not rest and state.song_id not in self._owned.started:
                raise PreconditionFailed("the current song is not on an album that was picked")
            after = [
                entry
                for entry in view.entries
                if entry.position > (state.position or 0) and entry not in rest
            ]
            self._skipped = {entry.song_id for entry in rest}
            if state.consume is not Mode.OFF and state.song_id is not None:
                # MPD consumes a song that ends or is skipped, but not one that is left for another.
                self._skipped.add(state.song_id)
            self._skipped_from = state.song_id
            if after:
                await self._player.go_to(after[0].song_id)
            else:
                await self._remove_skipped(view)
                await self._player.skip()
            return len(rest)

    async def remove_pick(self, state: PlayerState, song_id: SongId) -> TrackId:
        """Remove a pick from the queue for the listener; return its track.

        The next refill replaces it by another track.

        Raises:
            PreconditionFailed: the entry is no pick that is still to come.
            PlayerUnavailable: the connection to the player is lost.
        """
        async with self._lock:
            view = await self._observer.observe(state)
            if song_id not in ids_of(self._observer.upcoming(view)):
                raise PreconditionFailed(f"the entry {song_id} is no pick that is still to come")
            track_id = self._owned.tracks[song_id]
            await self._player.remove(song_id)
            await self._observer.observe(state)
            return track_id

    async def _remove_skipped(self, view: QueueView) -> bool:
        """Remove the rest of a skipped album; return whether there was one."""
        skipped, self._skipped, self._skipped_from = self._skipped, set(), None
        waiting = [entry.song_id for entry in view.entries if entry.song_id in skipped]
        for song_id in waiting:
            self._owned.note_removal(song_id)
            await self._player.remove(song_id)
        return bool(waiting)

    async def _shortfall(self, view: QueueView) -> Shortfall:
        owned = self._owned.tracks
        wanted = queue_rules.shortfall(
            view.state,
            view.entries,
            owned,
            self._config.ahead,
            fill_empty_queue=self._config.fill_empty_queue,
        )
        if self._config.unit is schema.PickUnit.TRACK or wanted.reason is not None:
            return wanted
        ahead = await self._candidates.albums_ahead(view, owned)
        return Shortfall(max(0, self._config.ahead - ahead))
