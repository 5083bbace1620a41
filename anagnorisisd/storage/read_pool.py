"""The threads that read: a reader waits neither for the disk nor, mostly, for other readers.

Each has a connection of its own that cannot write. It sees whatever was on disk when it began to
read, and holds up nobody who writes: that is what SQLite's write-ahead log is for.
"""

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import sqlite_utils

from anagnorisisd.storage.transaction import BUSY_TIMEOUT_SECONDS

T = TypeVar("T")

READERS = 3
"""One may be busy with a large page and another with a search, and a rating still be answered."""

CACHE_KIB = 256
"""What each keeps of the file for itself, of 2 MB by default: the kernel keeps the file anyway."""


class ReadPool:
    """Runs jobs that only read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._own = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._unowned: list[sqlite_utils.Database] = []
        self._threads = ThreadPoolExecutor(
            READERS, thread_name_prefix="reading", initializer=self._own_one
        )

    def open(self) -> None:
        """Open all connections; the file must be there."""
        for _ in range(READERS):
            # Each is used by one thread, and closed by another when that one has ended.
            connection = sqlite3.connect(
                self._path, timeout=BUSY_TIMEOUT_SECONDS, check_same_thread=False
            )
            self._connections.append(connection)
            connection.row_factory = sqlite3.Row
            db = sqlite_utils.Database(connection, execute_plugins=False)
            db.execute("PRAGMA query_only = ON")
            db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            db.execute("SELECT 1 FROM sqlite_master").fetchone()  # Only now are its files opened.
            self._unowned.append(db)

    def submit(self, job: Callable[[sqlite_utils.Database], T]) -> Future[T]:
        """Have a job run by the next thread that is free."""
        return self._threads.submit(self._run, job)

    def close(self) -> None:
        """Wait for the jobs that were submitted, then close the connections."""
        self._threads.shutdown()
        for connection in self._connections:
            connection.close()

    def _own_one(self) -> None:
        self._own.db = self._unowned.pop()

    def _run(self, job: Callable[[sqlite_utils.Database], T]) -> T:
        return job(self._own.db)
