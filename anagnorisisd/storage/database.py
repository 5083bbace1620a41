"""The SQLite database: one writer thread and a pool of reader threads.

A write job is atomic and durable: it is on disk when the caller resumes, or it has no effect. If
the caller is cancelled, the job either runs completely or not at all. A read job sees every write
that completed before it was submitted, and does not wait for running writes.
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
from anagnorisisd.storage.error_messages import storage_errors, with_remedy
from anagnorisisd.storage.migrations import migrate, missing_schema_part, pending_steps
from anagnorisisd.storage.read_pool import ReadPool
from anagnorisisd.storage.state_directory import OpenFiles
from anagnorisisd.storage.write_queue import BUSY_TIMEOUT_SECONDS, Job, PendingWrite, WriteQueue

T = TypeVar("T")
Row = sqlite3.Row

TABLES_CHECKED_AT_START = ("ratings",)
TABLES_CHECKED_LATER = ("plays", "tracks", "files")
"""The tables checked at every start: data that cannot be recomputed from the music files.

Ratings are checked before the first request; the other tables grow with the library and are checked
in the background. Vectors are most of the file and would take minutes, so they are not checked.
"""

CHECKPOINT_BYTES = 4 << 20
"""The write-ahead log is checkpointed from this size on.

A reader does it: within a commit, as SQLite does by default, the commit would wait for the disk
three times instead of once.
"""
MAX_LOG_PAGES = 8192
"""From 32 MB on, a commit runs the checkpoint, in case the readers cannot keep up."""


class Database:
    """Runs jobs on the threads that own the SQLite connections."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log = path.with_name(f"{path.name}-wal")
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="writing")
        self._files = OpenFiles(path)
        self._write_queue = WriteQueue(self._check_files)
        self._readers = ReadPool(path)
        self._checkpoint: Future[Any] | None = None
        self._db: sqlite_utils.Database | None = None
        self._lost: asyncio.Future[StoreError] | None = None

    @property
    def path(self) -> Path:
        """The path of the database file."""
        return self._path

    async def open(self) -> None:
        """Create or open the file, check it and migrate its schema.

        Raises:
            StoreError: the file cannot be used; the message has the reason and a remedy.
        """
        try:
            with storage_errors(self._path):
                loop = asyncio.get_running_loop()
                self._lost = loop.create_future()
                self._db = await loop.run_in_executor(self._thread, self._open)
        except BaseException:
            self._thread.shutdown(wait=False)
            raise

    async def check(self) -> None:
        """Check the tables that `open` does not check, in a thread.

        Raises:
            StoreError: a table is damaged; the message has a remedy.
        """
        with storage_errors(self._path):
            await asyncio.to_thread(_check_large_tables, self._path)

    async def check_files(self) -> None:
        """Check that the open file is still the one at its path.

        Raises:
            StoreLost: it was unmounted, moved, replaced or removed.
            StoreDamaged: it was truncated.
        """
        await self.read(self._check_files)

    async def lost(self) -> StoreError:
        """Wait until a write or a check finds that the database file was lost; return the error."""
        assert self._lost is not None, "it was opened"
        return await asyncio.shield(self._lost)

    async def close(self) -> None:
        """Finish the submitted jobs, then close the file. Idempotent."""
        db, self._db = self._db, None
        if db is not None:
            closing = self._thread.submit(self._close, db)
            self._thread.shutdown(wait=False)
            await asyncio.shield(asyncio.wrap_future(closing))

    async def read(self, job: Job[T]) -> T:
        """Run `job` on a read-only connection and return its result."""
        self._connection()
        with storage_errors(self._path):
            return await asyncio.wrap_future(self._readers.submit(job))

    async def write(self, job: Job[T]) -> T:
        """Run `job` in a transaction and return its result when it is on disk.

        If `job` raises, its writes are rolled back.
        """
        return await self._submit_write(PendingWrite(job))

    async def write_parts(self, jobs: Iterable[Job[T]]) -> Sequence[T]:
        """Run the parts of a large change and return their results when all are on disk.

        Other writes take precedence, also between two parts, so each part should take only a few
        milliseconds. If a part raises, only its own writes are rolled back.
        """
        parts = [self._submit_write(PendingWrite(job, bulk=True)) for job in jobs]
        return await asyncio.gather(*parts)

    async def pages(
        self, sql: str, values: Mapping[str, Any], size: int, convert: Callable[[list[Row]], T]
    ) -> AsyncIterator[T]:
        """Yield the rows of a query in pages, each read by a separate short job.

        `sql` selects a column `key`, orders by it, and has the parameters `:after` and `:size`.
        `convert` converts the rows of a page, in the reader thread.
        """
        page = {**values, "after": 0, "size": size}

        def job(db: sqlite_utils.Database) -> T | None:
            rows = db.execute(sql, page).fetchall()
            if not rows:
                return None
            page["after"] = rows[-1]["key"]
            return convert(rows)

        while (result := await self.read(job)) is not None:
            yield result

    async def _submit_write(self, pending: PendingWrite[T]) -> T:
        db = self._connection()
        self._write_queue.put(pending)
        self._thread.submit(self._process_writes, db)
        with storage_errors(self._path):
            return await asyncio.wrap_future(pending.result)

    def _open(self) -> sqlite_utils.Database:
        db = _connect(self._path)
        try:
            self._readers.open()
            self._files.remember()
        except BaseException:
            db.close()
            raise
        return db

    def _connection(self) -> sqlite_utils.Database:
        if self._db is None:
            raise StoreUnavailable(f"{self._path} is closed")
        return self._db

    def _process_writes(self, db: sqlite_utils.Database) -> None:
        self._write_queue.process(db)
        if self._checkpoint is not None and not self._checkpoint.done():
            return
        if self._log_bytes() > CHECKPOINT_BYTES:
            self._checkpoint = self._readers.submit(_checkpoint_log)

    def _check_files(self, db: sqlite_utils.Database) -> None:
        try:
            self._files.check(db)
        except StoreError as error:
            assert self._lost is not None, "it was opened"
            self._lost.get_loop().call_soon_threadsafe(self._set_loss, error)
            raise

    def _set_loss(self, error: StoreError) -> None:
        if self._lost is not None and not self._lost.done():
            self._lost.set_result(error)

    def _log_bytes(self) -> int:
        try:
            return self._log.stat().st_size
        except OSError:
            return 0  # It was removed; the next write raises `StoreLost`.

    def _close(self, db: sqlite_utils.Database) -> None:
        self._readers.close()
        db.close()


def _checkpoint_log(db: sqlite_utils.Database) -> None:
    """Checkpoint the pages that no reader needs, without waiting for locks."""
    db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield lists of up to `size` items, as `itertools.batched` does from Python 3.12 on."""
    remaining = iter(items)
    while part := list(islice(remaining, size)):
        yield part


def _connect(path: Path) -> sqlite_utils.Database:
    _create(path)
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_SECONDS)
    try:
        connection.row_factory = sqlite3.Row
        db = sqlite_utils.Database(connection, execute_plugins=False)
        db.enable_wal()
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        db.execute(f"PRAGMA wal_autocheckpoint = {MAX_LOG_PAGES}")
        # A log that restarts after a checkpoint is truncated to this size.
        db.execute(f"PRAGMA journal_size_limit = {CHECKPOINT_BYTES}")
        _check(connection, path, TABLES_CHECKED_AT_START)
        steps = pending_steps(db, path)
        missing_part = set(db.table_names()) - {"_sqlite_migrations"} and missing_schema_part(db)
        if missing_part:
            problem = with_remedy(
                path, f"is not a database of anagnorisisd, it has no {missing_part}"
            )
            raise StoreDamaged(f"{path} {problem}")
        if steps and db.table_names():
            back_up_before(steps[0], path)
        migrate(db)
    except BaseException:
        connection.close()
        raise
    return db


def _create(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # SQLite creates -wal and -shm with the permissions of this file.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def _check_large_tables(path: Path) -> None:
    # OperationalError (locked file, failing disk): reads and writes report it themselves.
    with (
        suppress(sqlite3.OperationalError),
        closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection,
    ):
        _check(connection, path, TABLES_CHECKED_LATER)


def _check(connection: sqlite3.Connection, path: Path, tables: Iterable[str]) -> None:
    """Check the existing ones of `tables`; raise `StoreDamaged` if one is damaged."""
    found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    present = {name for (name,) in found}
    for table in tables:
        if table not in present:
            continue
        (finding,) = connection.execute(f"PRAGMA quick_check('{table}')").fetchone()
        if finding != "ok":
            raise StoreDamaged(f"{path} {with_remedy(path, 'is damaged')} ({table}: {finding})")
