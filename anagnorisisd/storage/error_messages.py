"""Translate errors of SQLite and the system to `StoreError`, each with a remedy."""

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
"""The folder of automatic backups, beside the database."""

LOCKED = "is locked by another program; close that program"
FULL = "cannot grow, the disk is full; free some space"
UNWRITABLE = "cannot be written; check owner and rights of the file and its folder"
CLOSED = "cannot be opened; check owner and rights of the file and its folder"
BROKEN = "cannot be read or written, the disk reports errors; check the disk"
REFUSED = "refused a request"

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
"""By the plain result code, which is the low byte of an extended one."""
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
    """Translate errors of SQLite and the system to `StoreError`, naming `path` and a remedy.

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
            kind, problem = StoreFull, FULL  # SQLite says so of its shared memory, and of quotas
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
    """Return `damage` and how to restore a backup, as the end of an error message."""
    backup = newest_backup(path)
    if backup is None:
        return (
            f"{damage}; stop the daemon and put a backup in its place with"
            " `anagnorisisd restore FILE`, or move the file aside to start anew"
        )
    return (
        f"{damage}; stop the daemon and put the newest backup in its place with"
        f" `anagnorisisd restore {backup}`"
    )


def newest_backup(database: Path) -> Path | None:
    """Return the newest of the automatic backups, if there is one."""
    # Their names hold the moment in a form that sorts.
    return max((database.parent / BACKUPS).glob(f"{database.stem}-*.db"), default=None)
