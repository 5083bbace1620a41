"""Queries for tracks: one by id, pages with filter, order and search, and counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Self

import sqlite_utils

from anagnorisisd.domain.embedding import EmbedderStamp
from anagnorisisd.domain.track import (
    FileStamp,
    Prediction,
    Track,
    TrackId,
    TrackState,
    Uri,
)
from anagnorisisd.errors import UnknownTrack
from anagnorisisd.storage import row_mapping
from anagnorisisd.storage.database import Row
from anagnorisisd.storage.schema import searchable


class TrackFilter(StrEnum):
    """Filter for a list of tracks."""

    ALL = "all"
    RATED = "rated"
    UNRATED = "unrated"
    PENDING = "pending"
    FAILED = "failed"
    MISSING = "missing"


class TrackOrder(StrEnum):
    """Order of a list of tracks: highest, latest or newest first; ties by track id."""

    ADDED = "added"
    RATING = "rating"
    PREDICTED_RATING = "predicted_rating"
    LAST_PLAYED = "last_played"


class AudioPart(NamedTuple):
    """The audio file of a track, as the last scan found it; of a part, start and end.

    `start_ms` is 0 and `end_ms` `None` if the track is the whole file.
    """

    uri: Uri
    stamp: FileStamp
    start_ms: int
    end_ms: int | None


AUDIO_PART = """
SELECT a.path, a.size_bytes, a.mtime_ns, f.start_ms, f.end_ms
FROM tracks t JOIN files f ON f.id = t.file
    JOIN files a ON a.path = coalesce(f.source, f.path) AND a.source IS NULL AND a.present
WHERE t.present AND t.track_id = ?
"""


def audio_part(db: sqlite_utils.Database, track_id: TrackId) -> AudioPart | None:
    """Return the audio file of a track; `None` if it is missing or not in the library."""
    row = db.execute(AUDIO_PART, [track_id]).fetchone()
    if row is None:
        return None
    path, size, mtime, start, end = row
    return AudioPart(row_mapping.uri(path), FileStamp(size, mtime), start or 0, end)


@dataclass(frozen=True, slots=True)
class TrackKey:
    """Position of a track in an order: the value of the order, `None` last, and the track id."""

    value: float | None
    track_id: TrackId

    @classmethod
    def of(cls, track: Track, order: TrackOrder) -> Self:
        """Return the key of `track` in `order`, to get the page after it."""
        match order:
            case TrackOrder.ADDED:
                value: float | None = track.added_at
            case TrackOrder.RATING:
                value = track.rating
            case TrackOrder.PREDICTED_RATING:
                value = track.prediction.mean if track.prediction else None
            case TrackOrder.LAST_PLAYED:
                value = track.last_played_at
        return cls(value, track.track_id)


@dataclass(frozen=True, slots=True)
class LibraryCounts:
    """Numbers of tracks, of which the four states add up to `tracks`, and of unusable files."""

    tracks: int
    pending: int
    embedded: int
    failed: int
    missing: int
    rated: int
    unusable_files: int


STATE = """CASE WHEN NOT t.present THEN 'missing' WHEN e.id IS NOT NULL THEN 'embedded'
    WHEN x.track IS NOT NULL THEN 'failed' ELSE 'pending' END"""

DIVIDED = """(NOT t.present AND EXISTS (
    SELECT 1 FROM files d WHERE d.track = t.id AND d.present AND d.hidden))"""
"""The track of a file for which tracks of a cue sheet stand: it is not missing."""

TABLES = """tracks t
    JOIN files f ON f.id = t.file
    LEFT JOIN predictions p ON p.track = t.id
    LEFT JOIN embeddings e ON e.embedder = :embedder AND e.track = t.id
    LEFT JOIN embedding_failures x ON x.embedder = :embedder AND x.track = t.id AND x.permanent"""

COLUMNS = f"""t.track_id, t.added_at, t.rating, t.full_plays, t.skips, t.last_played_at,
    f.path, {row_mapping.TAGS}, f.duration_seconds, p.mean, p.stddev, x.reason, {STATE} AS state"""

WHERE = {
    TrackFilter.ALL: f"NOT {DIVIDED}",
    TrackFilter.RATED: "t.rating IS NOT NULL",
    TrackFilter.UNRATED: f"t.rating IS NULL AND NOT {DIVIDED}",
    TrackFilter.PENDING: f"{STATE} = 'pending'",
    TrackFilter.FAILED: f"{STATE} = 'failed'",
    TrackFilter.MISSING: f"t.present = 0 AND NOT {DIVIDED}",
}

ORDERED_BY = {
    TrackOrder.ADDED: "t.added_at",  # never NULL, and indexed
    TrackOrder.RATING: "t.rating",
    TrackOrder.PREDICTED_RATING: "p.mean",
    TrackOrder.LAST_PLAYED: "t.last_played_at",
}


INDEXED = {TrackOrder.ADDED, TrackOrder.RATING}


def one(db: sqlite_utils.Database, track_id: TrackId, stamp: EmbedderStamp) -> Track:
    """Return one track; raise `UnknownTrack` if there is none."""
    row = db.execute(
        f"SELECT {COLUMNS} FROM {TABLES} WHERE t.track_id = :track_id",
        {"embedder": row_mapping.key_of_embedder(db, stamp), "track_id": track_id},
    ).fetchone()
    if row is None:
        raise UnknownTrack(f"the library has no track {track_id!r}")
    return _track(row)


def page(
    db: sqlite_utils.Database,
    stamp: EmbedderStamp,
    *,
    only: TrackFilter,
    order: TrackOrder,
    text: str,
    among: Sequence[TrackId] | None = None,
    limit: int,
    after: TrackKey | None,
) -> Sequence[Track]:
    """Return the page of tracks after the key `after` that contain every word of `text`.

    The search ignores case and Unicode normal form. With `among`, only these tracks are returned.
    """
    words = {f"word{n}": row_mapping.text(word) for n, word in enumerate(searchable(text).split())}
    where = [WHERE[only], *(f"instr(f.search_text, :{name})" for name in words)]
    if among is not None:
        where.append("t.track_id IN (SELECT value FROM json_each(:among))")
    nulls = "" if order is TrackOrder.ADDED else " NULLS LAST"
    # To search all of them in the order of an index on the ids is slow, as that is random access.
    track_id = "+t.track_id" if words and order is not TrackOrder.ADDED else "t.track_id"
    order_by = f"{ORDERED_BY[order]} DESC{nulls}, {track_id}"
    selected_ids = " UNION ALL ".join(
        f"SELECT id FROM (SELECT t.id FROM {TABLES}"
        f" WHERE {' AND '.join([*where, part])} ORDER BY {order_by} LIMIT :limit)"
        for part in _following(order, after, track_id)
    )
    found = db.execute(
        # First select the ids, then their columns: sorting all columns of all tracks is slow.
        f"SELECT {COLUMNS} FROM {TABLES} WHERE t.id IN ({selected_ids})"
        f" ORDER BY {order_by} LIMIT :limit",
        {
            "embedder": row_mapping.key_of_embedder(db, stamp),
            "limit": limit,
            "among": None if among is None else row_mapping.json_list(among),
            "value": after and after.value,
            "track_id": after and row_mapping.text(after.track_id),
            **words,
        },
    )
    return [_track(row) for row in found]


def _following(order: TrackOrder, after: TrackKey | None, track_id: str) -> list[str]:
    """Return disjoint conditions whose union is the tracks after a key.

    Each is a separate subquery, because each can use a range of an index; a single condition with
    OR could not. Without an index each would read all tracks, so there is only one then.
    """
    column = ORDERED_BY[order]
    if after is None:
        return ["1"]
    if after.value is None:
        return [f"{column} IS NULL AND {track_id} > :track_id"]
    parts = [f"{column} = :value AND {track_id} > :track_id", f"{column} < :value"]
    if order is not TrackOrder.ADDED:
        parts.append(f"{column} IS NULL")
    return parts if order in INDEXED else [f"({' OR '.join(parts)})"]


def counts(db: sqlite_utils.Database, stamp: EmbedderStamp) -> LibraryCounts:
    """Return the numbers of tracks by state."""
    embedder = row_mapping.key_of_embedder(db, stamp)
    states = dict.fromkeys(TrackState, 0)
    for state, count in db.execute(
        f"""SELECT {STATE}, count(*) FROM tracks t
            LEFT JOIN embeddings e ON e.embedder = :embedder AND e.track = t.id
            LEFT JOIN embedding_failures x
                ON x.embedder = :embedder AND x.track = t.id AND x.permanent
            WHERE NOT {DIVIDED} GROUP BY 1""",
        {"embedder": embedder},
    ):
        states[TrackState(state)] = count
    (rated,) = db.execute("SELECT count(*) FROM tracks WHERE rating IS NOT NULL").fetchone()
    (unusable_files,) = db.execute("SELECT count(*) FROM files WHERE track IS NULL").fetchone()
    return LibraryCounts(
        tracks=sum(states.values()),
        pending=states[TrackState.PENDING],
        embedded=states[TrackState.EMBEDDED],
        failed=states[TrackState.FAILED],
        missing=states[TrackState.MISSING],
        rated=rated,
        unusable_files=unusable_files,
    )


def _track(row: Row) -> Track:
    return Track(
        track_id=TrackId(row["track_id"]),
        uri=row_mapping.uri(row["path"]),
        tags=row_mapping.tags(row),
        duration_seconds=row["duration_seconds"],
        added_at=row["added_at"],
        state=TrackState(row["state"]),
        failure=row["reason"] if row["state"] == TrackState.FAILED else None,
        rating=row["rating"],
        prediction=None if row["mean"] is None else Prediction(row["mean"], row["stddev"]),
        play_count=row["full_plays"],
        skip_count=row["skips"],
        last_played_at=row["last_played_at"],
    )
