"""The state directory: its lock, the marker of its database, and whether its files were replaced.

A daemon locks its state directory, because only one daemon may use it.

The marker is a file outside the state directory. If the disk with the state directory is not
mounted, the empty directory at its mount point looks like a first start; the marker shows that it
is not. It is beside the state directory or, if that is not writable, as under systemd, in the cache
directory. Remove it to start with a new database.
"""

import errno
import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import filelock
import sqlite_utils

from anagnorisisd.errors import (
    AlreadyRunning,
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreLost,
    StoreUnwritable,
)
from anagnorisisd.storage.error_messages import BACKUPS, newest_backup, with_remedy

Identity = tuple[int, int]
"""Device and inode; the pair is not reused while the file is open."""


@contextmanager
def lock(state: Path) -> Iterator[None]:
    """Create the directory `state` if it is missing, and hold its lock during the block.

    The kernel releases the lock when the process dies. The directory itself is locked too, because
    the user may remove the lock file.

    Raises:
        AlreadyRunning: another daemon holds the lock.
        StoreError: the directory cannot be created or written.
    """
    with ExitStack() as stack:
        try:
            state.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = filelock.FileLock(state / "lock", blocking=False, mode=0o600)
            stack.enter_context(lock)
            stack.enter_context(_locked(state))
        except (filelock.Timeout, BlockingIOError):
            raise AlreadyRunning(
                f"another daemon is already running with the state in {state}; "
                "stop it, or set state.directory to another folder"
            ) from None
        except OSError as error:
            raise _error_type(error)(
                f"state.directory: {state}: {error.strerror};"
                " make it writable, or set another folder"
            ) from error
        yield


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError:
            pass  # Some network file systems cannot lock directories; rely on the lock file.
        yield
    finally:
        os.close(descriptor)


def _error_type(error: OSError) -> type[StoreError]:
    return StoreFull if error.errno in {errno.ENOSPC, errno.EDQUOT} else StoreUnwritable


TEXT = """anagnorisisd keeps its database in
{state}
and does not start if that folder is empty. Remove this file to start with a new database.
"""


@dataclass(frozen=True, slots=True)
class StateMarker:
    """The marker of the state directory `state`; both paths are absolute."""

    state: Path
    cache: Path

    @property
    def paths(self) -> tuple[Path, ...]:
        """The possible paths of the marker, the preferred one first."""
        name = hashlib.blake2b(os.fsencode(self.state), digest_size=8).hexdigest()
        return (
            self.state.with_name(f".{self.state.name}.anagnorisis"),
            self.cache / f"state-{name}.anagnorisis",
        )

    def found(self) -> Path | None:
        """Return the path of the marker, or `None`."""
        return next((path for path in self.paths if path.exists()), None)

    def write(self) -> None:
        """Create the marker if it does not exist."""
        if self.found() is not None:
            return
        for place in self.paths:
            with suppress(OSError):
                place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                with os.fdopen(
                    os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb"
                ) as file:
                    file.write(os.fsencode(TEXT.format(state=self.state)))
                return

    def check(self, database: Path) -> None:
        """Check that the database exists if there was one before; writes nothing.

        Raises:
            StoreLost: it is missing; the message has the remedies.
        """
        fault = _fault(database)
        if fault is None:
            return
        log, backups = database.with_name(f"{database.name}-wal"), database.parent / BACKUPS
        backup = newest_backup(database)
        traces = [
            trace
            for trace, is_present in (
                (self.found(), self.found() is not None),
                (log, _size(log) > 0),
                (backups, backup is not None),
            )
            if is_present
        ]
        if traces:
            raise StoreLost(
                f"{database} {fault}, but there was a database before; mount its disk if it is"
                f" not mounted, or restore a backup with `anagnorisisd restore {backup or 'FILE'}`,"
                f" or remove {' and '.join(map(str, traces))} to start anew"
            )


def _fault(database: Path) -> str | None:
    """Return "is missing", "is empty" or `None`; SQLite detects damage."""
    if not database.exists():
        return "is missing"
    return "is empty" if database.is_file() and _size(database) == 0 else None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


class OpenFiles:
    """Detects that the open database files are no longer the files at their paths.

    SQLite continues to write to a file that was removed, replaced or lazily unmounted: the commit
    succeeds, but the data is lost at the next start. So the open files are compared with their
    paths before and after every commit, and a write is acknowledged only if they are the same.
    """

    def __init__(self, database: Path) -> None:
        self._database = database
        self._known: dict[Path, Identity] = {}
        self._size_bytes = 0

    def remember(self) -> None:
        """Store the identities of the files; call it just after SQLite opened them."""
        for path in (self._database, self._database.with_name(f"{self._database.name}-wal")):
            found = path.stat()
            self._known[path] = (found.st_dev, found.st_ino)
        self._size_bytes = self._database.stat().st_size

    def check(self, db: sqlite_utils.Database) -> None:
        """Check that the open files are still at their paths; `db` is any connection to them.

        Raises:
            StoreLost: a file was unmounted, moved, replaced or removed.
            StoreDamaged: the database was truncated.
        """
        for path, known in self._known.items():
            try:
                found = path.stat()
            except (FileNotFoundError, NotADirectoryError):
                raise StoreLost(_lost(path)) from None
            except OSError:
                return  # A failing disk: SQLite reports it with more detail.
            if (found.st_dev, found.st_ino) != known:
                raise StoreLost(_lost(path))
            if path == self._database:
                self._check_size(found.st_size, db)

    def _check_size(self, size_bytes: int, db: sqlite_utils.Database) -> None:
        # The file only grows. If another program vacuums it, the page count shrinks too.
        if size_bytes < self._size_bytes and size_bytes < _pages_bytes(db):
            problem = with_remedy(self._database, "was truncated by another program")
            raise StoreDamaged(f"{self._database} {problem}")
        self._size_bytes = size_bytes


def _pages_bytes(db: sqlite_utils.Database) -> int:
    (count,) = db.execute("PRAGMA page_count").fetchone()
    (size,) = db.execute("PRAGMA page_size").fetchone()
    return int(count) * int(size)


def _lost(path: Path) -> str:
    return (
        f"{path} is no longer the file that the daemon opened (it was unmounted, moved, replaced or"
        " removed), and nothing is stored; undo that, or stop the daemon and restore a backup with"
        " `anagnorisisd restore FILE`"
    )
