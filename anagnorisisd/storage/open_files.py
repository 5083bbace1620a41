"""Detect that the open database files are no longer the files at their paths.

SQLite continues to write to a file that was removed, replaced or lazily unmounted: the commit
succeeds, but the data is lost at the next start. So the open files are compared with their paths
before and after every commit, and a write is acknowledged only if they are the same.
"""

from pathlib import Path

import sqlite_utils

from anagnorisisd.errors import StoreDamaged, StoreLost
from anagnorisisd.storage.error_messages import with_remedy

Identity = tuple[int, int]
"""Device and inode; the pair is not reused while the file is open."""


class OpenFiles:
    """The identities of the database and its write-ahead log when SQLite opened them."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._known: dict[Path, Identity] = {}
        self._size_bytes = 0

    def remember(self) -> None:
        """Store the identities of the files; call it just after SQLite opened them."""
        for path in (self._database, self._database.with_name(f"{self._database.name}-wal")):
            found = path.stat()
            self._known[path] = (found.st_dev, found.st_ino)
        self._size_bytes = self._database.stat().st_size

    def check(self, db: sqlite_utils.Database) -> None:
        """Check that the open files are still at their paths; `db` is any connection to them.

        Raises:
            StoreLost: a file was unmounted, moved, replaced or removed.
            StoreDamaged: the database was truncated.
        """
        for path, known in self._known.items():
            try:
                found = path.stat()
            except (FileNotFoundError, NotADirectoryError):
                raise StoreLost(_lost(path)) from None
            except OSError:
                return  # A failing disk: SQLite reports it with more detail.
            if (found.st_dev, found.st_ino) != known:
                raise StoreLost(_lost(path))
            if path == self._database:
                self._check_size(found.st_size, db)

    def _check_size(self, size_bytes: int, db: sqlite_utils.Database) -> None:
        # The file only grows. If another program vacuums it, the page count shrinks too.
        if size_bytes < self._size_bytes and size_bytes < _pages_bytes(db):
            problem = with_remedy(self._database, "was truncated by another program")
            raise StoreDamaged(f"{self._database} {problem}")
        self._size_bytes = size_bytes


def _pages_bytes(db: sqlite_utils.Database) -> int:
    (count,) = db.execute("PRAGMA page_count").fetchone()
    (size,) = db.execute("PRAGMA page_size").fetchone()
    return int(count) * int(size)


def _lost(path: Path) -> str:
    return (
        f"{path} is no longer the file that the daemon opened (it was unmounted, moved, replaced or"
        " removed), and nothing is stored; undo that, or stop the daemon and restore a backup with"
        " `anagnorisisd restore FILE`"
    )
