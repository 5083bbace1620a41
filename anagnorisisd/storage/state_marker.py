"""The marker of a state directory: a file beside it which says that a database is kept there.

An unmounted disk leaves an empty folder, which looks like a first start. The marker lies outside
the state directory, so that it stays when that goes; in the cache directory where the folder above
may not be written, as under systemd. Whoever means to start anew removes it.
"""

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from anagnorisisd.errors import StoreLost
from anagnorisisd.storage.error_messages import BACKUPS, newest_backup

TEXT = """anagnorisisd keeps its database in
{state}
and does not start with an empty folder in its place. Remove this file to start anew.
"""


@dataclass(frozen=True, slots=True)
class StateMarker:
    """The marker of the directory `state`; both paths are absolute."""

    state: Path
    cache: Path

    @property
    def places(self) -> tuple[Path, ...]:
        """Where it may lie, the best place first."""
        name = hashlib.blake2b(os.fsencode(self.state), digest_size=8).hexdigest()
        return (
            self.state.with_name(f".{self.state.name}.anagnorisis"),
            self.cache / f"state-{name}.anagnorisis",
        )

    def found(self) -> Path | None:
        """Return the marker, `None` if there is none."""
        return next((place for place in self.places if place.exists()), None)

    def write(self) -> None:
        """Write it, unless it is there."""
        if self.found() is not None:
            return
        for place in self.places:
            with suppress(OSError):
                place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
                    file.write(os.fsencode(TEXT.format(state=self.state)))
                return

    def check(self, database: Path) -> None:
        """Check that a database is there, if there ever was one; writes nothing.

        Raises:
            StoreLost: there was one; the text says how to get it back, and how to start anew.
        """
        fault = _fault(database)
        if fault is None:
            return
        log, backups = database.with_name(f"{database.name}-wal"), database.parent / BACKUPS
        backup = newest_backup(database)
        signs = [
            sign
            for sign, there in (
                (self.found(), self.found() is not None),
                (log, _size(log) > 0),
                (backups, backup is not None),
            )
            if there
        ]
        if signs:
            raise StoreLost(
                f"{database} {fault}, but there was a database before; mount its disk if that is"
                f" not mounted, or restore a backup with `anagnorisisd restore {backup or 'FILE'}`,"
                f" or remove {' and '.join(map(str, signs))} to start anew"
            )


def _fault(database: Path) -> str | None:
    """Return in which way the database is none; damage is for SQLite to find."""
    if not database.exists():
        return "is missing"
    return "is empty" if database.is_file() and _size(database) == 0 else None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
