"""The files that SQLite has open, held against what lies at their paths.

SQLite goes on writing to a file that was removed, replaced or unmounted lazily: the commit
succeeds, and the next start finds nothing of it. So the files are compared with their paths around
every commit, and a write is acknowledged only where they are the same.
"""

from pathlib import Path

import sqlite_utils

from anagnorisisd.errors import StoreDamaged, StoreLost
from anagnorisisd.storage.error_messages import with_remedy

Identity = tuple[int, int]
"""Device and inode; neither is given to another file as long as this one is open."""


class OpenFiles:
    """The database and its write-ahead log, as they were when SQLite opened them."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._known: dict[Path, Identity] = {}
        self._size_bytes = 0

    def remember(self) -> None:
        """Remember the files that lie at the paths; SQLite has just opened them."""
        for path in (self._database, self._database.with_name(f"{self._database.name}-wal")):
            found = path.stat()
            self._known[path] = (found.st_dev, found.st_ino)
        self._size_bytes = self._database.stat().st_size

    def check(self, db: sqlite_utils.Database) -> None:
        """Check that what was opened is still what lies there; `db` is any connection to it.

        Raises:
            StoreLost: a file was unmounted, moved, replaced or removed.
            StoreDamaged: the database was cut short.
        """
        for path, known in self._known.items():
            try:
                found = path.stat()
            except (FileNotFoundError, NotADirectoryError):
                raise StoreLost(_lost(path)) from None
            except OSError:
                return  # A disk that fails: SQLite has the better words for it.
            if (found.st_dev, found.st_ino) != known:
                raise StoreLost(_lost(path))
            if path == self._database:
                self._check_size(found.st_size, db)

    def _check_size(self, size_bytes: int, db: sqlite_utils.Database) -> None:
        # A database only grows, unless another program vacuums it, and then knows it to be smaller.
        if size_bytes < self._size_bytes and size_bytes < _pages_bytes(db):
            problem = with_remedy(self._database, "was cut short by another program")
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
