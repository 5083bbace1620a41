"""SQLite's errors in the listener's words, each with what to do about it."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from anagnorisisd.errors import StoreError

BACKUPS = "backups"
"""The folder beside the database in which automatic backups are."""

LOCKED = "is locked by another program; close that program"
FULL = "cannot grow, the disk is full; free some space"
UNWRITABLE = "cannot be written; check owner and rights of the file and its folder"

WHAT_TO_DO = {
    sqlite3.SQLITE_FULL: FULL,
    sqlite3.SQLITE_BUSY: LOCKED,
    sqlite3.SQLITE_LOCKED: LOCKED,
    sqlite3.SQLITE_READONLY: UNWRITABLE,
    sqlite3.SQLITE_PERM: UNWRITABLE,
    sqlite3.SQLITE_CANTOPEN: "cannot be opened; check owner and rights of the file and its folder",
    sqlite3.SQLITE_IOERR: "cannot be read or written, the disk reports errors; check the disk",
}
DAMAGES = {sqlite3.SQLITE_CORRUPT: "is damaged", sqlite3.SQLITE_NOTADB: "is not a database"}


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Raise `StoreError`, naming `path` and a remedy, for every error of SQLite or the system."""
    try:
        yield
    except sqlite3.Error as error:
        # The low byte of an extended result code is the plain one.
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        damage = DAMAGES.get(code)
        said = way_out(path, damage) if damage else WHAT_TO_DO.get(code, "refused a request")
        raise StoreError(f"{path} {said} ({error})") from error
    except OSError as error:
        said = FULL if error.errno in {errno.ENOSPC, errno.EDQUOT} else UNWRITABLE
        raise StoreError(f"{path} {said} ({error.strerror})") from error


def way_out(path: Path, damage: str) -> str:
    """Return what to do about a database that cannot be read any more."""
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
