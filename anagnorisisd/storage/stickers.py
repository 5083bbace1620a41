"""MPD stickers, as last read or written."""

from collections.abc import Iterable, Mapping, Sequence

import sqlite_utils

from anagnorisisd.domain.rating import SyncedSticker
from anagnorisisd.domain.track import Uri
from anagnorisisd.storage import row_mapping
from anagnorisisd.storage.database import Database

PUT = (
    "INSERT OR REPLACE INTO stickers_seen (name, path, value, rating_sequence) VALUES (?, ?, ?, ?)"
)
EXPECT = """INSERT OR IGNORE INTO stickers_seen (name, path, value, rating_sequence)
    VALUES (?, ?, NULL, 0)"""


class StickerStore:
    """Stores the stickers last seen in MPD."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def seen(self, name: str) -> Mapping[Uri, SyncedSticker]:
        """Return the last seen stickers with this name."""
        query = "SELECT path, value, rating_sequence FROM stickers_seen WHERE name = ?"
        found = await self._database.read(lambda db: db.execute(query, [name]).fetchall())
        return {
            row_mapping.uri(path): SyncedSticker(value, rating_sequence)
            for path, value, rating_sequence in found
        }

    async def remember(self, name: str, values: Mapping[Uri, SyncedSticker]) -> None:
        """Store stickers that were read or written."""
        put = [
            (name, row_mapping.path(uri), row_mapping.text(seen.value), seen.entry)
            for uri, seen in values.items()
        ]
        await self._write(PUT, put)

    async def expect(self, name: str, uris: Iterable[Uri]) -> None:
        """Store that the daemon is about to write the first sticker of these files.

        Stored stickers are kept. If the daemon stops before it can call `remember`, it does not
        mistake its own sticker for the listener's at the next start.
        """
        await self._write(EXPECT, [(name, row_mapping.path(uri)) for uri in uris])

    async def _write(
        self, query: str, values: Sequence[tuple[str | bytes | int | None, ...]]
    ) -> None:
        def job(db: sqlite_utils.Database) -> None:
            db.conn.executemany(query, values)

        await self._database.write_parts([job])
