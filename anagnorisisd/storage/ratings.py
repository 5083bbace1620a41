"""Ratings: an append-only history; the newest entry of a track is its rating.

Entries marked `plays_only` do not count: they record that plays were transferred to another track.
"""

from collections.abc import Mapping, Sequence

import sqlite_utils

from anagnorisisd.domain.rating import DEFAULT_MEAN, Rating, RatingChange, adjusted
from anagnorisisd.domain.track import TrackId
from anagnorisisd.errors import NothingToUndo, RatedMeanwhile
from anagnorisisd.storage import row_mapping
from anagnorisisd.storage.database import Database, Row

ENTRY = """SELECT r.sequence, t.track_id, r.value, r.previous, r.rated_at, r.source, r.plays_only
    FROM ratings r JOIN tracks t ON t.id = r.track"""

NEWEST_CHANGE = """SELECT r.sequence, r.track, r.previous, r.plays_only FROM ratings r
    WHERE r.undoes IS NULL AND NOT EXISTS (SELECT 1 FROM ratings u WHERE u.undoes = r.sequence)
    ORDER BY r.sequence DESC LIMIT 1"""
"""The newest entry that is neither undone nor an undo."""

APPEND = """INSERT INTO ratings
        (track, value, previous, rated_at, source, undoes, request_id, plays_only)
    SELECT id, iif(:plays_only, rating, :value), rating, :at, :source, :undoes, :request_id,
        :plays_only
    FROM tracks WHERE id = :track"""


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

        With `delta`, `value` is ignored, and the new rating is the current rating, else the
        rounded predicted rating, else `default`, plus `delta`; all in one transaction. If an entry
        has the same `request_id`, nothing is appended and the change of that entry is returned. A
        value equal to the current rating is appended too, because its time matters. With `after`,
        the rating is appended only if the track's newest entry has this sequence, 0 for none.

        Raises:
            UnknownTrack: the library has no such track.
            RatedMeanwhile: the sequence of the newest entry is not `after`.
        """

        def job(db: sqlite_utils.Database) -> RatingChange:
            if known := _change_of_request(db, request_id):
                return known
            track = row_mapping.key_of_track(db, track_id)
            _check_newest(db, track, after)
            new = value if delta is None else adjusted(_base_rating(db, track, default), delta)
            return append(db, track, new, at=at, source=source, request_id=request_id)

        return await self._database.write(job)

    async def undo(self, *, at: float, source: str, request_id: str | None = None) -> RatingChange:
        """Undo the newest change that is not undone, by appending the rating before it.

        Raises:
            NothingToUndo: no change is left.
        """

        def job(db: sqlite_utils.Database) -> RatingChange:
            if known := _change_of_request(db, request_id):
                return known
            newest_change = db.execute(NEWEST_CHANGE).fetchone()
            if newest_change is None:
                raise NothingToUndo("there is no rating left to undo")
            undone, track, previous, plays_only = newest_change
            return append(
                db,
                track,
                previous,
                at=at,
                source=source,
                request_id=request_id,
                undoes=undone,
                plays_only=bool(plays_only),
            )

        return await self._database.write(job)

    async def history(
        self,
        *,
        track_id: TrackId | None = None,
        limit: int,
        before: int | None = None,
        with_plays_only: bool = False,
    ) -> Sequence[Rating]:
        """Return the entries with a sequence below `before`, newest first."""
        of_track = "AND t.track_id = :track_id" if track_id else ""
        of_ratings = "" if with_plays_only else "AND NOT r.plays_only"
        query = f"""{ENTRY} WHERE r.sequence < :before {of_track} {of_ratings}
            ORDER BY r.sequence DESC LIMIT :limit"""
        # The largest sequence that SQLite can give is 2^63 - 1.
        below = 2**63 - 1 if before is None else before
        values = {"track_id": track_id, "before": below, "limit": limit}
        found = await self._database.read(lambda db: db.execute(query, values).fetchall())
        return [_rating(row) for row in found]

    async def oldest(self, limit: int, *, after: int) -> Sequence[Rating]:
        """Return the entries with a sequence above `after`, oldest first."""
        query = f"{ENTRY} WHERE r.sequence > ? AND NOT r.plays_only ORDER BY r.sequence LIMIT ?"
        found = await self._database.read(lambda db: db.execute(query, [after, limit]).fetchall())
        return [_rating(row) for row in found]

    async def current(self) -> Mapping[TrackId, Rating]:
        """Return the current rating of every rated track."""
        query = f"{ENTRY} WHERE r.sequence = t.rating_sequence AND t.rating IS NOT NULL"
        found = await self._database.read(lambda db: db.execute(query).fetchall())
        return {TrackId(row["track_id"]): _rating(row) for row in found}

    async def newest(self, track_ids: Sequence[TrackId] | None = None) -> Mapping[TrackId, Rating]:
        """Return the newest entry of every track that has one, including cleared ratings.

        With `track_ids`, only for these tracks.
        """
        query = f"{ENTRY} WHERE r.sequence = t.rating_sequence"
        values: list[str] = []
        if track_ids is not None:
            query += " AND t.track_id IN (SELECT value FROM json_each(?))"
            values.append(row_mapping.json_list(track_ids))
        found = await self._database.read(lambda db: db.execute(query, values).fetchall())
        return {TrackId(row["track_id"]): _rating(row) for row in found}

    async def summary(self) -> tuple[int, float | None]:
        """Return the number of rated tracks, and the mean of their ratings."""
        query = "SELECT count(*), avg(rating) FROM tracks WHERE rating IS NOT NULL"
        count, mean = await self._database.read(lambda db: db.execute(query).fetchone())
        return count, mean


def _change_of_request(db: sqlite_utils.Database, request_id: str | None) -> RatingChange | None:
    row = db.execute(f"{ENTRY} WHERE r.request_id = ?", [request_id]).fetchone()
    return None if row is None else RatingChange(_rating(row), row["previous"])


def _check_newest(db: sqlite_utils.Database, track: int, after: int | None) -> None:
    (newest,) = db.execute("SELECT rating_sequence FROM tracks WHERE id = ?", [track]).fetchone()
    if after is not None and (newest or 0) != after:
        raise RatedMeanwhile("the track was rated in the meantime")


def _base_rating(db: sqlite_utils.Database, track: int, default: float | None) -> float:
    """Return the rating that a relative rating is added to."""
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
    plays_only: bool = False,
) -> RatingChange:
    """Append an entry to the history of the track with the row id `track`.

    With `plays_only`, `value` is ignored, and the track keeps its rating.
    """
    values = {
        "track": track,
        "value": value,
        "at": at,
        "source": row_mapping.text(source),
        "undoes": undoes,
        "request_id": row_mapping.text(request_id),
        "plays_only": plays_only,
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
        plays_only=bool(row["plays_only"]),
    )
