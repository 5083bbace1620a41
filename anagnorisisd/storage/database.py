"""One SQLite file, one thread that writes to it, and a few that read.

A job that writes is all or nothing: it is on disk when the caller resumes, or it never happened. A
caller who is cancelled leaves at most a whole job behind, never half of one. A job that reads sees
every write that was answered before it was asked for, and waits for none that is under way.
"""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import sqlite_utils

from anagnorisisd.errors import StoreDamaged, StoreError, StoreUnavailable
from anagnorisisd.storage.backups import back_up_before
from anagnorisisd.storage.error_messages import told, way_out
from anagnorisisd.storage.migrations import lacking, migrate, waiting
from anagnorisisd.storage.open_files import OpenFiles
from anagnorisisd.storage.read_pool import ReadPool
from anagnorisisd.storage.transaction import BUSY_TIMEOUT_SECONDS
from anagnorisisd.storage.write_queue import Job, PendingWrite, WriteQueue

T = TypeVar("T")
Row = sqlite3.Row

CHECKED_FIRST = ("ratings",)
CHECKED_THEN = ("plays", "tracks", "files")
"""The tables that are checked at every start: what cannot be computed again from the music.

Ratings are few, and nobody is answered before; the others grow with the library. Vectors are most
of the file and would take minutes; damage among them is noticed when they are read.
"""

CHECKPOINT_BYTES = 4 << 20
"""From this size on what is in the write-ahead log is copied into the file itself.

By a reader: SQLite would do it within a commit, and that commit would wait for the disk three times
instead of once.
"""
LARGEST_LOG_PAGES = 8192
"""From 32 MB on a commit does it all the same: writing may go on and on, and no reader catch up."""


class Database:
    """Runs jobs on the threads that own the connections."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log = path.with_name(f"{path.name}-wal")
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="writing")
        self._files = OpenFiles(path)
        self._line = WriteQueue(self._check_files)
        self._readers = ReadPool(path)
        self._copying: Future[Any] | None = None
        self._db: sqlite_utils.Database | None = None
        self._loss: asyncio.Future[StoreError] | None = None

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
                self._loss = loop.create_future()
                self._db = await loop.run_in_executor(self._thread, self._open)
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

    async def check_files(self) -> None:
        """Check that what is open is what lies at its path.

        Raises:
            StoreLost: it was unmounted, moved, replaced or removed.
            StoreDamaged: it was cut short.
        """
        await self.read(self._check_files)

    async def lost(self) -> StoreError:
        """Return why nothing can be stored any more, as soon as a write or a check finds out."""
        assert self._loss is not None, "it was opened"
        return await asyncio.shield(self._loss)

    async def close(self) -> None:
        """Let the jobs that were submitted finish, then close the file; twice is once."""
        db, self._db = self._db, None
        if db is not None:
            closing = self._thread.submit(self._close, db)
            self._thread.shutdown(wait=False)
            await asyncio.shield(asyncio.wrap_future(closing))

    async def read(self, job: Job[T]) -> T:
        """Return what `job` read; it cannot write."""
        self._opened()
        with told(self._path):
            return await asyncio.wrap_future(self._readers.submit(job))

    async def write(self, job: Job[T]) -> T:
        """Return what `job` returned, after all that it wrote is on disk.

        Anything that `job` raises undoes what it wrote.
        """
        return await self._written(PendingWrite(job))

    async def write_parts(self, jobs: Iterable[Job[T]]) -> Sequence[T]:
        """Return what the parts of a large change returned, after all of them are on disk.

        Everybody else goes first, between two parts too; so each should take a few milliseconds
        only. A part that raises undoes what it wrote itself.
        """
        parts = [self._written(PendingWrite(job, bulk=True)) for job in jobs]
        return await asyncio.gather(*parts)

    async def pages(
        self, sql: str, values: Mapping[str, Any], size: int, shaped: Callable[[list[Row]], T]
    ) -> AsyncIterator[T]:
        """Yield the rows of a query in pages, each a job of its own, so that nobody waits long.

        `sql` selects a column `key`, orders by it, and has `:after` and `:size` as its page.
        `shaped` makes of a page what is wanted; it runs on the reader's thread too.
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

    async def _written(self, asked: PendingWrite[T]) -> T:
        db = self._opened()
        self._line.join(asked)
        self._thread.submit(self._serve, db)
        with told(self._path):
            return await asyncio.wrap_future(asked.answer)

    def _open(self) -> sqlite_utils.Database:
        db = _connected(self._path)
        try:
            self._readers.open()
            self._files.remember()
        except BaseException:
            db.close()
            raise
        return db

    def _opened(self) -> sqlite_utils.Database:
        if self._db is None:
            raise StoreUnavailable(f"{self._path} is closed")
        return self._db

    def _serve(self, db: sqlite_utils.Database) -> None:
        self._line.serve(db)
        if self._copying is not None and not self._copying.done():
            return
        if self._log_bytes() > CHECKPOINT_BYTES:
            self._copying = self._readers.submit(_copy_log)

    def _check_files(self, db: sqlite_utils.Database) -> None:
        try:
            self._files.check(db)
        except StoreError as error:
            assert self._loss is not None, "it was opened"
            self._loss.get_loop().call_soon_threadsafe(self._notice, error)
            raise

    def _notice(self, error: StoreError) -> None:
        if self._loss is not None and not self._loss.done():
            self._loss.set_result(error)

    def _log_bytes(self) -> int:
        try:
            return self._log.stat().st_size
        except OSError:
            return 0  # It is gone, as the next write will say.

    def _close(self, db: sqlite_utils.Database) -> None:
        self._readers.close()
        db.close()


def _copy_log(db: sqlite_utils.Database) -> None:
    """Copy what can be copied without waiting for anybody."""
    db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield the parts of `items`; `itertools` has the same from Python 3.12 on."""
    remaining = iter(items)
    while part := list(islice(remaining, size)):
        yield part


def _connected(path: Path) -> sqlite_utils.Database:
    _create(path)
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_SECONDS)
    try:
        connection.row_factory = sqlite3.Row
        db = sqlite_utils.Database(connection, execute_plugins=False)
        db.enable_wal()
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        db.execute(f"PRAGMA wal_autocheckpoint = {LARGEST_LOG_PAGES}")
        # Once all of it was copied it begins anew, and shrinks to this: larger means grown since.
        db.execute(f"PRAGMA journal_size_limit = {CHECKPOINT_BYTES}")
        _check(connection, path, CHECKED_FIRST)
        steps = waiting(db, path)
        foreign = set(db.table_names()) - {"_sqlite_migrations"} and lacking(db)
        if foreign:
            said = way_out(path, f"is not a database of anagnorisisd, it has no {foreign}")
            raise StoreDamaged(f"{path} {said}")
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
            raise StoreDamaged(f"{path} {way_out(path, 'is damaged')} ({table}: {finding})")
