"""Transactions for groups of writes, with a savepoint for each write."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import sqlite_utils

BUSY_TIMEOUT_SECONDS = 2.0
"""Timeout for the lock of another program, such as `sqlite3`; other writes wait meanwhile."""
LOCKED_TIMEOUT_SECONDS = 0.05
"""Timeout after a lock was not released in time, so that writes fail fast until it is."""


def begin(db: sqlite_utils.Database) -> None:
    """Begin a transaction that may write.

    Raises:
        sqlite3.OperationalError: another program holds the file locked, or it cannot be written.
    """
    # IMMEDIATE takes the write lock first: otherwise a transaction that reads and then writes
    # fails if another program writes in between.
    try:
        db.conn.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        _set_busy_timeout(db, LOCKED_TIMEOUT_SECONDS)
        raise
    _set_busy_timeout(db, BUSY_TIMEOUT_SECONDS)


@contextmanager
def committed(db: sqlite_utils.Database) -> Iterator[None]:
    """Commit at the end of the block; roll back if it raises."""
    try:
        yield
        db.conn.commit()
    except BaseException:
        db.conn.rollback()
        raise


@contextmanager
def savepoint(db: sqlite_utils.Database) -> Iterator[None]:
    """Roll back only the writes of the block if it raises."""
    db.conn.execute("SAVEPOINT job")
    try:
        yield
    except BaseException:
        # If the disk is full, SQLite may have rolled back the whole transaction already.
        if db.conn.in_transaction:
            db.conn.execute("ROLLBACK TO job")
            db.conn.execute("RELEASE job")
        raise
    db.conn.execute("RELEASE job")


def _set_busy_timeout(db: sqlite_utils.Database, seconds: float) -> None:
    db.conn.execute(f"PRAGMA busy_timeout = {round(seconds * 1000)}")
