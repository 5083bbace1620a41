"""The candidates that picks are drawn from, cached in memory and kept up to date by events.

A rating or a play changes one track, and only that track is read again. When the library or the
evaluator changed, all candidates are read again: a second for a quarter of a million of them.
"""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import replace
from random import Random

import numpy as np

from anagnorisisd.clock import Clock
from anagnorisisd.config import schema
from anagnorisisd.domain.pick import Candidates, Explanation, Pick
from anagnorisisd.domain.player import QueueEntry, SongId
from anagnorisisd.domain.track import TrackId
from anagnorisisd.errors import PreconditionFailed
from anagnorisisd.events import (
    Announcement,
    EvaluatorPromoted,
    Events,
    LibraryChanged,
    PlayRecorded,
    PredictionsUpdated,
    TrackRated,
)
from anagnorisisd.picks import albums, chooser, queue_rules, weights
from anagnorisisd.picks.albums import Albums
from anagnorisisd.picks.chooser import PickContext
from anagnorisisd.picks.guards import PickRules
from anagnorisisd.picks.queue_rules import QueueView
from anagnorisisd.picks.removed_picks import RemovedPicks
from anagnorisisd.picks.weights import WeightedCandidates
from anagnorisisd.steering import journey
from anagnorisisd.steering.service import SteeringService
from anagnorisisd.steering.sound_map import SoundMap
from anagnorisisd.storage.library import LibraryStore
from anagnorisisd.storage.plays import PlayStore

INVALIDATING_EVENTS = (LibraryChanged, PredictionsUpdated, EvaluatorPromoted)
"""Events that may change every candidate."""

OUTWEIGHED_PROBABILITY = 0.05
"""A queued pick is outweighed when a new pick would have a higher weight in 95 % of all cases."""


class CandidateCache:
    """Caches the weighted candidates, and chooses among them by the configured rules."""

    def __init__(
        self,
        library: LibraryStore,
        plays: PlayStore,
        events: Events,
        clock: Clock,
        *,
        config: schema.Picks,
        removed: RemovedPicks,
        steering: SteeringService | None = None,
        sound_map: SoundMap | None = None,
    ) -> None:
        self._sound_map = sound_map
        self._library = library
        self._steering = steering
        self._plays = plays
        self._removed = removed
        self._clock = clock
        self._subscription = events.subscribe()
        self._candidates: Candidates | None = None
        self._cached: WeightedCandidates | None = None
        self._changed_tracks: set[TrackId] = set()
        self._lock = asyncio.Lock()
        self.reconfigure(config)

    def reconfigure(self, config: schema.Picks) -> None:
        """Apply changed rules from the next choice on."""
        self._exclude_folders = config.exclude_folders
        self._exclude_genres = config.exclude_genres
        self._stale = True
        self._albums: Albums | None = None
        self._album_minimum_tracks = config.album_minimum_tracks
        self._rules = PickRules(
            min_hours_between_plays=config.min_hours_between_plays,
            artist_spread=config.artist_spread,
            album_spread=config.album_spread,
            min_seconds=config.min_seconds,
            max_seconds=config.max_minutes * 60,
            explore=config.explore,
            flow=config.flow,
        )

    async def choose(
        self,
        view: QueueView | None,
        count: int,
        rng: Random,
        excluded: Collection[TrackId] = (),
        *,
        unsteered: bool = False,
    ) -> list[Pick]:
        """Choose up to `count` tracks that are neither in the queue nor in `excluded`."""
        context = await self._context(view)
        context = replace(context, queued=[*context.queued, *excluded])
        weighted = await self._weighted(unsteered=unsteered)
        return chooser.choose(weighted, self._rules, context, count, rng)

    async def choose_albums(
        self,
        view: QueueView | None,
        count: int,
        rng: Random,
        excluded: Collection[TrackId] = (),
        *,
        unsteered: bool = False,
    ) -> list[list[Pick]]:
        """Choose up to `count` albums without tracks that are queued or in `excluded`.

        The tracks of each are in no particular order.
        """
        context = await self._context(view)
        queued = [*context.queued, *excluded]
        weighted = await self._weighted(unsteered=unsteered)
        sampled = weights.sample_predictions(weighted, self._rules.explore, rng)
        found = albums.QueueContext(
            now=context.now,
            queued=queued,
            recent=context.recent,
            played=context.played,
            removed=context.removed,
        )
        return albums.choose(
            self._grouped(weighted), sampled, self._rules, found, count=count, rng=rng
        )

    async def album_numbers(self, track_ids: Collection[TrackId]) -> Mapping[TrackId, int]:
        """Return the album of each of the tracks that is on one, as a number."""
        weighted = await self._weighted()
        of_track = self._grouped(weighted).of_track
        rows = {track_id: weighted.candidates.row(track_id) for track_id in track_ids}
        numbers = {
            track_id: int(of_track[row]) for track_id, row in rows.items() if row is not None
        }
        return {each: number for each, number in numbers.items() if number != albums.NO_ALBUM}

    async def rest_of_album(
        self, view: QueueView, owned: Mapping[SongId, TrackId]
    ) -> list[QueueEntry]:
        """Return the owned entries that follow the current song and belong to its album."""
        upcoming, numbers = await self._upcoming_albums(view, owned)
        return queue_rules.rest_of_album(
            numbers.get(view.state.song_id) if view.state.song_id is not None else None,
            upcoming,
            numbers,
        )

    async def albums_ahead(self, view: QueueView, owned: Mapping[SongId, TrackId]) -> int:
        """Return how many albums the owned entries are, without the rest of the current one."""
        upcoming, numbers = await self._upcoming_albums(view, owned)
        rest = await self.rest_of_album(view, owned)
        return queue_rules.count_albums(upcoming[len(rest) :], numbers)

    async def _upcoming_albums(
        self, view: QueueView, owned: Mapping[SongId, TrackId]
    ) -> tuple[list[QueueEntry], Mapping[SongId, int]]:
        """Return the upcoming owned entries, and the albums of these and the current song."""
        upcoming = queue_rules.upcoming_entries(view.state, view.entries, owned)
        tracks = {entry.song_id: owned[entry.song_id] for entry in upcoming}
        current = view.state.song_id
        if current is not None and current in view.tracks:
            tracks[current] = view.tracks[current]
        numbers = await self.album_numbers(tracks.values())
        return upcoming, {
            song_id: numbers[track_id]
            for song_id, track_id in tracks.items()
            if track_id in numbers
        }

    def _grouped(self, weighted: WeightedCandidates) -> Albums:
        """Return the albums, grouped again when other tracks are present."""
        if self._albums is None:
            self._albums = albums.group(weighted.candidates, self._album_minimum_tracks)
        return self._albums

    async def explain(self, view: QueueView | None, track_id: TrackId) -> Explanation | None:
        """Return why a track has its weight; `None` when no file of it is present."""
        context = await self._context(view)
        return chooser.explain(await self._weighted(), self._rules, context, track_id)

    async def explain_queued(self, view: QueueView, track_id: TrackId) -> Explanation | None:
        """Return why a queued track would have its weight if it were not in the queue."""
        context = self._context_without(view, {track_id})
        return chooser.explain(await self._weighted(), self._rules, context, track_id)

    async def outweighed(self, view: QueueView, queued: Collection[TrackId]) -> set[TrackId]:
        """Return which of these queued tracks a new pick would most likely outweigh."""
        weighted = await self._weighted()
        # The spread guards held when the tracks were added; their neighbours may have moved since.
        rules = replace(self._rules, artist_spread=0, album_spread=0, flow=0.0)
        chances = chooser.probabilities(weighted, rules, self._context_without(view, queued))
        rows = {track_id: weighted.candidates.row(track_id) for track_id in queued}
        return {
            track_id
            for track_id, row in rows.items()
            if row is None or float(chances[chances <= chances[row]].sum()) < OUTWEIGHED_PROBABILITY
        }

    async def excluded(self) -> Collection[TrackId]:
        """Return the tracks that the configuration excludes from picks."""
        if not (self._exclude_folders or self._exclude_genres):
            return ()
        candidates = (await self._weighted()).candidates
        rows = np.flatnonzero(candidates.excluded).tolist()
        return {candidates.track_id(row) for row in rows}

    async def journey(
        self, start: TrackId, end: TrackId, count: int
    ) -> list[tuple[TrackId, float]]:
        """Return `count` tracks from one to another in even steps of sound, both included.

        With each track comes its similarity to the one before, the cosine of their short vectors.

        Raises:
            PreconditionFailed: an end is missing, or has no embedding yet, or there is no audio.
        """
        if self._sound_map is not None:
            self._sound_map.require_sound()
        weighted = await self._weighted()
        candidates = weighted.candidates
        vectors = (
            np.zeros((len(candidates), 1), np.float32)
            if self._sound_map is None
            else await self._sound_map.vectors(candidates)
        )
        ends = [candidates.row(track_id) for track_id in (start, end)]
        for track_id, row in zip((start, end), ends, strict=True):
            if row is None:
                raise PreconditionFailed(f"track {track_id} is missing")
            if not vectors[row].any():
                raise PreconditionFailed(f"track {track_id} has no embedding yet")
        rows = await asyncio.to_thread(
            journey.plan,
            vectors,
            weighted.factors.weight,
            candidates.artists,
            start=int(ends[0] or 0),
            end=int(ends[1] or 0),
            count=count,
            allowed=~candidates.excluded,
        )
        before = [rows[0], *rows[:-1]]
        similarity = (vectors[rows] * vectors[before]).sum(axis=1).tolist()
        return [
            (candidates.track_id(row), cosine) for row, cosine in zip(rows, similarity, strict=True)
        ]

    async def steering_problems(self) -> Mapping[str, str]:
        """Return why wishes of the steering have no effect, by their text."""
        steering = (await self._weighted()).steering
        return {} if steering is None else steering.problems

    async def count(self) -> int:
        """Return how many candidates there are."""
        return len((await self._weighted()).candidates)

    async def _context(self, view: QueueView | None) -> PickContext:
        count = max(
            self._rules.artist_spread, self._rules.album_spread, 1 if self._rules.flow else 0
        )
        plays = await self._plays.recent(count) if count else ()
        recent = [play.track_id for play in reversed(plays)]
        if view is None:
            return PickContext(self._clock.now(), recent=recent, removed=self._removed.recent())
        return PickContext(
            now=self._clock.now(),
            queued=view.upcoming,
            played=view.played,
            recent=[*recent, *view.from_current],
            removed=self._removed.recent(),
        )

    def _context_without(self, view: QueueView, tracks: Collection[TrackId]) -> PickContext:
        """Return the context as if `tracks` were not in the queue."""
        queued = [track_id for track_id in view.upcoming if track_id not in tracks]
        played = [track_id for track_id in view.played if track_id not in tracks]
        return PickContext(
            self._clock.now(), queued=queued, played=played, removed=self._removed.recent()
        )

    async def _weighted(self, *, unsteered: bool = False) -> WeightedCandidates:
        """Return the weighted candidates, read again as far as events say that they changed.

        With `unsteered` all have the steering factor 1.
        """
        async with self._lock:
            for announcement in self._subscription.arrived():
                self._invalidate(announcement)
            if self._stale or self._candidates is None:
                # The old candidates are freed before as many new ones are read.
                self._candidates, self._cached, self._stale = None, None, False
                self._albums = None
                self._changed_tracks.clear()
                self._candidates = await self._library.candidates(
                    self._exclude_folders, self._exclude_genres
                )
            elif self._changed_tracks:
                self._candidates = await self._library.refreshed(
                    self._candidates, self._changed_tracks
                )
                self._cached = None
                self._changed_tracks.clear()
            steering = await self._steering.factors(self._candidates) if self._steering else None
            if self._cached is None or self._cached.steering is not steering:
                # Scoring passes over all tracks several times; in a thread it delays no rating.
                self._cached = await asyncio.to_thread(weights.weigh, self._candidates, steering)
            weighted = self._cached
            if unsteered:
                weighted = await asyncio.to_thread(weights.without_steering, weighted)
            sound = None
            if self._rules.flow and self._sound_map is not None:
                sound = await self._sound_map.vectors(self._candidates)
            return replace(weighted, sound=sound) if sound is not None else weighted

    def _invalidate(self, announcement: Announcement) -> None:
        match announcement.event:
            case TrackRated(change):
                self._changed_tracks.add(change.rating.track_id)
            case PlayRecorded(play):
                self._changed_tracks.add(play.track_id)
        if announcement.missed or isinstance(announcement.event, INVALIDATING_EVENTS):
            self._stale = True
