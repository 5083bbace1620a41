"""Back up and restore the database.

SQLite's online backup copies all pages in one step, so the copy is a consistent snapshot although
the daemon goes on writing. The copy is a single file and is checked before it is renamed to its
target, so that a crash leaves the previous file there.
"""

import asyncio
import os
import sqlite3
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

import sqlite_utils

from anagnorisis import atomic_write
from anagnorisis.atomic_write import fsync
from anagnorisis.errors import Failed
from anagnorisisd.errors import LimitReached, StoreDamaged, StoreError
from anagnorisisd.storage.error_messages import BACKUPS, storage_errors
from anagnorisisd.storage.migrations import missing_schema_part, pending_steps

BACKUPS_KEPT = 5
"""Number of automatic backups kept; older ones are deleted."""

CHUNK_BYTES = 1 << 18

STALL_TIMEOUT_SECONDS = 60.0
"""Timeout for the reader of a stream to take a chunk."""


class BackupStream:
    """Streams copies of the database to clients, one at a time because each takes disk space.

    The constructor deletes copies that a killed daemon left behind.
    """

    def __init__(self, database: Path) -> None:
        self._database = database
        self._current: object | None = None
        for leftover in database.parent.glob(f"{database.name}.*.part"):
            leftover.unlink(missing_ok=True)

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Yield a snapshot in chunks; the snapshot takes disk space until the stream ends.

        Raises:
            LimitReached: another copy is being sent, or the reader stalled.
            StoreError: the database is damaged, or the copy cannot be written.
        """
        if self._current is not None:
            raise LimitReached(
                "another copy of the database is being sent; try again later,"
                " or use `anagnorisisd backup FILE`"
            )
        token = self._current = object()

        def release() -> None:
            if self._current is token:
                self._current = None

        def abandon() -> None:
            file.close()
            release()

        file = await self._open_copy(release)
        loop = asyncio.get_running_loop()
        stall_timer = loop.call_later(0, lambda: None)
        try:
            while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
                # A stalled reader must not keep the disk space and block other copies.
                stall_timer = loop.call_later(STALL_TIMEOUT_SECONDS, abandon)
                yield chunk
                stall_timer.cancel()
                if file.closed:
                    raise LimitReached(
                        f"the client read nothing for {STALL_TIMEOUT_SECONDS:.0f} seconds"
                    )
        finally:
            stall_timer.cancel()
            file.close()
            release()

    async def _open_copy(self, release: Callable[[], None]) -> BinaryIO:
        """Return an open, already unlinked copy: closing it frees its disk space."""
        target = self._database.with_name(f"{self._database.name}.{uuid4().hex}")
        name = f"a copy of {self._database} beside it"

        handover = _FileHandover()

        def make() -> BinaryIO:
            part = copied(self._database, target, name)
            try:
                return handover.hand_over(part.open("rb"))
            finally:
                part.unlink()

        task = asyncio.create_task(asyncio.to_thread(make))
        try:
            return await asyncio.shield(task)
        except BaseException:
            # A thread cannot be cancelled; the next copy must wait until it ends.
            handover.abandon()
            task.add_done_callback(_on_done(release))
            raise


def _on_done(release: Callable[[], None]) -> "Callable[[asyncio.Task[BinaryIO]], None]":
    def on_done(copy_task: "asyncio.Task[BinaryIO]") -> None:
        if not copy_task.cancelled():
            # The caller was cancelled; without this, asyncio warns about an unretrieved exception.
            copy_task.exception()
        release()

    return on_done


class _FileHandover:
    """Hands a file over from a thread to a caller; closes it if the caller was cancelled."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._file: BinaryIO | None = None
        self._abandoned = False

    def hand_over(self, file: BinaryIO) -> BinaryIO:
        """Return the open file, closed if it was abandoned."""
        with self._lock:
            self._file = file
            if self._abandoned:
                file.close()
        return file

    def abandon(self) -> None:
        """Close the file, now or when it is handed over."""
        with self._lock:
            self._abandoned = True
            if self._file is not None:
                self._file.close()


def back_up(database: Path, target: Path) -> None:
    """Copy the database to `target`: replace a regular file, write to a device or FIFO.

    A running daemon is not blocked.

    Raises:
        StoreError: there is no database, or the copy cannot be written.
    """
    if not database.is_file():
        raise StoreError(f"{database} does not exist; there is nothing to back up")
    if target.is_dir():
        raise StoreError(f"{target} is a folder; give a file name in it")
    if target.exists() and target.samefile(database):
        raise StoreError(f"{target} is the database itself; give another file")
    with storage_errors(target):
        if atomic_write.is_regular(str(target)):
            with atomic_write.replace_file(str(target)) as part:
                _fill(Path(part), database, target)
            return
    copy = copied(database, database)
    try:
        with copy.open("rb") as file:
            atomic_write.write(str(target), iter(partial(file.read, CHUNK_BYTES), b""))
    except Failed as error:
        raise StoreError(str(error)) from error
    finally:
        copy.unlink(missing_ok=True)


def back_up_before(step: str, database: Path) -> None:
    """Copy the database to the backups directory before the migration `step`; delete old copies.

    Raises:
        StoreError: the copy cannot be written; do not migrate then.
    """
    timestamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    folder = database.parent / BACKUPS
    with storage_errors(folder):
        folder.mkdir(mode=0o700, exist_ok=True)
    back_up(database, folder / f"{database.stem}-{timestamp}-before-{step}.db")
    for old in sorted(folder.glob(f"{database.stem}-*.db"))[:-BACKUPS_KEPT]:
        old.unlink(missing_ok=True)


def restore(backup: Path, database: Path) -> Path | None:
    """Replace the database with `backup`; return the new path of the replaced one, if any.

    The daemon must not be running. The replaced database is kept with its write-ahead log.

    Raises:
        StoreError: the backup is damaged, was written by a newer version, or cannot be copied.
    """
    if not backup.is_file():
        raise StoreError(f"{backup} does not exist")
    with storage_errors(database):
        database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = copied(backup, database)
    try:
        _check_schema(part, backup)
        with storage_errors(database):
            kept = _set_aside(database)
            part.replace(database)
            fsync(database.parent)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return kept


def copied(source: Path, target: Path, name: str = "") -> Path:
    """Copy `source` to a temporary file beside `target`, check it and flush it to disk.

    Only the user can read the copy. Error messages about it use `name`, or else `target`.

    Raises:
        StoreError: `source` cannot be read or is damaged, or the copy cannot be written.
    """
    part = target.with_name(f"{target.name}.{uuid4().hex}.part")
    with storage_errors(target, name):
        os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        _fill(part, source, target, name)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return part


def _fill(part: Path, source: Path, target: Path, name: str = "") -> None:
    """Copy `source` to the empty file `part` and check it; error messages name `target`."""
    with storage_errors(source), closing(_read_only(source)) as connection:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        # `backup` does not interpret pages, so from here on errors are those of the copy.
        with storage_errors(target, name):
            _write(connection, part)
    with storage_errors(target, name):
        _check_integrity(part, source)


def _write(source: sqlite3.Connection, part: Path) -> None:
    with closing(sqlite3.connect(part)) as copy:
        source.backup(copy)
        # Without this the copy would need a write-ahead log beside it.
        copy.execute("PRAGMA journal_mode = DELETE")
    fsync(part)


def _read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)


def _check_integrity(part: Path, source: Path) -> None:
    with closing(_read_only(part)) as copy:
        (finding,) = copy.execute("PRAGMA quick_check(1)").fetchone()
    if finding != "ok":
        raise StoreDamaged(f"{source} is damaged and was not copied ({finding})")


def _check_schema(part: Path, backup: Path) -> None:
    with storage_errors(backup), closing(_read_only(part)) as connection:
        db = sqlite_utils.Database(connection, execute_plugins=False)
        pending_steps(db, backup)
        missing = missing_schema_part(db)
        if missing is not None:
            raise StoreError(
                f"{backup} is not a backup of anagnorisisd, it has no {missing}; give another file"
            )


def _set_aside(database: Path) -> Path | None:
    """Hard-link the database to a second name and rename its write-ahead log to match."""
    if not database.exists():
        return None
    timestamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    kept = database.with_name(f"{database.name}.replaced-{timestamp}")
    # A link, not a rename: after a power failure, either the database or the backup is there.
    kept.hardlink_to(database)
    log = database.with_name(f"{database.name}-wal")
    if log.exists():
        log.rename(kept.with_name(f"{kept.name}-wal"))
    database.with_name(f"{database.name}-shm").unlink(missing_ok=True)
    return kept
