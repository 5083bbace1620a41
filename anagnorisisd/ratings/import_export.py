"""Taking what the listener said and heard out of the daemon, and into it.

| entry                                        | what becomes of it                          |
|----------------------------------------------|---------------------------------------------|
| of a track that the library does not have    | left out                                    |
| a rating or play from the future             | left out                                    |
| a rating that is in the history              | known                                       |
| a rating older than the one that counts      | left out: the newest counts, and it is here |
| a rating of unknown time, of a rated track   | left out                                    |
| a play that is in the history                | known                                       |
| any other                                    | taken, with its own time                    |
"""

import math
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

from anagnorisisd.clock import Clock
from anagnorisisd.domain import rating
from anagnorisisd.domain.embedding import EmbedderStamp
from anagnorisisd.domain.play import Play
from anagnorisisd.domain.rating import Rating
from anagnorisisd.domain.track import TrackId, Uri
from anagnorisisd.errors import InvalidValue, UnknownTrack
from anagnorisisd.ratings.history_entries import (
    GivenRating,
    HistoryEntry,
    ImportOutcome,
    ImportResult,
    JudgedPlay,
)
from anagnorisisd.ratings.service import RatingService
from anagnorisisd.storage.library import LibraryStore
from anagnorisisd.storage.plays import PlayStore
from anagnorisisd.storage.ratings import RatingStore

PAGE = 1000
SAME_MOMENT_SECONDS = 0.001
"""Files keep milliseconds; two entries of one track this near are the same."""
LONGEST_PLAY_SECONDS = 30 * 86_400.0
"""More was not heard in one go; sums of such numbers would mean nothing."""
REASON = "imported"

KNOWN = ImportResult(ImportOutcome.KNOWN)
TAKEN = ImportResult(ImportOutcome.TAKEN)


class ImportExport:
    """Exports the histories and takes entries over."""

    def __init__(
        self,
        *,
        library: LibraryStore,
        history: RatingStore,
        plays: PlayStore,
        ratings: RatingService,
        clock: Clock,
        stamp: EmbedderStamp,
    ) -> None:
        self._library = library
        self._history = history
        self._plays = plays
        self._ratings = ratings
        self._clock = clock
        self._stamp = stamp

    async def export(self) -> AsyncIterator[HistoryEntry]:
        """Yield every rating, then every play, each oldest first."""
        ratings = await self._all_ratings()
        plays = await self._plays.between(-math.inf, math.inf)
        told = {entry.track_id for entry in ratings} | {play.track_id for play in plays}
        uris = await self._library.uris(sorted(told))
        for entry in reversed(ratings):
            uri = uris.get(entry.track_id, Uri(""))
            given = GivenRating(entry.value)
            yield HistoryEntry(entry.track_id, uri, entry.rated_at, entry.source, given)
        for play in plays:
            uri = uris.get(play.track_id, Uri(""))
            judged = JudgedPlay(play.outcome, play.heard_seconds, play.duration_seconds)
            yield HistoryEntry(play.track_id, uri, play.ended_at, "", judged)

    async def take(self, entries: Sequence[HistoryEntry], *, dry_run: bool) -> list[ImportResult]:
        """Take entries over, oldest first, or only say what would become of each."""
        batch = _Batch(self._history, self._plays)
        await batch.read(entries)
        return [await self._take(entry, batch, dry_run=dry_run) for entry in entries]

    async def _take(self, entry: HistoryEntry, batch: "_Batch", *, dry_run: bool) -> ImportResult:
        track_id = await self._track(entry)
        if track_id is None:
            return _left_out(f"the library has no track at {entry.uri!r}")
        if entry.at is not None and not 0 <= entry.at <= self._clock.now():
            return _left_out("its time is not in the past")
        try:
            if isinstance(entry.content, GivenRating):
                return await self._take_rating(track_id, entry, entry.content, batch, dry_run)
            return await self._take_play(track_id, entry, entry.content, batch, dry_run)
        except InvalidValue as error:
            return _left_out(str(error))

    async def _take_rating(
        self,
        track_id: TrackId,
        entry: HistoryEntry,
        given: GivenRating,
        batch: "_Batch",
        dry_run: bool,
    ) -> ImportResult:
        value = None if given.value is None else rating.checked(given.value)
        result = await batch.judge_rating(track_id, value, entry.at)
        if result is TAKEN:
            at = self._clock.now() if entry.at is None else entry.at
            batch.add_rating(Rating(0, track_id, value, at, entry.source))
            if not dry_run:
                await self._ratings.restore(track_id, value, at=at, source=entry.source)
        return result

    async def _take_play(
        self,
        track_id: TrackId,
        entry: HistoryEntry,
        judged: JudgedPlay,
        batch: "_Batch",
        dry_run: bool,
    ) -> ImportResult:
        if entry.at is None:
            return _left_out("a play needs the time at which it ended")
        if not 0 <= judged.heard_seconds <= LONGEST_PLAY_SECONDS:
            return _left_out(f"{judged.heard_seconds:g} seconds cannot have been heard")
        play = Play(
            track_id,
            entry.at - judged.heard_seconds,
            entry.at,
            judged.heard_seconds,
            judged.duration_seconds,
            judged.outcome,
            REASON,
        )
        if not batch.add_play(play):
            return KNOWN
        if not dry_run:
            await self._plays.append(play)
        return TAKEN

    async def _track(self, entry: HistoryEntry) -> TrackId | None:
        if entry.track_id:
            with suppress(UnknownTrack):
                return (await self._library.track(entry.track_id, self._stamp)).track_id
        return await self._library.track_at(entry.uri) if entry.uri else None

    async def _all_ratings(self) -> list[Rating]:
        entries: list[Rating] = []
        before = None
        while page := await self._history.history(limit=PAGE, before=before):
            entries.extend(page)
            before = page[-1].sequence
        return entries


class _Batch:
    """What is known of the tracks of some entries, and what they add to it."""

    def __init__(self, history: RatingStore, plays: PlayStore) -> None:
        self._history = history
        self._plays = plays
        self._ratings: dict[TrackId, list[Rating]] = {}
        self._ended: set[tuple[TrackId, int]] = set()

    async def read(self, entries: Sequence[HistoryEntry]) -> None:
        """Read the plays that these entries may repeat."""
        ends = [entry.at for entry in entries if isinstance(entry.content, JudgedPlay) and entry.at]
        if ends:
            known = await self._plays.between(min(ends) - 1, max(ends) + 1)
            self._ended = {_end(play) for play in known}

    async def judge_rating(
        self, track_id: TrackId, value: float | None, at: float | None
    ) -> ImportResult:
        """Say what becomes of a rating."""
        if track_id not in self._ratings:
            found = await self._history.history(track_id=track_id, limit=PAGE)
            self._ratings[track_id] = list(found)
        known = self._ratings[track_id]
        newest = known[0] if known else None
        if newest is None:
            return TAKEN
        if at is None:
            return TAKEN if newest.value is None else _left_out("the track has a rating already")
        if any(_same(entry, value, at) for entry in known):
            return KNOWN
        return TAKEN if newest.rated_at < at else _left_out("it is older than the rating here")

    def add_rating(self, entry: Rating) -> None:
        """Remember a rating that was taken."""
        self._ratings[entry.track_id].insert(0, entry)

    def add_play(self, play: Play) -> bool:
        """Remember a play, and return whether it was new."""
        end = _end(play)
        new = end not in self._ended
        self._ended.add(end)
        return new


def _same(entry: Rating, value: float | None, at: float) -> bool:
    return entry.value == value and abs(entry.rated_at - at) <= SAME_MOMENT_SECONDS


def _end(play: Play) -> tuple[TrackId, int]:
    return play.track_id, round(play.ended_at / SAME_MOMENT_SECONDS)


def _left_out(reason: str) -> ImportResult:
    return ImportResult(ImportOutcome.LEFT_OUT, reason)
