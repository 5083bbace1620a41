"""Backups: whole copies of the database, made while it is in use, and put back.

A copy is made by SQLite's online backup in one step, so that it is the database of one moment
however much is written meanwhile. It is checked before it gets its name, and it is one file: what
stands at that name is a whole backup or what was there before.
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
from anagnorisis.errors import Failed
from anagnorisisd.errors import LimitReached, StoreDamaged, StoreError
from anagnorisisd.storage.error_messages import BACKUPS, told
from anagnorisisd.storage.migrations import lacking, waiting

KEPT = 5
"""How many automatic backups stay; the oldest goes first."""

PIECE_BYTES = 1 << 18

STALLED_SECONDS = 60.0
"""So long a caller may take for one piece."""


class BackupStream:
    """Copies of the database for whoever asks the daemon: one at a time, for each takes its space.

    Those that a killed daemon left behind are removed at the start.
    """

    def __init__(self, database: Path) -> None:
        self._database = database
        self._under_way: object | None = None
        for left in database.parent.glob(f"{database.name}.*.part"):
            left.unlink(missing_ok=True)

    async def pieces(self) -> AsyncGenerator[bytes]:
        """Yield a copy of one moment piece by piece; it takes space beside the database meanwhile.

        Raises:
            LimitReached: another copy is on its way, or a piece of this one was not taken in time.
            StoreError: the database is damaged, or the copy cannot be written.
        """
        if self._under_way is not None:
            raise LimitReached(
                "another copy of the database is being sent; try again when it has arrived,"
                " or use `anagnorisisd backup FILE`"
            )
        mine = self._under_way = object()

        def end() -> None:
            if self._under_way is mine:
                self._under_way = None

        def give_up() -> None:
            file.close()
            end()

        file = await self._made(end)
        loop = asyncio.get_running_loop()
        stalled = loop.call_later(0, lambda: None)
        try:
            while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
                # Whoever stops reading must not hold the space, and those behind, for ever.
                stalled = loop.call_later(STALLED_SECONDS, give_up)
                yield piece
                stalled.cancel()
                if file.closed:
                    raise LimitReached(f"nothing was read for {STALLED_SECONDS:.0f} seconds")
        finally:
            stalled.cancel()
            file.close()
            end()

    async def _made(self, end: Callable[[], None]) -> BinaryIO:
        """Return an open copy that has no name any more: closing it frees its space."""
        target = self._database.with_name(f"{self._database.name}.{uuid4().hex}")
        name = f"a copy of {self._database} beside it"

        wanted = _Wanted()

        def make() -> BinaryIO:
            part = copied(self._database, target, name)
            try:
                return wanted.handed(part.open("rb"))
            finally:
                part.unlink()

        making = asyncio.create_task(asyncio.to_thread(make))
        try:
            return await asyncio.shield(making)
        except BaseException:
            # A thread cannot be stopped: the next copy begins when this one has ended.
            wanted.give_up()
            making.add_done_callback(_ended(end))
            raise


def _ended(end: Callable[[], None]) -> "Callable[[asyncio.Task[BinaryIO]], None]":
    def ended(made: "asyncio.Task[BinaryIO]") -> None:
        if not made.cancelled():
            made.exception()  # Its caller is gone: an error nobody awaits is not a warning.
        end()

    return ended


class _Wanted:
    """Whether anybody still waits for a file that a thread opens; it is closed if nobody does."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._file: BinaryIO | None = None
        self._given_up = False

    def handed(self, file: BinaryIO) -> BinaryIO:
        """Take the open file."""
        with self._lock:
            self._file = file
            if self._given_up:
                file.close()
        return file

    def give_up(self) -> None:
        """Say that nobody waits any more."""
        with self._lock:
            self._given_up = True
            if self._file is not None:
                self._file.close()


def back_up(database: Path, target: Path) -> None:
    """Copy the database to `target`: a regular file is replaced, anything else written to.

    A daemon may be running; nobody waits for the copy.

    Raises:
        StoreError: there is no database, or the copy cannot be written.
    """
    if not database.is_file():
        raise StoreError(f"{database} does not exist; there is nothing to back up")
    if target.is_dir():
        raise StoreError(f"{target} is a folder; name a file in it")
    if target.exists() and target.samefile(database):
        raise StoreError(f"{target} is the database itself; name another file")
    with told(target):
        if atomic_write.is_regular(str(target)):
            with atomic_write.replacing(str(target)) as part:
                _fill(Path(part), database, target)
            return
    copy = copied(database, database)
    try:
        with copy.open("rb") as file:
            atomic_write.write(str(target), iter(partial(file.read, PIECE_BYTES), b""))
    except Failed as error:
        raise StoreError(str(error)) from error
    finally:
        copy.unlink(missing_ok=True)


def back_up_before(step: str, database: Path) -> None:
    """Keep a copy beside the database before the migration `step` changes it.

    Raises:
        StoreError: the copy cannot be written; the database must not be changed then.
    """
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    folder = database.parent / BACKUPS
    with told(folder):
        folder.mkdir(mode=0o700, exist_ok=True)
    back_up(database, folder / f"{database.stem}-{moment}-before-{step}.db")
    for old in sorted(folder.glob(f"{database.stem}-*.db"))[:-KEPT]:
        old.unlink(missing_ok=True)


def restore(backup: Path, database: Path) -> Path | None:
    """Put `backup` in the place of the database; return where the replaced one is, if there was.

    No daemon may be running. What is replaced is kept whole, its log of changes included.

    Raises:
        StoreError: the backup is damaged, or of a newer version, or cannot be copied.
    """
    if not backup.is_file():
        raise StoreError(f"{backup} does not exist")
    with told(database):
        database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = copied(backup, database)
    try:
        _check_ours(part, backup)
        with told(database):
            kept = _set_aside(database)
            part.replace(database)
            _settle(database.parent)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return kept


def copied(source: Path, target: Path, name: str = "") -> Path:
    """Return a checked copy of `source` beside `target`, readable by nobody else, on disk.

    Errors of the copy call it `name`, or by its path.

    Raises:
        StoreError: `source` cannot be read or is damaged, or the copy cannot be written.
    """
    part = target.with_name(f"{target.name}.{uuid4().hex}.part")
    with told(target, name):
        os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        _fill(part, source, target, name)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return part


def _fill(part: Path, source: Path, target: Path, name: str = "") -> None:
    """Copy `source` into the empty file `part`; errors name the `target` that it is to become."""
    with told(source), closing(_read_only(source)) as connection:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        # From here on the errors are the copy's: pages are taken as they are.
        with told(target, name):
            _write(connection, part)
    with told(target, name):
        _check_whole(part, source)


def _write(source: sqlite3.Connection, part: Path) -> None:
    with closing(sqlite3.connect(part)) as copy:
        source.backup(copy)
        # A single file: without this it would want a log of changes beside it.
        copy.execute("PRAGMA journal_mode = DELETE")
    _settle(part)


def _read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)


def _check_whole(part: Path, source: Path) -> None:
    with closing(_read_only(part)) as copy:
        (finding,) = copy.execute("PRAGMA quick_check(1)").fetchone()
    if finding != "ok":
        raise StoreDamaged(f"{source} is damaged and was not copied ({finding})")


def _check_ours(part: Path, backup: Path) -> None:
    with told(backup), closing(_read_only(part)) as connection:
        db = sqlite_utils.Database(connection, execute_plugins=False)
        waiting(db, backup)
        missing = lacking(db)
        if missing is not None:
            raise StoreError(
                f"{backup} is not a backup of anagnorisisd, it has no {missing}; name one that is"
            )


def _set_aside(database: Path) -> Path | None:
    """Give the database a second name, and take the log of changes to it along."""
    if not database.exists():
        return None
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    kept = database.with_name(f"{database.name}.replaced-{moment}")
    # The database keeps its own name until the backup takes it: a power cut leaves one of both.
    kept.hardlink_to(database)
    log = database.with_name(f"{database.name}-wal")
    if log.exists():
        log.rename(kept.with_name(f"{kept.name}-wal"))
    database.with_name(f"{database.name}-shm").unlink(missing_ok=True)
    return kept


def _settle(path: Path) -> None:
    """Have a file, or the names in a folder, on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
