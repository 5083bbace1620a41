"""Replaced files: transfer rating and plays from the old to the new track.

A replacement is recorded when the new file is stored, and processed at the end of the scan, because
the scan may later find the old track at another path.
"""

from dataclasses import dataclass

import sqlite_utils

from anagnorisisd.domain.rating import RatingChange
from anagnorisisd.domain.track import TrackId
from anagnorisisd.storage import ratings, row_mapping
from anagnorisisd.storage.database import Row
from anagnorisisd.storage.replacement_rules import Recording, Replacement, same_piece

SOURCE = "replacement"
"""Source of a transferred rating in the history."""

TRACK_AT_PATH = """
SELECT track FROM files WHERE path = ? AND track NOT NULL
    ORDER BY present DESC, seen_at DESC, id DESC LIMIT 1
"""
"""The track that is, or was last, at a path."""

PENDING = """SELECT id, path, old_track, new_track, new_track_known FROM replacements
    WHERE outcome IS NULL LIMIT ?"""
TRACK = "SELECT track_id, present, rating, rating_sequence FROM tracks WHERE id = ?"
RECORDING = (
    f"SELECT {row_mapping.TAGS}, f.duration_seconds FROM files f WHERE f.path = ? AND f.track = ?"
)
MARK_PROCESSED = "UPDATE replacements SET outcome = ?, rating = ?, plays = ? WHERE id = ?"


@dataclass(frozen=True, slots=True)
class _Track:
    key: int
    track_id: TrackId
    present: bool
    rating: float | None
    rating_sequence: int


def track_at(db: sqlite_utils.Database, path: bytes) -> int | None:
    """Return the row id of the track that is, or was last, at a path."""
    row = db.execute(TRACK_AT_PATH, [path]).fetchone()
    return None if row is None else int(row["track"])


def record(db: sqlite_utils.Database, path: bytes, before: int, now: int, *, known: bool) -> None:
    """Record that the track `now` replaced `before`; `known`: the library already had `now`."""
    db.execute(
        """INSERT INTO replacements (path, old_track, new_track, new_track_known)
            VALUES (?, ?, ?, ?)""",
        [path, before, now, known],
    )


def process(db: sqlite_utils.Database, limit: int, at: float) -> list[Replacement]:
    """Process up to `limit` recorded replacements: transfer rating and plays of equal pieces.

    If the old track is present at another path, it was moved, not replaced: the record is closed
    but not returned.
    """
    waiting = db.execute(PENDING, [limit]).fetchall()
    return [found for row in waiting if (found := _process(db, row, at)) is not None]


def count_pending(db: sqlite_utils.Database) -> int:
    """Return the number of unprocessed replacements."""
    (count,) = db.execute("SELECT count(*) FROM replacements WHERE outcome IS NULL").fetchone()
    return int(count)


def _process(db: sqlite_utils.Database, row: Row, at: float) -> Replacement | None:
    before, now = _track(db, row["old_track"]), _track(db, row["new_track"])
    if before.present:
        _close_record(db, row, "moved")
        return None
    rated = before.rating is not None
    recordings = [_recording(db, row["path"], track) for track in (before, now)]
    if not same_piece(*recordings, known=bool(row["new_track_known"])):
        _close_record(db, row, "uncertain")
        return Replacement(before.track_id, now.track_id, same=False, rated=rated)
    # Transfer the rating only if it is newer than that of the new track, and differs.
    transfers_rating = before.rating_sequence > now.rating_sequence and before.rating != now.rating
    plays = [id_ for (id_,) in db.execute("SELECT id FROM plays WHERE track = ?", [before.key])]
    entry: RatingChange | None = None
    if transfers_rating or plays:
        entry = ratings.append(
            db,
            now.key,
            before.rating,
            at=at,
            source=SOURCE,
            request_id=None,
            plays_only=not transfers_rating,
        )
    db.execute("UPDATE plays SET track = ? WHERE track = ?", [now.key, before.key])
    _close_record(db, row, "transferred", entry.rating.sequence if entry else None, plays)
    change = entry if transfers_rating else None
    return Replacement(before.track_id, now.track_id, True, rated, change, len(plays))


def _close_record(
    db: sqlite_utils.Database,
    row: Row,
    outcome: str,
    rating: int | None = None,
    plays: list[int] | None = None,
) -> None:
    db.execute(MARK_PROCESSED, [outcome, rating, row_mapping.json_list(plays or []), row["id"]])


def _track(db: sqlite_utils.Database, key: int) -> _Track:
    track_id, present, rating, rating_sequence = db.execute(TRACK, [key]).fetchone()
    return _Track(key, TrackId(track_id), bool(present), rating, rating_sequence or 0)


def _recording(db: sqlite_utils.Database, path: bytes, track: _Track) -> Recording:
    row = db.execute(RECORDING, [path, track.key]).fetchone()
    return Recording(row_mapping.tags(row), row["duration_seconds"])
