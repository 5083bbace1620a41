"""Queue entries owned by the daemon, and settings kept across restarts."""

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
        """Return our entries as last known, in the order of their song ids."""
        query = """SELECT song_id, track_id FROM queue_entries q JOIN tracks t ON t.id = q.track
            ORDER BY song_id"""
        found = await self._database.read(lambda db: db.execute(query).fetchall())
        return {SongId(song_id): TrackId(track_id) for song_id, track_id in found}

    async def add_entry(self, song_id: SongId, track_id: TrackId, at: float) -> None:
        """Remember that an entry is ours; an id that comes again after a restart is replaced."""

        def job(db: sqlite_utils.Database) -> None:
            db.execute(
                "INSERT OR REPLACE INTO queue_entries (song_id, track, added_at) VALUES (?, ?, ?)",
                [song_id, row_mapping.key_of_track(db, track_id), at],
            )

        await self._database.write(job)

    async def forget_entries(self, song_ids: Iterable[SongId]) -> None:
        """Forget entries that are gone."""
        gone = [(song_id,) for song_id in song_ids]
        delete = "DELETE FROM queue_entries WHERE song_id = ?"
        await self._database.write(lambda db: db.conn.executemany(delete, gone))

    async def setting(self, name: str) -> str | None:
        """Return a remembered switch."""
        query = "SELECT value FROM settings WHERE name = ?"
        row = await self._database.read(lambda db: db.execute(query, [name]).fetchone())
        return None if row is None else str(row["value"])

    async def put_setting(self, name: str, value: str) -> None:
        """Remember a switch across restarts."""
        put = "INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)"
        await self._database.write(lambda db: db.execute(put, [name, value]))
