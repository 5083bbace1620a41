"""Files that were replaced by another encoding: rating and plays pass on to the new track.

That a track took another one's place is noted when its file is taken in, and judged when the scan
has ended: the former track may have moved elsewhere, which the scan finds only later.
"""

from dataclasses import dataclass

import sqlite_utils

from anagnorisisd.domain.track import TrackId
from anagnorisisd.storage import ratings, row_mapping
from anagnorisisd.storage.database import Row
from anagnorisisd.storage.replacement_rules import Recording, Replacement, same_piece

SOURCE = "replacement"
"""Stands in the history at a rating that was passed on."""

BEFORE = """
SELECT track FROM files WHERE path = ? AND track NOT NULL
    ORDER BY present DESC, seen_at DESC, id DESC LIMIT 1
"""
"""The track that lies, or lay last, at a path."""

WAITING = """SELECT id, path, old_track, new_track, new_track_known FROM replacements
    WHERE outcome IS NULL LIMIT ?"""
TRACK = "SELECT track_id, present, rating, rating_sequence FROM tracks WHERE id = ?"
RECORDING = (
    f"SELECT {row_mapping.TAGS}, f.duration_seconds FROM files f WHERE f.path = ? AND f.track = ?"
)
SETTLE = "UPDATE replacements SET outcome = ?, rating = ?, plays = ? WHERE id = ?"


@dataclass(frozen=True, slots=True)
class _Track:
    key: int
    track_id: TrackId
    present: bool
    rating: float | None
    rating_sequence: int


def track_at(db: sqlite_utils.Database, path: bytes) -> int | None:
    """Return the row id of the track that lies, or lay last, at a path."""
    row = db.execute(BEFORE, [path]).fetchone()
    return None if row is None else int(row["track"])


def note(db: sqlite_utils.Database, path: bytes, before: int, now: int, *, known: bool) -> None:
    """Remember that a track took another one's place; `known`: the library had it before."""
    db.execute(
        """INSERT INTO replacements (path, old_track, new_track, new_track_known)
            VALUES (?, ?, ?, ?)""",
        [path, before, now, known],
    )


def settle(db: sqlite_utils.Database, limit: int, at: float) -> list[Replacement]:
    """Judge up to so many replacements that were noted, and pass on what is to be passed on.

    Those whose former track lies elsewhere now are none; they are not returned, but count as
    settled.
    """
    waiting = db.execute(WAITING, [limit]).fetchall()
    return [found for row in waiting if (found := _settle(db, row, at)) is not None]


def waiting(db: sqlite_utils.Database) -> int:
    """Return how many replacements have not been judged."""
    (count,) = db.execute("SELECT count(*) FROM replacements WHERE outcome IS NULL").fetchone()
    return int(count)


def _settle(db: sqlite_utils.Database, row: Row, at: float) -> Replacement | None:
    before, now = _track(db, row["old_track"]), _track(db, row["new_track"])
    if before.present:
        _end(db, row, "moved")
        return None
    rated = before.rating is not None
    recordings = [_recording(db, row["path"], track) for track in (before, now)]
    if not same_piece(*recordings, known=bool(row["new_track_known"])):
        _end(db, row, "uncertain")
        return Replacement(before.track_id, now.track_id, same=False, rated=rated)
    # The newest word counts; a track that was never rated takes over nothing but a rating.
    newer = before.rating_sequence > now.rating_sequence and before.rating != now.rating
    change = (
        ratings.append(db, now.key, before.rating, at=at, source=SOURCE, request_id=None)
        if newer
        else None
    )
    plays = [id_ for (id_,) in db.execute("SELECT id FROM plays WHERE track = ?", [before.key])]
    db.execute("UPDATE plays SET track = ? WHERE track = ?", [now.key, before.key])
    _end(db, row, "transferred", change.rating.sequence if change else None, plays)
    return Replacement(before.track_id, now.track_id, True, rated, change, len(plays))


def _end(
    db: sqlite_utils.Database,
    row: Row,
    outcome: str,
    rating: int | None = None,
    plays: list[int] | None = None,
) -> None:
    db.execute(SETTLE, [outcome, rating, row_mapping.listed(plays or []), row["id"]])


def _track(db: sqlite_utils.Database, key: int) -> _Track:
    track_id, present, rating, rating_sequence = db.execute(TRACK, [key]).fetchone()
    return _Track(key, TrackId(track_id), bool(present), rating, rating_sequence or 0)


def _recording(db: sqlite_utils.Database, path: bytes, track: _Track) -> Recording:
    row = db.execute(RECORDING, [path, track.key]).fetchone()
    return Recording(row_mapping.tags(row), row["duration_seconds"])
