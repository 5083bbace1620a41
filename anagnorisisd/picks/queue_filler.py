"""Adds picks to the end of the queue, and copes with what the player refuses."""

import contextlib
import logging
import math
from collections.abc import Sequence, Set
from random import Random

from anagnorisisd.clock import Clock
from anagnorisisd.config import schema
from anagnorisisd.domain.pick import Pick
from anagnorisisd.domain.player import Player, QueueEntry, SongId, ids_of
from anagnorisisd.domain.track import TrackId, Uri
from anagnorisisd.errors import PlayerFull, PlayerRefused, UnknownToPlayer
from anagnorisisd.events import Events, PickQueued
from anagnorisisd.picks import albums, queue_rules
from anagnorisisd.picks.candidate_cache import CandidateCache
from anagnorisisd.picks.owned_entries import OwnedEntries
from anagnorisisd.picks.picking_status import PickingStatus
from anagnorisisd.picks.queue_rules import QueueView
from anagnorisisd.runtime.event_loop import run_to_completion
from anagnorisisd.storage.library import LibraryStore

log = logging.getLogger(__name__)

MAX_ROUNDS = 5
"""How often, within one refill, refused tracks are replaced by others."""

RETRY_SECONDS = 15.0
"""How long to wait after a refill in which no pick was added."""

EMPTY_LIBRARY = "the library has no tracks yet; picks follow when a scan has found some"
NO_ALBUMS = "no other album of the library has enough tracks (picks.album_minimum_tracks)"
FULL_QUEUE = "MPD's queue is full, so that the album is not complete"
UNLISTED = "no track of the library is in MPD's database; `anagnorisis status` says why"
NO_CANDIDATES = "all tracks of the library are in the queue already, or were refused by MPD"


class QueueFiller:
    """Chooses picks and adds them to the queue."""

    def __init__(
        self,
        *,
        library: LibraryStore,
        player: Player,
        events: Events,
        clock: Clock,
        candidates: CandidateCache,
        owned: OwnedEntries,
        status: PickingStatus,
        rng: Random,
    ) -> None:
        self._library = library
        self._player = player
        self._events = events
        self._clock = clock
        self._candidates = candidates
        self._owned = owned
        self._status = status
        self._rng = rng
        self._refused: set[TrackId] = set()
        self._retry_at = 0.0
        self._failed_for: Set[SongId] = frozenset()
        """The entries of the queue when `_retry_at` was set."""
        self._full_length: int | None = None
        self._last_reason: str | None = None
        """Why the last attempt added no pick; `None` if it added some."""

    def forget_refusals(self) -> None:
        """Note that the player may now accept what it refused before."""
        self._refused.clear()
        self._retry_at = 0.0
        self._full_length = None

    def due(self) -> float:
        """Return when, in monotonic seconds, to retry after a refusal; `inf` if not at all."""
        return self._retry_at if self._retry_at > self._clock.monotonic() else math.inf

    async def fill(self, view: QueueView, count: int, config: schema.Picks) -> None:
        """Add `count` picks, unless its queue is full or none could be added a moment ago.

        After entries were removed, it is tried again at once: their tracks can be picked now.

        Raises:
            PlayerUnavailable: the connection to the player is lost; picks added before are kept.
        """
        waits = self._clock.monotonic() < self._retry_at
        if self._queue_is_full(view) or (waits and self._failed_for <= ids_of(view.entries)):
            # Another reason may have been reported meanwhile: repeat was on, say.
            self._status.report(self._last_reason)
            return
        add = self._add_albums if config.unit is schema.PickUnit.ALBUM else self._add
        try:
            added, reason = await add(view, count)
        except PlayerFull as error:
            self._last_reason = str(error)
            self._status.report(self._last_reason, level=logging.WARNING)
            return
        self._last_reason = None if added else reason
        self._status.report(self._last_reason)
        if added:
            if config.start_playback and not view.entries:
                await self._player.play()
        elif reason not in {EMPTY_LIBRARY, UNLISTED}:  # there, an event is waited for
            self._retry_at = self._clock.monotonic() + RETRY_SECONDS
            self._failed_for = ids_of(view.entries)

    def _queue_is_full(self, view: QueueView) -> bool:
        if self._full_length is not None and len(view.entries) < self._full_length:
            self._full_length = None
        return self._full_length is not None and not self._finished_entries(view)

    def _finished_entries(self, view: QueueView) -> list[QueueEntry]:
        return queue_rules.finished_entries(
            view.state, view.entries, self._owned.tracks, self._owned.started
        )

    async def _add(self, view: QueueView, count: int) -> tuple[int, str | None]:
        """Add up to `count` picks; return how many, and why none.

        Raises:
            PlayerFull: the queue is full, and no entry of ours can be removed from it.
        """
        added, length = 0, len(view.entries)
        finished = self._finished_entries(view)
        reason: str | None = None
        for _ in range(MAX_ROUNDS):
            for pick, uri in await self._choose(view, count - added):
                try:
                    await self._enqueue(pick, uri)
                    added += 1
                except PlayerFull:
                    if not finished:
                        self._full_length = length + added
                        raise
                    # Finished entries of ours make room for the picks of the next round.
                    for _ in range(min(len(finished), count - added)):
                        await self._remove(finished.pop(0))
                        length -= 1
                    break
                except PlayerRefused as error:
                    reason = f"MPD refused the picks: {error}"
                    self._refused.add(pick.track_id)
                    log.debug("MPD refused %s: %s", uri, error)
            if added >= count:
                break
        if not added and reason is None:
            reason = await self._reason_for_no_candidate()
        return added, reason

    async def _add_albums(self, view: QueueView, count: int) -> tuple[int, str | None]:
        """Add up to `count` whole albums; return how many, and why none.

        Raises:
            PlayerFull: the queue is full, and no entry of ours can be removed from it.
        """
        added, length = 0, len(view.entries)
        finished = self._finished_entries(view)
        excluded = self._excluded(view)
        for picks in await self._candidates.choose_albums(view, count, self._rng, excluded):
            tracks = 0
            for pick, uri in await self.in_play_order(picks):
                while not await self._add_unless_full(pick, uri):
                    if not finished:
                        self._full_length = length
                        raise PlayerFull(FULL_QUEUE)
                    await self._remove(finished.pop(0))
                    length -= 1
                if pick.track_id not in self._refused:
                    tracks, length = tracks + 1, length + 1
            added += tracks > 0
        if added:
            return added, None
        reason = await self._reason_for_no_candidate()
        return 0, NO_ALBUMS if reason == NO_CANDIDATES else reason

    async def _remove(self, entry: QueueEntry) -> None:
        self._owned.note_removal(entry.song_id)
        await self._player.remove(entry.song_id)

    async def _add_unless_full(self, pick: Pick, uri: Uri) -> bool:
        """Add a pick, or remember that MPD refused it; return false if the queue is full."""
        try:
            await self._enqueue(pick, uri)
        except PlayerFull:
            return False
        except PlayerRefused as error:
            self._refused.add(pick.track_id)
            log.debug("MPD refused %s: %s", uri, error)
        return True

    async def in_play_order(self, picks: Sequence[Pick]) -> list[tuple[Pick, Uri]]:
        """Return the picks of an album in the order of disc and track, with their files."""
        by_track = {pick.track_id: pick for pick in picks}
        uris = await self._library.uris(list(by_track))
        numbers = {}
        for uri in uris.values():
            with contextlib.suppress(PlayerRefused):
                number = await self._player.track_number(uri)
                if number is not None:
                    numbers[uri] = number
        return [(by_track[each], uris[each]) for each in albums.play_order(uris, numbers)]

    async def _reason_for_no_candidate(self) -> str:
        if await self._candidates.count():
            return NO_CANDIDATES
        return UNLISTED if (await self._library.unlisted()).tracks else EMPTY_LIBRARY

    async def _choose(self, view: QueueView, count: int) -> list[tuple[Pick, Uri]]:
        """Choose up to `count` picks that were not refused, with their files."""
        excluded = self._excluded(view)
        picks = await self._candidates.choose(view, count, self._rng, excluded)
        uris = await self._library.uris([pick.track_id for pick in picks])
        # Some files may have gone missing since the candidates were read.
        self._refused.update(pick.track_id for pick in picks if pick.track_id not in uris)
        return [(pick, uris[pick.track_id]) for pick in picks if pick.track_id in uris]

    def _excluded(self, view: QueueView) -> set[TrackId]:
        """Return the tracks that were refused, or added since the queue was read."""
        seen = ids_of(view.entries)
        owned = self._owned.tracks.items()
        return self._refused | {track_id for song_id, track_id in owned if song_id not in seen}

    async def _enqueue(self, pick: Pick, uri: Uri) -> None:
        """Add a pick; if MPD does not know the file, ask it to update its database."""
        try:
            # Shielded: an entry that was added but not stored would be taken for the listener's.
            song_id = await run_to_completion(self._add_owned(pick.track_id, uri))
        except UnknownToPlayer:
            with contextlib.suppress(PlayerRefused):
                await self._player.update(uri)
            raise
        self._owned.explanations[song_id] = pick.explanation
        self._events.publish(PickQueued(pick, uri))

    async def _add_owned(self, track_id: TrackId, uri: Uri) -> SongId:
        song_id = await self._player.enqueue(uri)
        await self._owned.add(song_id, track_id)
        return song_id
