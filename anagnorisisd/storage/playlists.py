"""Playlists of MPD that the daemon created, so that it never changes any other."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

import sqlite_utils

from anagnorisisd.storage.database import Database

PUT = """INSERT OR REPLACE INTO playlists (server, name, kind, state, target)
    VALUES (?, ?, ?, ?, ?)"""


class PlaylistKind(StrEnum):
    """What a playlist is for."""

    RATING = "rating"
    PUBLISHED = "published"


class PlaylistState(StrEnum):
    """How far the daemon is with a playlist.

    `OWNED` is one in use. The others are temporary: `NEW` is being written, `READY` is about to be
    renamed to its target, `TAKEN` is a rating playlist that was renamed to read it undisturbed.
    """

    OWNED = "owned"
    NEW = "new"
    READY = "ready"
    TAKEN = "taken"


@dataclass(frozen=True, slots=True)
class CreatedPlaylist:
    """A playlist that the daemon created; `target` is the name that a temporary one belongs to."""

    name: str
    state: PlaylistState
    target: str


class PlaylistStore:
    """Stores which playlists of an MPD the daemon created; `server` is that MPD's address."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def created(self, server: str, kind: PlaylistKind) -> Sequence[CreatedPlaylist]:
        """Return the playlists of one kind, ordered by name."""
        query = "SELECT name, state, target FROM playlists WHERE server = ? AND kind = ?"
        found = await self._database.read(
            lambda db: db.execute(f"{query} ORDER BY name", [server, kind]).fetchall()
        )
        return [
            CreatedPlaylist(name, PlaylistState(state), target) for name, state, target in found
        ]

    async def change(
        self,
        server: str,
        kind: PlaylistKind,
        *,
        put: Sequence[CreatedPlaylist] = (),
        forget: Collection[str] = (),
    ) -> None:
        """Forget playlists by name, then store others, in one transaction."""
        rows = [(server, entry.name, kind, entry.state, entry.target) for entry in put]

        def job(db: sqlite_utils.Database) -> None:
            db.conn.executemany(
                "DELETE FROM playlists WHERE server = ? AND name = ?",
                [(server, name) for name in forget],
            )
            db.conn.executemany(PUT, rows)

        await self._database.write(job)
