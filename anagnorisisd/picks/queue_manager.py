"""Queueing: keeping picks ahead in the player's queue, without ever surprising the listener."""

import asyncio
import contextlib
import logging
import math
from collections.abc import Collection, Sequence
from random import Random

from anagnorisisd.clock import Clock
from anagnorisisd.config import schema
from anagnorisisd.domain.pick import Explanation, Pick
from anagnorisisd.domain.play import PlayOutcome
from anagnorisisd.domain.player import Mode, Player, PlayerState, QueueEntry, SongId, ids_of
from anagnorisisd.domain.track import TrackId, Uri
from anagnorisisd.errors import (
    PlayerFull,
    PlayerRefused,
    PreconditionFailed,
    UnknownToPlayer,
)
from anagnorisisd.events import (
    Announcement,
    EvaluatorPromoted,
    Events,
    PickingSwitched,
    PickQueued,
    PlayJudged,
    PredictionsUpdated,
    TrackRated,
)
from anagnorisisd.picks import queue_rules
from anagnorisisd.picks.candidate_cache import CandidateCache
from anagnorisisd.picks.no_picks_reason import CLEARED, NOTHING, Reason
from anagnorisisd.picks.owned_entries import OwnedEntries
from anagnorisisd.picks.queue_rules import QueueView, Shortfall
from anagnorisisd.picks.queue_tracks import QueueTracks
from anagnorisisd.runtime.shielded import shielded
from anagnorisisd.storage.library import LibraryStore
from anagnorisisd.storage.plays import PlayStore
from anagnorisisd.storage.queue import QueueStore

log = logging.getLogger(__name__)

SETTING = "picking"
ROUNDS = 5
"""How often, within one refill, tracks that the player refused are replaced by others."""

REFUSED_PAUSE_SECONDS = 15.0
"""How long to wait after a refill in which the player took nothing at all."""

REPLAN_PAUSE_SECONDS = 5.0


class QueueManager:
    """Chooses picks, puts them at the end of the queue, and exchanges those that no longer fit."""

    def __init__(
        self,
        *,
        library: LibraryStore,
        store: QueueStore,
        plays: PlayStore,
        player: Player,
        events: Events,
        clock: Clock,
        config: schema.Picks,
        seed: int | None = None,
    ) -> None:
        self._library = library
        self._store = store
        self._player = player
        self._events = events
        self._clock = clock
        self._config = config
        self._rng = Random(seed)  # noqa: S311 - no secret
        self._pool = CandidateCache(library, plays, events, clock, config)
        self._tracks = QueueTracks(library, events)
        self._ours = OwnedEntries(store)
        self._news = events.subscribe()
        self._turn = asyncio.Lock()
        self._switched: bool | None = None
        self._view: QueueView | None = None
        self._explanations: dict[SongId, Explanation] = {}
        self._refused: set[TrackId] = set()
        self._not_before = 0.0
        self._cleared = False
        self._replan_wanted = False
        self._replanned_at = -REPLAN_PAUSE_SECONDS
        self._full_at: int | None = None
        self._held_back = Reason(events)

    @property
    def enabled(self) -> bool:
        """Whether picks are put into the queue; what the listener switched counts first."""
        return self._config.enabled if self._switched is None else self._switched

    @property
    def reason(self) -> str | None:
        """Why no picks are added although picking is on; `None` when they are."""
        return self._held_back.text

    def reconfigure(self, config: schema.Picks) -> None:
        """Pick by other rules from now on; entries of ours that do not fit them are exchanged."""
        before = self.enabled
        self._config = config
        self._pool.reconfigure(config)
        self._replan_wanted = True
        if self.enabled is not before:
            self._events.publish(PickingSwitched(self.enabled))

    async def restore(self) -> None:
        """Take up the switch as the listener left it; call it once before anything else."""
        setting = await self._store.setting(SETTING)
        self._switched = None if setting is None else setting == "on"

    async def switch(self, enabled: bool) -> None:
        """Switch picking on or off, durably. What is in the queue stays there."""
        await self._store.put_setting(SETTING, "on" if enabled else "off")
        self._switched = enabled
        self._cleared = self._cleared and not enabled
        self._events.publish(PickingSwitched(enabled))

    def reconnected(self) -> None:
        """Note that the player may have been restarted or changed meanwhile."""
        self._ours.doubt()
        self._view = None
        self.reconsider()

    def reconsider(self) -> None:
        """Note that the player may now know files that it refused before."""
        self._refused.clear()
        self._not_before = 0.0
        self._full_at = None

    def due(self) -> float:
        """Return when, by the monotonic clock, to refill although nothing changed; else `inf`."""
        if not self.enabled or self._cleared:
            return math.inf
        if self._replan_wanted:
            return self._replanned_at + REPLAN_PAUSE_SECONDS
        return self._not_before if self._not_before > self._clock.monotonic() else math.inf

    async def refill(self, state: PlayerState) -> None:
        """Bring the queue to the configured number of picks ahead, as its manners allow.

        Raises:
            PlayerUnavailable: the player went away; what was added so far is remembered.
        """
        async with self._turn:
            view = await self._look(state)
            if not self.enabled or self._cleared:
                self._held_back.tell(CLEARED if self.enabled else None)
                return
            if self._may_replan():
                await self._replan(view)
                view = await self._look(state)
            short = self._shortfall(view)
            if not short.count:
                self._held_back.tell(short.reason)
            elif self._may_add(view):
                await self._add(view, short.count)
                await self._look(state)

    async def preview(self, count: int, seed: int | None = None) -> list[Pick]:
        """Choose the next picks without queueing them; the same seed gives the same picks."""
        return await self._pool.choose(self._view, count, Random(seed))  # noqa: S311 - no secret

    async def explain(self, track_id: TrackId) -> Explanation:
        """Return every factor of a track's weight as it is now.

        Raises:
            PreconditionFailed: no file of the track is present, so it cannot be picked.
        """
        found = await self._pool.explain(self._view, track_id)
        if found is None:
            raise PreconditionFailed("the track's file is missing, so it cannot be picked")
        return found

    async def excluded(self) -> Collection[TrackId]:
        """Return the tracks that the listener excluded from picks."""
        return await self._pool.excluded()

    async def ahead(self) -> list[Pick]:
        """Return our entries that are to come, in order, each with its factors.

        They are those that it was picked by, until ratings or predictions change.
        """
        view = self._view
        if view is None:
            return []
        picks = []
        # Entries may come and go while a reason is worked out: these are those of one moment.
        ours = self._ours.tracks
        for entry in queue_rules.upcoming(view.state, view.entries, ours):
            track_id = ours[entry.song_id]
            explanation = await self._reason(entry.song_id, track_id, view)
            picks += [Pick(track_id, explanation)] if explanation else []
        return picks

    async def _reason(
        self, song_id: SongId, track_id: TrackId, view: QueueView
    ) -> Explanation | None:
        """Return why an entry was picked, or else why it would be picked now."""
        if song_id not in self._explanations:
            now = await self._pool.explain_queued(view, track_id)
            if now is None:
                return None
            self._explanations[song_id] = now
        return self._explanations[song_id]

    async def _look(self, state: PlayerState) -> QueueView:
        entries = await self._player.queue()
        tracks = await self._tracks.of(entries)
        self._note_clearing(state, entries)
        await self._ours.compare(state, entries, tracks, self._clock.now())
        if any(map(_changes_weights, self._news.arrived())):
            self._replan_wanted = True
            self._explanations.clear()
        known = self._explanations.items()
        self._explanations = {key: why for key, why in known if key in self._ours.tracks}
        self._view = QueueView(state, entries, tracks)
        return self._view

    def _note_clearing(self, state: PlayerState, entries: Sequence[QueueEntry]) -> None:
        """A cleared queue is the listener's word: nothing is added until they play again."""
        if queue_rules.begun(state) in ids_of(entries):
            self._cleared = False
        elif self._view is not None:
            consuming = self._view.state.consume is not Mode.OFF
            # What was added since the last look may have been cleared together with the rest.
            before = ids_of(self._view.entries) | self._ours.tracks.keys()
            self._cleared |= queue_rules.was_cleared(before, entries, consuming=consuming)

    def _shortfall(self, view: QueueView) -> Shortfall:
        return queue_rules.shortfall(
            view.state,
            view.entries,
            self._ours.tracks,
            self._config.ahead,
            fill_empty_queue=self._config.fill_empty_queue,
        )

    def _may_add(self, view: QueueView) -> bool:
        """Whether it is worth while to try: not right after a refusal, nor while it is full."""
        if self._full_at is not None and len(view.entries) < self._full_at:
            self._full_at = None
        full = self._full_at is not None and not self._spent(view)
        return not full and self._clock.monotonic() >= self._not_before

    def _spent(self, view: QueueView) -> list[QueueEntry]:
        return queue_rules.spent(view.state, view.entries, self._ours.tracks, self._ours.begun)

    async def _add(self, view: QueueView, count: int) -> None:
        """Add picks, and tell the reason where none could be added."""
        added, held = 0, len(view.entries)
        spent = self._spent(view)
        reason: str | None = NOTHING
        for _ in range(ROUNDS):
            for chosen, uri in await self._chosen(count - added):
                try:
                    added += await self._enqueue(chosen, uri)
                except PlayerFull as error:
                    if not spent:
                        self._full_at = held + added
                        self._held_back.tell(str(error), level=logging.WARNING)
                        return
                    # What has had its turn makes room, for which the next round picks.
                    for _ in range(min(len(spent), count - added)):
                        await self._player.remove(spent.pop(0).song_id)
                        held -= 1
                    break
                except PlayerRefused as error:
                    reason = f"MPD did not take them: {error}"
                    self._refused.add(chosen.track_id)
                    log.debug("%s was left out: %s", uri, error)
            if added >= count:
                break
        self._held_back.tell(None if added else reason)
        if not added:
            self._not_before = self._clock.monotonic() + REFUSED_PAUSE_SECONDS
        elif self._config.start_playback and not view.entries:
            await self._player.play()

    async def _chosen(self, count: int) -> list[tuple[Pick, Uri]]:
        """Choose picks that were not refused, with their files."""
        left_out = {*self._refused, *self._ours.tracks.values()}
        picks = await self._pool.choose(self._view, count, self._rng, left_out)
        uris = await self._library.uris([chosen.track_id for chosen in picks])
        # Without those that went missing a moment ago.
        self._refused.update(chosen.track_id for chosen in picks if chosen.track_id not in uris)
        return [(chosen, uris[chosen.track_id]) for chosen in picks if chosen.track_id in uris]

    async def _enqueue(self, chosen: Pick, uri: Uri) -> bool:
        """Add a pick; the player is asked to look for a file that it does not know."""
        try:
            song_id = await shielded(self._put(chosen.track_id, uri))
        except UnknownToPlayer:
            with contextlib.suppress(PlayerRefused):
                await self._player.update(uri)
            raise
        self._explanations[song_id] = chosen.explanation
        self._events.publish(PickQueued(chosen, uri))
        return True

    async def _put(self, track_id: TrackId, uri: Uri) -> SongId:
        """Add a file to the queue and remember that it is ours."""
        song_id = await self._player.enqueue(uri)
        await self._ours.add(song_id, track_id, self._clock.now())
        return song_id

    def _may_replan(self) -> bool:
        due = self._clock.monotonic() - self._replanned_at >= REPLAN_PAUSE_SECONDS
        return self._replan_wanted and due

    async def _replan(self, view: QueueView) -> None:
        """Take back our entries that would hardly be chosen any more."""
        self._replan_wanted = False
        self._replanned_at = self._clock.monotonic()
        ours = self._ours.tracks
        entries = queue_rules.replaceable(view.state, view.entries, ours)
        if not entries:
            return
        unfit = await self._pool.unfit(view, {ours[entry.song_id] for entry in entries})
        for entry in entries:
            if ours[entry.song_id] in unfit:
                await self._player.remove(entry.song_id)


def _changes_weights(told: Announcement) -> bool:
    """Whether an announcement is a reason to look at our entries again."""
    if isinstance(told.event, PlayJudged):
        return told.event.play.outcome is PlayOutcome.SKIP
    return bool(told.missed) or isinstance(
        told.event, TrackRated | EvaluatorPromoted | PredictionsUpdated
    )
