"""One SQLite file, one connection, and the one thread that owns it.

Whatever is submitted runs on that thread, one job after the other. A job that writes is all or
nothing: it is on disk when the caller resumes, or it never happened. A caller who is cancelled
leaves at most a whole job behind, never half of one.
"""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, TypeVar

import sqlite_utils

from anagnorisisd.adapters.sqlite.backups import back_up_before
from anagnorisisd.adapters.sqlite.faults import told, way_out
from anagnorisisd.adapters.sqlite.line import Job, Line, Waiting
from anagnorisisd.adapters.sqlite.migrations import migrate, waiting
from anagnorisisd.adapters.sqlite.transaction import BUSY_TIMEOUT_SECONDS
from anagnorisisd.errors import StoreError

T = TypeVar("T")
Row = sqlite3.Row

CHECKED_FIRST = ("ratings",)
CHECKED_THEN = ("plays", "tracks", "files")
"""The tables that are checked at every start: what cannot be computed again from the music.

Ratings are few, and nobody is answered before; the others grow with the library. Vectors are most
of the file and would take minutes; damage among them is noticed when they are read.
"""


class Database:
    """Runs jobs on the thread that owns the connection."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="database")
        self._line = Line()
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
            with told(self._path):
                loop = asyncio.get_running_loop()
                self._db = await loop.run_in_executor(self._thread, _opened, self._path)
        except BaseException:
            self._thread.shutdown(wait=False)
            raise

    async def check(self) -> None:
        """Look through what `open` had no time for; nobody waits for it.

        Raises:
            StoreError: it is damaged; the text says what to do.
        """
        with told(self._path):
            await asyncio.to_thread(_check_the_rest, self._path)

    async def close(self) -> None:
        """Let the jobs that were submitted finish, then close the file; twice is once."""
        db, self._db = self._db, None
        if db is not None:
            closing = self._thread.submit(db.close)
            self._thread.shutdown(wait=False)
            await asyncio.shield(asyncio.wrap_future(closing))

    async def read(self, job: Job[T]) -> T:
        """Return what `job` read."""
        return await self._served(Waiting(job, writes=False))

    async def write(self, job: Job[T]) -> T:
        """Return what `job` returned, after all that it wrote is on disk.

        Anything that `job` raises undoes what it wrote.
        """
        return await self._served(Waiting(job, writes=True))

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

    async def _served(self, asked: Waiting[T]) -> T:
        db = self._db
        if db is None:
            raise StoreError(f"{self._path} is closed")
        self._line.join(asked)
        self._thread.submit(self._line.serve, db)
        with told(self._path):
            return await asyncio.wrap_future(asked.answer)


def _opened(path: Path) -> sqlite_utils.Database:
    _create(path)
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_SECONDS)
    try:
        connection.row_factory = sqlite3.Row
        db = sqlite_utils.Database(connection, execute_plugins=False)
        db.enable_wal()
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        _check(connection, path, CHECKED_FIRST)
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


def _check_the_rest(path: Path) -> None:
    # A file that is locked, or a disk that fails, is told to whoever needs it.
    with (
        suppress(sqlite3.OperationalError),
        closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection,
    ):
        _check(connection, path, CHECKED_THEN)


def _check(connection: sqlite3.Connection, path: Path, tables: Iterable[str]) -> None:
    """Look for damage in those tables that there are."""
    found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    present = {name for (name,) in found}
    for table in tables:
        if table not in present:
            continue
        (finding,) = connection.execute(f"PRAGMA quick_check('{table}')").fetchone()
        if finding != "ok":
            raise StoreError(f"{path} {way_out(path, 'is damaged')} ({table}: {finding})")
