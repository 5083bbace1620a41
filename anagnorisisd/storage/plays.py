"""Plays with their outcomes, append-only."""

from collections.abc import Sequence
from typing import Any

import sqlite_utils

from anagnorisisd.domain.play import Play, PlayOutcome
from anagnorisisd.domain.track import TrackId
from anagnorisisd.storage import row_mapping
from anagnorisisd.storage.database import Database

APPEND = """INSERT INTO plays
    (track, started_at, ended_at, heard_seconds, duration_seconds, outcome, reason)
    VALUES (?, ?, ?, ?, ?, ?, ?)"""

PLAYS = """SELECT track_id, started_at, ended_at, heard_seconds, duration_seconds, outcome, reason
    FROM plays JOIN tracks t ON t.id = plays.track"""
RECENT = f"{PLAYS} ORDER BY ended_at DESC, plays.id DESC LIMIT ?"
PAGE = """SELECT plays.id, track_id, started_at, ended_at, heard_seconds, duration_seconds, outcome,
    reason FROM plays JOIN tracks t ON t.id = plays.track
    WHERE :before IS NULL OR (ended_at, plays.id) <
        (SELECT ended_at, id FROM plays WHERE id = :before)
    ORDER BY ended_at DESC, plays.id DESC LIMIT :limit"""
OLDEST = """SELECT plays.id, track_id, started_at, ended_at, heard_seconds, duration_seconds,
    outcome, reason FROM plays JOIN tracks t ON t.id = plays.track
    WHERE :after IS NULL OR (ended_at, plays.id) >
        (SELECT ended_at, id FROM plays WHERE id = :after)
    ORDER BY ended_at, plays.id LIMIT :limit"""
BETWEEN = f"{PLAYS} WHERE ended_at BETWEEN ? AND ? ORDER BY ended_at, plays.id"


class PlayStore:
    """Stores and reads plays."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, play: Play) -> None:
        """Store a play; raise `UnknownTrack` if the library does not have its track."""

        def job(db: sqlite_utils.Database) -> None:
            values = (
                row_mapping.key_of_track(db, play.track_id),
                play.started_at,
                play.ended_at,
                play.heard_seconds,
                play.duration_seconds,
                play.outcome,
                row_mapping.text(play.reason),
            )
            db.execute(APPEND, values)

        await self._database.write(job)

    async def recent(self, limit: int) -> Sequence[Play]:
        """Return the latest plays by end, newest first.

        Imported plays can be older than plays stored before them.
        """
        return await self._plays(RECENT, limit)

    async def page(self, limit: int, before: int | None) -> Sequence[tuple[int, Play]]:
        """Return plays with their ids, newest first by end, starting after the play `before`."""
        values = {"limit": limit, "before": before}
        found = await self._database.read(lambda db: db.execute(PAGE, values).fetchall())
        return [(key, _play(row)) for key, *row in found]

    async def oldest(self, limit: int, after: int | None) -> Sequence[tuple[int, Play]]:
        """Return plays with their ids, oldest first by end, starting after the play `after`."""
        values = {"limit": limit, "after": after}
        found = await self._database.read(lambda db: db.execute(OLDEST, values).fetchall())
        return [(key, _play(row)) for key, *row in found]

    async def between(self, start: float, end: float) -> Sequence[Play]:
        """Return the plays that ended between `start` and `end` (inclusive), oldest first."""
        return await self._plays(BETWEEN, start, end)

    async def _plays(self, query: str, *values: float) -> Sequence[Play]:
        found = await self._database.read(lambda db: db.execute(query, values).fetchall())
        return [_play(row) for row in found]


def _play(row: Sequence[Any]) -> Play:
    track_id, started, ended, heard, duration, outcome, reason = row
    return Play(TrackId(track_id), started, ended, heard, duration, PlayOutcome(outcome), reason)
