"""Owned queue entries, and settings that persist across restarts."""

from collections.abc import Iterable, Mapping

import sqlite_utils

from anagnorisisd.domain.player import SongId
from anagnorisisd.domain.track import TrackId
from anagnorisisd.storage import row_mapping
from anagnorisisd.storage.database import Database


class QueueStore:
    """Stores owned queue entries and settings."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def entries(self) -> Mapping[SongId, TrackId]:
        """Return the owned entries as last known, ordered by song id."""
        query = """SELECT song_id, track_id FROM queue_entries q JOIN tracks t ON t.id = q.track
            ORDER BY song_id"""
        found = await self._database.read(lambda db: db.execute(query).fetchall())
        return {SongId(song_id): TrackId(track_id) for song_id, track_id in found}

    async def add_entry(self, song_id: SongId, track_id: TrackId, at: float) -> None:
        """Store an owned entry; MPD reuses ids after a restart, so an old entry is replaced."""

        def job(db: sqlite_utils.Database) -> None:
            db.execute(
                "INSERT OR REPLACE INTO queue_entries (song_id, track, added_at) VALUES (?, ?, ?)",
                [song_id, row_mapping.key_of_track(db, track_id), at],
            )

        await self._database.write(job)

    async def forget_entries(self, song_ids: Iterable[SongId]) -> None:
        """Delete owned entries that left the queue."""
        values = [(song_id,) for song_id in song_ids]
        delete = "DELETE FROM queue_entries WHERE song_id = ?"
        await self._database.write(lambda db: db.conn.executemany(delete, values))

    async def setting(self, name: str) -> str | None:
        """Return the value of a setting, or `None` if it was never stored."""
        query = "SELECT value FROM settings WHERE name = ?"
        row = await self._database.read(lambda db: db.execute(query, [name]).fetchone())
        return None if row is None else str(row["value"])

    async def put_setting(self, name: str, value: str) -> None:
        """Store the value of a setting."""
        put = "INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)"
        await self._database.write(lambda db: db.execute(put, [name, value]))
