"""One SQLite file, one connection, and the one thread that owns it.

Whatever is submitted runs on that thread, one job after the other. A job that writes is one
transaction: it is on disk when the caller resumes, or it never happened. A caller who is
cancelled leaves at most a whole transaction behind, never half of one.
"""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import sqlite_utils

from anagnorisisd.adapters.sqlite.backups import back_up_before
from anagnorisisd.adapters.sqlite.faults import told, way_out
from anagnorisisd.adapters.sqlite.migrations import migrate, waiting
from anagnorisisd.errors import StoreError

T = TypeVar("T")
Job = Callable[[sqlite_utils.Database], T]
Row = sqlite3.Row

BUSY_TIMEOUT_SECONDS = 2.0
"""How long another program (a curious `sqlite3`) may hold the file locked.

Everybody else waits meanwhile.
"""
LOCKED_TIMEOUT_SECONDS = 0.05
"""The same once it was found locked, until it is not: what only reads is served all the while."""

IRREPLACEABLE = {"ratings", "plays", "tracks", "files"}
"""The tables that are checked at every start: what cannot be computed again from the music.

Vectors are most of the file and would make a start take minutes; damage among them is noticed
when they are read.
"""


class Database:
    """Runs jobs on the thread that owns the connection."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="database")
        self._db: sqlite_utils.Database | None = None

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    async def open(self) -> None:
        """Create or open the file, bring its schema up to date and check it.

        Raises:
            StoreError: the file cannot be used; the text says why and what to do.
        """
        try:
            self._db = await self._on_thread(lambda: _opened(self._path))
        except BaseException:
            self._thread.shutdown(wait=False)
            raise

    async def close(self) -> None:
        """Let the jobs that were submitted finish, then close the file; twice is once."""
        db, self._db = self._db, None
        if db is not None:
            closing = self._thread.submit(db.close)
            self._thread.shutdown(wait=False)
            await asyncio.shield(asyncio.wrap_future(closing))

    async def read(self, job: Job[T]) -> T:
        """Return what `job` read."""
        return await self._run(job)

    async def write(self, job: Job[T]) -> T:
        """Return what `job` returned, after all that it wrote is on disk.

        Anything that `job` raises undoes what it wrote.
        """

        def whole(db: sqlite_utils.Database) -> T:
            with _transaction(db):
                return job(db)

        return await self._run(whole)

    async def pages(
        self, sql: str, values: Mapping[str, Any], size: int, shaped: Callable[[list[Row]], T]
    ) -> AsyncIterator[T]:
        """Yield the rows of a query in pages, each a job of its own, so that nobody waits long.

        `sql` selects a column `key`, orders by it, and has `:after` and `:size` as its page.
        `shaped` makes of a page what is wanted; it runs on the thread too, not in the loop.
        """
        page = {**values, "after": 0, "size": size}

        def job(db: sqlite_utils.Database) -> T | None:
            rows = db.execute(sql, page).fetchall()
            if not rows:
                return None
            page["after"] = rows[-1]["key"]
            return shaped(rows)

        while (result := await self.read(job)) is not None:
            yield result

    async def _run(self, job: Job[T]) -> T:
        db = self._db
        if db is None:
            raise StoreError(f"{self._path} is closed")
        return await self._on_thread(lambda: job(db))

    async def _on_thread(self, work: Callable[[], T]) -> T:
        with told(self._path):
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)


@contextmanager
def _transaction(db: sqlite_utils.Database) -> Iterator[None]:
    _begin(db)
    try:
        yield
        db.commit()
    except BaseException:
        db.rollback()
        raise


def _begin(db: sqlite_utils.Database) -> None:
    # IMMEDIATE takes the write lock first: a transaction that reads and then writes cannot
    # find half-way that another program wrote in between.
    try:
        db.conn.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        _wait_for_locks(db, LOCKED_TIMEOUT_SECONDS)
        raise
    _wait_for_locks(db, BUSY_TIMEOUT_SECONDS)


def _wait_for_locks(db: sqlite_utils.Database, seconds: float) -> None:
    db.conn.execute(f"PRAGMA busy_timeout = {round(seconds * 1000)}")


def _opened(path: Path) -> sqlite_utils.Database:
    _create(path)
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_SECONDS)
    try:
        connection.row_factory = sqlite3.Row
        db = sqlite_utils.Database(connection, execute_plugins=False)
        db.enable_wal()
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        _check(db, path)
        steps = waiting(db, path)
        if steps and db.table_names():
            back_up_before(steps[0], path)
        migrate(db)
    except BaseException:
        connection.close()
        raise
    return db


def _create(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # SQLite gives the files beside it (-wal, -shm) the rights of this one.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def _check(db: sqlite_utils.Database, path: Path) -> None:
    for table in sorted(IRREPLACEABLE & set(db.table_names())):
        (finding,) = db.execute(f"PRAGMA quick_check('{table}')").fetchone()
        if finding != "ok":
            raise StoreError(f"{path} {way_out(path, 'is damaged')} ({table}: {finding})")
