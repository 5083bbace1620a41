"""Pool of reader threads, each with its own read-only connection.

With the write-ahead log, a reader sees a snapshot of the database from the start of the read, and
neither waits for writers nor blocks them.
"""

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import sqlite_utils

from anagnorisisd.storage.write_queue import BUSY_TIMEOUT_SECONDS

T = TypeVar("T")

READERS = 3
"""While two readers run a large page and a search, the third answers short queries."""

CACHE_KIB = 256
"""Page cache of each connection; SQLite's default is 2 MB, but the kernel caches the file too."""


class ReadPool:
    """Runs jobs on read-only connections."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._unassigned: list[sqlite_utils.Database] = []
        self._threads = ThreadPoolExecutor(
            READERS, thread_name_prefix="reading", initializer=self._assign_connection
        )

    def open(self) -> None:
        """Open all connections; the database must exist."""
        for _ in range(READERS):
            # One thread uses the connection; `close` closes it in another when that one has ended.
            connection = sqlite3.connect(
                self._path, timeout=BUSY_TIMEOUT_SECONDS, check_same_thread=False
            )
            self._connections.append(connection)
            connection.row_factory = sqlite3.Row
            db = sqlite_utils.Database(connection, execute_plugins=False)
            db.execute("PRAGMA query_only = ON")
            db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            # SQLite opens the files at the first read.
            db.execute("SELECT 1 FROM sqlite_master").fetchone()
            self._unassigned.append(db)

    def submit(self, job: Callable[[sqlite_utils.Database], T]) -> Future[T]:
        """Run a job on the next free thread."""
        return self._threads.submit(self._run, job)

    def close(self) -> None:
        """Finish the submitted jobs, then close the connections."""
        self._threads.shutdown()
        for connection in self._connections:
            connection.close()

    def _assign_connection(self) -> None:
        self._local.db = self._unassigned.pop()

    def _run(self, job: Callable[[sqlite_utils.Database], T]) -> T:
        return job(self._local.db)
