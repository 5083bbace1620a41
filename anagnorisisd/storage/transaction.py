"""Transactions for groups of writes, with a savepoint for each write."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import sqlite_utils

BUSY_TIMEOUT_SECONDS = 2.0
"""How long another program (a curious `sqlite3`) may hold the file locked.

Everybody else waits meanwhile.
"""
LOCKED_TIMEOUT_SECONDS = 0.05
"""The same once it was found locked, until it is not: what only reads is served all the while."""


def begin(db: sqlite_utils.Database) -> None:
    """Begin a transaction that may write.

    Raises:
        sqlite3.OperationalError: another program holds the file locked, or it cannot be written.
    """
    # IMMEDIATE takes the write lock first: a transaction that reads and then writes cannot
    # find half-way that another program wrote in between.
    try:
        db.conn.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        _wait_for_locks(db, LOCKED_TIMEOUT_SECONDS)
        raise
    _wait_for_locks(db, BUSY_TIMEOUT_SECONDS)


@contextmanager
def committed(db: sqlite_utils.Database) -> Iterator[None]:
    """Have what is written within on disk at the end, or none of it."""
    try:
        yield
        db.conn.commit()
    except BaseException:
        db.conn.rollback()
        raise


@contextmanager
def savepoint(db: sqlite_utils.Database) -> Iterator[None]:
    """Undo what is written within, and only that, when it fails."""
    db.conn.execute("SAVEPOINT job")
    try:
        yield
    except BaseException:
        # A disk that is full may have made SQLite roll back the whole transaction already.
        if db.conn.in_transaction:
            db.conn.execute("ROLLBACK TO job")
            db.conn.execute("RELEASE job")
        raise
    db.conn.execute("RELEASE job")


def _wait_for_locks(db: sqlite_utils.Database, seconds: float) -> None:
    db.conn.execute(f"PRAGMA busy_timeout = {round(seconds * 1000)}")
