"""Translate SQLite and system errors to `StoreError`, each with a remedy."""

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from anagnorisisd.errors import (
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreUnavailable,
    StoreUnwritable,
)

BACKUPS = "backups"
"""Name of the directory of automatic backups, beside the database."""

LOCKED = "is locked by another program; close that program"
FULL = "cannot grow, the disk is full; free some space"
UNWRITABLE = "cannot be written; check owner and rights of the file and its folder"
CLOSED = "cannot be opened; check owner and rights of the file and its folder"
BROKEN = "cannot be read or written, the disk reports errors; check the disk"
REFUSED = "cannot be used, SQLite reports an error"

KINDS: dict[int, tuple[type[StoreError], str]] = {
    sqlite3.SQLITE_FULL: (StoreFull, FULL),
    sqlite3.SQLITE_BUSY: (StoreUnavailable, LOCKED),
    sqlite3.SQLITE_LOCKED: (StoreUnavailable, LOCKED),
    sqlite3.SQLITE_READONLY: (StoreUnwritable, UNWRITABLE),
    sqlite3.SQLITE_PERM: (StoreUnwritable, UNWRITABLE),
    sqlite3.SQLITE_AUTH: (StoreUnwritable, UNWRITABLE),
    sqlite3.SQLITE_CANTOPEN: (StoreUnwritable, CLOSED),
    sqlite3.SQLITE_IOERR: (StoreError, BROKEN),
}
"""Keys are primary result codes: the low byte of an extended result code."""
DAMAGES = {sqlite3.SQLITE_CORRUPT: "is damaged", sqlite3.SQLITE_NOTADB: "is not a database"}
ERRNOS: dict[int, tuple[type[StoreError], str]] = {
    errno.ENOSPC: (StoreFull, FULL),
    errno.EDQUOT: (StoreFull, FULL),
    errno.EFBIG: (StoreFull, FULL),
    errno.EIO: (StoreError, BROKEN),
    errno.ENOTCONN: (StoreError, BROKEN),
    errno.ESTALE: (StoreError, BROKEN),
    errno.EMFILE: (StoreUnavailable, "cannot be opened, too many files are open; try again later"),
    errno.ENFILE: (StoreUnavailable, "cannot be opened, too many files are open; try again later"),
}


@contextmanager
def storage_errors(path: Path, name: str = "") -> Iterator[None]:
    """Translate SQLite and system errors to `StoreError` with `path` and a remedy.

    `name` replaces the path in the message, for a temporary file that the user does not know.
    """
    shown = name or str(path)
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in DAMAGES:
            raise StoreDamaged(f"{shown} {with_remedy(path, DAMAGES[code])} ({error})") from error
        kind, problem = KINDS.get(code, (StoreError, REFUSED))
        if code == sqlite3.SQLITE_IOERR and _is_full(path):
            # SQLite reports IOERR if -shm cannot grow or a quota is exceeded.
            kind, problem = StoreFull, FULL
        raise kind(f"{shown} {problem} ({error})") from error
    except OSError as error:
        kind, problem = ERRNOS.get(error.errno or 0, (StoreUnwritable, UNWRITABLE))
        raise kind(f"{shown} {problem} ({error.strerror})") from error


def _is_full(path: Path) -> bool:
    try:
        return os.statvfs(path.parent).f_bavail == 0
    except OSError:
        return False


def with_remedy(path: Path, damage: str) -> str:
    """Return the end of an error message: `damage` and how to restore a backup."""
    backup = newest_backup(path)
    if backup is None:
        return (
            f"{damage}; stop the daemon and restore a backup with"
            " `anagnorisisd restore FILE`, or move the file away to start with a new database"
        )
    return (
        f"{damage}; stop the daemon and restore the newest backup with"
        f" `anagnorisisd restore {backup}`"
    )


def newest_backup(database: Path) -> Path | None:
    """Return the newest automatic backup, or `None`."""
    # Their names contain the time in a format that sorts.
    return max((database.parent / BACKUPS).glob(f"{database.stem}-*.db"), default=None)
