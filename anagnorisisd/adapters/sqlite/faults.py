"""SQLite's errors in the listener's words, each with what to do about it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from anagnorisisd.errors import StoreError

DAMAGED = "is damaged; stop the daemon, move the file aside and put a backup in its place"
LOCKED = "is locked by another program; close that program"
UNWRITABLE = "cannot be written; check owner and rights of the file and its folder"

WHAT_TO_DO = {
    sqlite3.SQLITE_FULL: "cannot grow, the disk is full; free some space",
    sqlite3.SQLITE_BUSY: LOCKED,
    sqlite3.SQLITE_LOCKED: LOCKED,
    sqlite3.SQLITE_READONLY: UNWRITABLE,
    sqlite3.SQLITE_PERM: UNWRITABLE,
    sqlite3.SQLITE_CANTOPEN: "cannot be opened; check owner and rights of the file and its folder",
    sqlite3.SQLITE_IOERR: "cannot be read or written, the disk reports errors; check the disk",
    sqlite3.SQLITE_CORRUPT: DAMAGED,
    sqlite3.SQLITE_NOTADB: "is not a database; move the file aside and put a backup in its place",
}


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Raise `StoreError`, naming `path` and a remedy, for every error of SQLite or the system."""
    try:
        yield
    except sqlite3.Error as error:
        # The low byte of an extended result code is the plain one.
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        remedy = WHAT_TO_DO.get(code, "refused a request")
        raise StoreError(f"{path} {remedy} ({error})") from error
    except OSError as error:
        raise StoreError(f"{path} {UNWRITABLE} ({error.strerror})") from error
