"""Write queue with group commit.

A commit waits for the disk, so queued writes share one:

* each write has its own savepoint: if it fails, the others are kept;
* a write is answered after the commit; if the commit fails, every write in the group fails;
* bulk writes (scan results, vectors) have a queue of lower priority, one write to a commit while
  other writes are queued. A rating waits for at most one bulk write, and a bulk write waits for at
  most `MAX_BULK_WAIT_SECONDS`.
"""

import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

import sqlite_utils

BUSY_TIMEOUT_SECONDS = 2.0
"""Timeout for the lock of another program, such as `sqlite3`; other writes wait meanwhile."""
LOCKED_TIMEOUT_SECONDS = 0.05
"""Timeout after a lock was not released in time, so that writes fail fast until it is."""

T = TypeVar("T")
Job = Callable[[sqlite_utils.Database], T]

MAX_GROUP_SECONDS = 0.01
"""A group takes no further write after this time, so that the first one does not wait long."""

MAX_BULK_WAIT_SECONDS = 0.2
"""A bulk write goes first when it, or the bulk queue, has waited this long."""


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


class PendingWrite(Generic[T]):
    """A queued job. The caller awaits `result`, and can cancel it until the job starts."""

    def __init__(self, job: Job[T], *, bulk: bool = False) -> None:
        self.job = job
        self.bulk = bulk
        self.result: Future[T] = Future()
        self.queued_at = time.monotonic()


Queue = deque[PendingWrite[Any]]


class WriteQueue:
    """Two FIFO queues, normal and bulk, processed by the one thread that calls `process`."""

    def __init__(self, check: Callable[[sqlite_utils.Database], None]) -> None:
        """`check` runs before and after each commit; it raises if the database file was lost."""
        self._check = check
        self._normal: Queue = deque()
        self._bulk: Queue = deque()
        self._bulk_done_at = 0.0

    def put(self, write: PendingWrite[Any]) -> None:
        """Add a write; thread-safe."""
        (self._bulk if write.bulk else self._normal).append(write)

    def process(self, db: sqlite_utils.Database) -> None:
        """Run queued writes until both queues are empty."""
        while queue := self._next():
            self._commit_group(db, queue)
            if queue is self._bulk:
                self._bulk_done_at = time.monotonic()

    def _next(self) -> Queue:
        """Return the queue to process next; it is empty if both are."""
        if not self._bulk:
            return self._normal
        waited = time.monotonic() - max(self._bulk[0].queued_at, self._bulk_done_at)
        return self._normal if self._normal and waited < MAX_BULK_WAIT_SECONDS else self._bulk

    def _commit_group(self, db: sqlite_utils.Database, queue: Queue) -> None:
        """Run and commit the next group of writes from a queue, and set their results."""
        try:
            begin(db)
        except BaseException as error:
            _fail(filter(_start, _drain(queue)), error)
            return
        group: list[tuple[PendingWrite[Any], Any]] = []
        try:
            with committed(db):
                self._run_group(group, db, queue)
                self._check(db)
            self._check(db)  # Again: a commit to a removed file succeeds too.
        except BaseException as error:
            _fail((write for write, _ in group), error)
        else:
            for write, result in group:
                write.result.set_result(result)

    def _run_group(
        self, group: list[tuple[PendingWrite[Any], Any]], db: sqlite_utils.Database, queue: Queue
    ) -> None:
        """Run writes until the queue is empty or the time is over; add the successful ones."""
        deadline = time.monotonic() + MAX_GROUP_SECONDS
        while queue and time.monotonic() < deadline:
            write = queue.popleft()
            if not _start(write):
                continue
            try:
                with savepoint(db):
                    result = write.job(db)
            except BaseException as error:
                write.result.set_exception(error)
                if not db.conn.in_transaction:
                    raise  # SQLite rolled back the whole group.
            else:
                group.append((write, result))
            if queue is self._bulk and self._normal:
                return


def _start(write: PendingWrite[Any]) -> bool:
    """Mark a write as running; return `False` if its caller cancelled it."""
    return write.result.set_running_or_notify_cancel()


def _drain(queue: Queue) -> Iterable[PendingWrite[Any]]:
    while queue:
        yield queue.popleft()


def _fail(writes: Iterable[PendingWrite[Any]], error: BaseException) -> None:
    for write in writes:
        write.result.set_exception(error)
