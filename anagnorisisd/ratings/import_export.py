"""Export of all ratings and plays, and import of such entries.

| entry                                      | outcome                                  |
|--------------------------------------------|------------------------------------------|
| of a track that the library does not have  | rejected                                 |
| a rating or play in the future             | rejected                                 |
| a rating that is in the history            | duplicate                                |
| a rating older than the newest one         | rejected: the newest counts              |
| a rating of unknown time, of a rated track | rejected                                 |
| a play that is in the history              | duplicate                                |
| any other                                  | imported, with its own time              |
"""

from collections.abc import AsyncIterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from anagnorisisd.clock import Clock
from anagnorisisd.domain import rating
from anagnorisisd.domain.embedding import EmbedderStamp
from anagnorisisd.domain.play import Play, PlayOutcome
from anagnorisisd.domain.rating import Rating
from anagnorisisd.domain.track import TrackId, Uri
from anagnorisisd.errors import InvalidValue, UnknownTrack
from anagnorisisd.ratings.service import RatingService
from anagnorisisd.storage.library import LibraryStore
from anagnorisisd.storage.plays import PlayStore
from anagnorisisd.storage.ratings import RatingStore

PAGE_ENTRIES = 1000
SAME_TIME_SECONDS = 0.001
"""Entries of a track whose times differ by less are the same: files have milliseconds."""
MAX_PLAY_SECONDS = 30 * 86_400.0
"""A longer play is an error, which would spoil sums."""
IMPORT_REASON = "imported"
"""The reason that is stored for the outcome of an imported play."""


@dataclass(frozen=True, slots=True)
class RatingEntry:
    """A rating, 0 to 10; `None` if the rating was cleared."""

    value: float | None


@dataclass(frozen=True, slots=True)
class PlayEntry:
    """A play with its outcome."""

    outcome: PlayOutcome
    heard_seconds: float
    duration_seconds: float | None


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """A rating or a play, as it is exported and imported.

    The track is that of `track_id`, else that of the file at `uri`. `at` is unix seconds: when the
    rating was set or the play ended; `None` if that is not known.
    """

    track_id: TrackId | None
    uri: Uri
    at: float | None
    source: str
    content: RatingEntry | PlayEntry


class ImportOutcome(StrEnum):
    """What happened to an entry, or would."""

    IMPORTED = "imported"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class ImportResult:
    """The outcome for an entry, and the reason if it was rejected."""

    outcome: ImportOutcome
    reason: str = ""


DUPLICATE = ImportResult(ImportOutcome.DUPLICATE)
IMPORTED = ImportResult(ImportOutcome.IMPORTED)


class ImportExport:
    """Exports all ratings and plays, and imports entries."""

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
        """Yield every rating, then every play, each oldest first.

        They are read in pages: a history of decades would not fit into the daemon's memory.
        """
        sequence = 0
        while ratings := await self._history.oldest(PAGE_ENTRIES, after=sequence):
            uris = await self._uris({entry.track_id for entry in ratings})
            for entry in ratings:
                uri, given = uris.get(entry.track_id, Uri("")), RatingEntry(entry.value)
                yield HistoryEntry(entry.track_id, uri, entry.rated_at, entry.source, given)
            sequence = ratings[-1].sequence
        key: int | None = None
        while plays := await self._plays.oldest(PAGE_ENTRIES, after=key):
            uris = await self._uris({play.track_id for _, play in plays})
            for _, play in plays:
                judged = PlayEntry(play.outcome, play.heard_seconds, play.duration_seconds)
                uri = uris.get(play.track_id, Uri(""))
                yield HistoryEntry(play.track_id, uri, play.ended_at, "", judged)
            key = plays[-1][0]

    async def import_entries(
        self, entries: Sequence[HistoryEntry], *, dry_run: bool
    ) -> list[ImportResult]:
        """Import entries, oldest first; with `dry_run`, only return the outcome of each."""
        known = _KnownEntries(self._history, self._plays)
        await known.read_plays(entries)
        return [await self._import(entry, known, dry_run=dry_run) for entry in entries]

    async def _import(
        self, entry: HistoryEntry, known: "_KnownEntries", *, dry_run: bool
    ) -> ImportResult:
        track_id = await self._track(entry)
        if track_id is None:
            return _rejected(f"the library has no track at {entry.uri!r}")
        if entry.at is not None and not 0 <= entry.at <= self._clock.now():
            return _rejected("its time is not in the past")
        try:
            if isinstance(entry.content, RatingEntry):
                return await self._import_rating(track_id, entry, entry.content, known, dry_run)
            return await self._import_play(track_id, entry, entry.content, known, dry_run)
        except InvalidValue as error:
            return _rejected(str(error))

    async def _import_rating(
        self,
        track_id: TrackId,
        entry: HistoryEntry,
        given: RatingEntry,
        known: "_KnownEntries",
        dry_run: bool,
    ) -> ImportResult:
        value = None if given.value is None else rating.check(given.value)
        result = await known.rating_outcome(track_id, value, entry.at)
        if result is IMPORTED:
            at = self._clock.now() if entry.at is None else entry.at
            known.add_rating(Rating(0, track_id, value, at, entry.source))
            if not dry_run:
                await self._ratings.restore(track_id, value, at=at, source=entry.source)
        return result

    async def _import_play(
        self,
        track_id: TrackId,
        entry: HistoryEntry,
        judged: PlayEntry,
        known: "_KnownEntries",
        dry_run: bool,
    ) -> ImportResult:
        if entry.at is None:
            return _rejected("a play needs the time at which it ended")
        if not 0 <= judged.heard_seconds <= MAX_PLAY_SECONDS:
            return _rejected(f"{judged.heard_seconds:g} seconds cannot have been heard")
        play = Play(
            track_id,
            entry.at - judged.heard_seconds,
            entry.at,
            judged.heard_seconds,
            judged.duration_seconds,
            judged.outcome,
            IMPORT_REASON,
        )
        if not known.add_play(play):
            return DUPLICATE
        if not dry_run:
            await self._plays.append(play)
        return IMPORTED

    async def _track(self, entry: HistoryEntry) -> TrackId | None:
        if entry.track_id:
            with suppress(UnknownTrack):
                return (await self._library.track(entry.track_id, self._stamp)).track_id
        return await self._library.track_at(entry.uri) if entry.uri else None

    async def _uris(self, track_ids: Set[TrackId]) -> Mapping[TrackId, Uri]:
        return await self._library.uris(sorted(track_ids))


class _KnownEntries:
    """The stored ratings and plays of the tracks of some entries, with those imported so far."""

    def __init__(self, history: RatingStore, plays: PlayStore) -> None:
        self._history = history
        self._plays = plays
        self._ratings: dict[TrackId, list[Rating]] = {}
        self._play_ends: set[tuple[TrackId, int]] = set()

    async def read_plays(self, entries: Sequence[HistoryEntry]) -> None:
        """Read the plays that these entries may duplicate."""
        ends = [entry.at for entry in entries if isinstance(entry.content, PlayEntry) and entry.at]
        if ends:
            plays = await self._plays.between(min(ends) - 1, max(ends) + 1)
            self._play_ends = {_end(play) for play in plays}

    async def rating_outcome(
        self, track_id: TrackId, value: float | None, at: float | None
    ) -> ImportResult:
        """Return the outcome of importing a rating."""
        if track_id not in self._ratings:
            found = await self._history.history(track_id=track_id, limit=PAGE_ENTRIES)
            self._ratings[track_id] = list(found)
        known = self._ratings[track_id]
        newest = known[0] if known else None
        if newest is None:
            return IMPORTED
        if at is None:
            return IMPORTED if newest.value is None else _rejected("the track has a rating already")
        if any(_same(entry, value, at) for entry in known):
            return DUPLICATE
        return IMPORTED if newest.rated_at < at else _rejected("it is older than the rating here")

    def add_rating(self, entry: Rating) -> None:
        """Add a rating that was imported."""
        self._ratings[entry.track_id].insert(0, entry)

    def add_play(self, play: Play) -> bool:
        """Add a play; return whether it was not known."""
        end = _end(play)
        is_new = end not in self._play_ends
        self._play_ends.add(end)
        return is_new


def _same(entry: Rating, value: float | None, at: float) -> bool:
    return entry.value == value and abs(entry.rated_at - at) <= SAME_TIME_SECONDS


def _end(play: Play) -> tuple[TrackId, int]:
    return play.track_id, round(play.ended_at / SAME_TIME_SECONDS)


def _rejected(reason: str) -> ImportResult:
    return ImportResult(ImportOutcome.REJECTED, reason)
