"""Ratings: an append-only history; the newest entry of a track counts."""

from collections.abc import Mapping, Sequence

import sqlite_utils

from anagnorisisd.domain.rating import DEFAULT_MEAN, Rating, RatingChange, shifted
from anagnorisisd.domain.track import TrackId
from anagnorisisd.errors import NothingToUndo, RatedMeanwhile
from anagnorisisd.storage import row_mapping
from anagnorisisd.storage.database import Database, Row

ENTRY = """SELECT r.sequence, t.track_id, r.value, r.previous, r.rated_at, r.source
    FROM ratings r JOIN tracks t ON t.id = r.track"""

STANDING = """SELECT r.sequence, r.track, r.previous FROM ratings r
    WHERE r.undoes IS NULL AND NOT EXISTS (SELECT 1 FROM ratings u WHERE u.undoes = r.sequence)
    ORDER BY r.sequence DESC LIMIT 1"""
"""The newest change that was neither taken back nor takes one back itself."""

APPEND = """INSERT INTO ratings (track, value, previous, rated_at, source, undoes, request_id)
    SELECT id, :value, rating, :at, :source, :undoes, :request_id FROM tracks WHERE id = :track"""


class RatingStore:
    """Stores the history of ratings."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def rate(
        self,
        track_id: TrackId,
        value: float | None,
        *,
        at: float,
        source: str,
        delta: float | None = None,
        default: float | None = None,
        request_id: str | None = None,
        after: int | None = None,
    ) -> RatingChange:
        """Append a rating (`None` clears it) and return the change.

        With `delta`, `value` is ignored: the current rating, else the rounded predicted rating,
        else `default`, is moved by it, within the same transaction. A `request_id` seen before
        appends nothing and returns what it did the first time. A value equal to the one that
        counts is appended too: it is a fresh word of the listener. With `after`, it is appended
        only if this is the sequence of the track's newest entry, 0 for none.

        Raises:
            UnknownTrack: the library has no such track.
            RatedMeanwhile: the track has a newer entry than `after`.
        """

        def job(db: sqlite_utils.Database) -> RatingChange:
            if known := _of_request(db, request_id):
                return known
            track = row_mapping.key_of_track(db, track_id)
            _check_newest(db, track, after)
            new = value if delta is None else shifted(_start(db, track, default), delta)
            return append(db, track, new, at=at, source=source, request_id=request_id)

        return await self._database.write(job)

    async def undo(self, *, at: float, source: str, request_id: str | None = None) -> RatingChange:
        """Take the newest change not yet undone back, by appending what counted before it.

        Raises:
            NothingToUndo: no change is left.
        """

        def job(db: sqlite_utils.Database) -> RatingChange:
            if known := _of_request(db, request_id):
                return known
            standing = db.execute(STANDING).fetchone()
            if standing is None:
                raise NothingToUndo("there is no rating left to take back")
            undone, track, previous = standing
            return append(
                db, track, previous, at=at, source=source, request_id=request_id, undoes=undone
            )

        return await self._database.write(job)

    async def history(
        self, *, track_id: TrackId | None = None, limit: int, before: int | None = None
    ) -> Sequence[Rating]:
        """Return entries, newest first, with a sequence below `before`."""
        of_track = "AND t.track_id = :track_id" if track_id else ""
        query = f"""{ENTRY} WHERE r.sequence < :before {of_track}
            ORDER BY r.sequence DESC LIMIT :limit"""
        # The largest sequence that SQLite can give is 2^63 - 1.
        below = 2**63 - 1 if before is None else before
        values = {"track_id": track_id, "before": below, "limit": limit}
        found = await self._database.read(lambda db: db.execute(query, values).fetchall())
        return [_rating(row) for row in found]

    async def oldest(self, limit: int, *, after: int) -> Sequence[Rating]:
        """Return entries, oldest first, with a sequence above `after`."""
        query = f"{ENTRY} WHERE r.sequence > ? ORDER BY r.sequence LIMIT ?"
        found = await self._database.read(lambda db: db.execute(query, [after, limit]).fetchall())
        return [_rating(row) for row in found]

    async def current(self) -> Mapping[TrackId, Rating]:
        """Return the entry that counts of every track that has a rating."""
        query = f"{ENTRY} WHERE r.sequence = t.rating_sequence AND t.rating IS NOT NULL"
        found = await self._database.read(lambda db: db.execute(query).fetchall())
        return {TrackId(row["track_id"]): _rating(row) for row in found}

    async def newest(self, track_ids: Sequence[TrackId] | None = None) -> Mapping[TrackId, Rating]:
        """Return the newest entry of every track that has one, cleared ratings included.

        With `track_ids`, of these tracks only.
        """
        query = f"{ENTRY} WHERE r.sequence = t.rating_sequence"
        values: list[str] = []
        if track_ids is not None:
            query += " AND t.track_id IN (SELECT value FROM json_each(?))"
            values.append(row_mapping.listed(track_ids))
        found = await self._database.read(lambda db: db.execute(query, values).fetchall())
        return {TrackId(row["track_id"]): _rating(row) for row in found}

    async def summary(self) -> tuple[int, float | None]:
        """Return how many tracks have a rating, and the mean of these ratings."""
        query = "SELECT count(*), avg(rating) FROM tracks WHERE rating IS NOT NULL"
        count, mean = await self._database.read(lambda db: db.execute(query).fetchone())
        return count, mean


def _of_request(db: sqlite_utils.Database, request_id: str | None) -> RatingChange | None:
    row = db.execute(f"{ENTRY} WHERE r.request_id = ?", [request_id]).fetchone()
    return None if row is None else RatingChange(_rating(row), row["previous"])


def _check_newest(db: sqlite_utils.Database, track: int, after: int | None) -> None:
    (newest,) = db.execute("SELECT rating_sequence FROM tracks WHERE id = ?", [track]).fetchone()
    if after is not None and (newest or 0) != after:
        raise RatedMeanwhile("the track was rated meanwhile")


def _start(db: sqlite_utils.Database, track: int, default: float | None) -> float:
    """Return what a relative rating starts from."""
    rating, predicted = db.execute(
        "SELECT rating, mean FROM tracks t LEFT JOIN predictions p ON p.track = t.id"
        " WHERE t.id = ?",
        [track],
    ).fetchone()
    if rating is not None:
        return float(rating)
    if predicted is not None:
        return round(float(predicted) * 2) / 2
    return DEFAULT_MEAN if default is None else default


def append(
    db: sqlite_utils.Database,
    track: int,
    value: float | None,
    *,
    at: float,
    source: str,
    request_id: str | None,
    undoes: int | None = None,
) -> RatingChange:
    """Append an entry to the history of a track, named by its row id."""
    values = {
        "track": track,
        "value": value,
        "at": at,
        "source": row_mapping.text(source),
        "undoes": undoes,
        "request_id": row_mapping.text(request_id),
    }
    sequence = db.execute(APPEND, values).lastrowid
    row = db.execute(f"{ENTRY} WHERE r.sequence = ?", [sequence]).fetchone()
    return RatingChange(_rating(row), row["previous"])


def _rating(row: Row) -> Rating:
    return Rating(
        sequence=row["sequence"],
        track_id=TrackId(row["track_id"]),
        value=row["value"],
        rated_at=row["rated_at"],
        source=row["source"],
    )
