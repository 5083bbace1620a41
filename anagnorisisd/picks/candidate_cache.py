"""The pool that picks are drawn from: all candidates, kept in line with what is announced.

A rating or a play concerns one track, and only that is read again. All of them are when the library
or the evaluator changed: a second for a quarter of a million of them.
"""

import asyncio
from collections.abc import Collection
from dataclasses import replace
from random import Random

import numpy as np

from anagnorisisd.clock import Clock
from anagnorisisd.config import schema
from anagnorisisd.domain.pick import Candidates, Explanation, Pick
from anagnorisisd.domain.track import TrackId
from anagnorisisd.events import (
    Announcement,
    EvaluatorPromoted,
    Events,
    LibraryChanged,
    PlayJudged,
    PredictionsUpdated,
    TrackRated,
)
from anagnorisisd.picks import chooser, scoring
from anagnorisisd.picks.chooser import PickContext
from anagnorisisd.picks.guards import GuardRules
from anagnorisisd.picks.queue_rules import QueueView
from anagnorisisd.storage.library import LibraryStore
from anagnorisisd.storage.plays import PlayStore

SWEEPING = (LibraryChanged, PredictionsUpdated, EvaluatorPromoted)
"""Announcements of what may concern every track."""

HARDLY = 0.05
"""A track is unfit when a new pick would in 95 % of all cases be a weightier one."""


class CandidateCache:
    """Holds the candidates, and chooses among them by the listener's rules."""

    def __init__(
        self,
        library: LibraryStore,
        plays: PlayStore,
        events: Events,
        clock: Clock,
        config: schema.Picks,
    ) -> None:
        self._library = library
        self._plays = plays
        self._clock = clock
        self._news = events.subscribe()
        self._read: Candidates | None = None
        self._touched: set[TrackId] = set()
        self._reading = asyncio.Lock()
        self.reconfigure(config)

    def reconfigure(self, config: schema.Picks) -> None:
        """Choose by other rules from now on."""
        self._folders = config.exclude_folders
        self._genres = config.exclude_genres
        self._stale = True
        self._rules = GuardRules(
            min_hours_between_plays=config.min_hours_between_plays,
            artist_spread=config.artist_spread,
            album_spread=config.album_spread,
            min_seconds=config.min_seconds,
            max_seconds=config.max_minutes * 60,
            explore=config.explore,
        )

    async def choose(
        self,
        view: QueueView | None,
        count: int,
        rng: Random,
        left_out: Collection[TrackId] = (),
    ) -> list[Pick]:
        """Choose tracks that are neither in the queue nor among `left_out`."""
        surroundings = await self._surroundings(view)
        queued = [*surroundings.queued, *left_out]
        return chooser.choose(
            await self._candidates(), self._rules, replace(surroundings, queued=queued), count, rng
        )

    async def explain(self, view: QueueView | None, track_id: TrackId) -> Explanation | None:
        """Return why a track has the chance it has; `None` when it is not present."""
        surroundings = await self._surroundings(view)
        return chooser.explain(await self._candidates(), self._rules, surroundings, track_id)

    async def explain_queued(self, view: QueueView, track_id: TrackId) -> Explanation | None:
        """Return which chance a track of the queue would have if it were not there."""
        others = self._without(view, {track_id})
        return chooser.explain(await self._candidates(), self._rules, others, track_id)

    async def unfit(self, view: QueueView, ours: Collection[TrackId]) -> set[TrackId]:
        """Return which of `ours`, all in the queue, would hardly be chosen now."""
        candidates = await self._candidates()
        rules = replace(self._rules, artist_spread=0, album_spread=0)
        chances = chooser.probabilities(candidates, rules, self._without(view, ours))
        rows = {track_id: candidates.row(track_id) for track_id in ours}
        return {
            track_id
            for track_id, row in rows.items()
            if row is None or float(chances[chances <= chances[row]].sum()) < HARDLY
        }

    async def excluded(self) -> Collection[TrackId]:
        """Return the tracks that the listener excluded from picks."""
        if not (self._folders or self._genres):
            return ()
        candidates = await self._candidates()
        rows = np.flatnonzero(candidates.excluded).tolist()
        return {candidates.track_id(row) for row in rows}

    def _without(self, view: QueueView, tracks: Collection[TrackId]) -> PickContext:
        """Return the queue as if `tracks` were not in it."""
        to_come = [track_id for track_id in view.to_come if track_id not in tracks]
        behind = [track_id for track_id in view.behind if track_id not in tracks]
        return PickContext(self._clock.now(), queued=to_come, behind=behind)

    async def _surroundings(self, view: QueueView | None) -> PickContext:
        spread = max(self._rules.artist_spread, self._rules.album_spread)
        played = await self._plays.recent(spread) if spread else ()
        return PickContext(
            now=self._clock.now(),
            queued=view.to_come if view else (),
            behind=view.behind if view else (),
            recent=[*(play.track_id for play in reversed(played)), *(view.ahead if view else ())],
        )

    async def _candidates(self) -> Candidates:
        """Return the present tracks with everything that their weight is made of."""
        async with self._reading:
            for told in self._news.arrived():
                self._note(told)
            if self._read is None or self._stale:
                self._read, self._stale = None, False
                self._touched.clear()
                self._read = await self._library.candidates(self._folders, self._genres)
            elif self._touched:
                self._read = await self._library.refreshed(self._read, self._touched)
                self._touched.clear()
            if not self._read.worked_out:
                # The work of some passes over all tracks, which must not make a rating wait.
                await asyncio.to_thread(scoring.factors, self._read)
            return self._read

    def _note(self, told: Announcement) -> None:
        match told.event:
            case TrackRated(change):
                self._touched.add(change.rating.track_id)
            case PlayJudged(play):
                self._touched.add(play.track_id)
        if told.missed or isinstance(told.event, SWEEPING):
            self._stale = True
