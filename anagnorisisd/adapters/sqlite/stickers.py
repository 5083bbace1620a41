"""The player's stickers as they were last seen or written."""

from collections.abc import Mapping

import sqlite_utils

from anagnorisisd.adapters.sqlite import rows
from anagnorisisd.adapters.sqlite.database import Database
from anagnorisisd.domain.track import Uri


class SqliteStickers:
    """`StickerStore` in SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def seen(self, name: str) -> Mapping[Uri, str]:
        """Return the values of one name."""
        query = "SELECT path, value FROM stickers WHERE name = ?"
        found = await self._database.read(lambda db: db.execute(query, [name]).fetchall())
        return {rows.uri(path): str(value) for path, value in found}

    async def remember(self, name: str, values: Mapping[Uri, str | None]) -> None:
        """Note values that were seen or written; `None` forgets one."""
        put = [
            (name, rows.path(uri), rows.text(value))
            for uri, value in values.items()
            if value is not None
        ]
        gone = [(name, rows.path(uri)) for uri, value in values.items() if value is None]
        put_query = "INSERT OR REPLACE INTO stickers (name, path, value) VALUES (?, ?, ?)"

        def job(db: sqlite_utils.Database) -> None:
            db.conn.executemany(put_query, put)
            db.conn.executemany("DELETE FROM stickers WHERE name = ? AND path = ?", gone)

        await self._database.write_parts([job])
