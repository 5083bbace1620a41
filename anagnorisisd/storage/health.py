"""Read-only inspection of the database, with or without a running daemon."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import sqlite_utils

from anagnorisisd.storage.error_messages import newest_backup, storage_errors
from anagnorisisd.storage.evaluators import TRAINED
from anagnorisisd.storage.migrations import pending_steps


@dataclass(frozen=True, slots=True)
class DatabaseHealth:
    """The condition of the database, counts, and the last training. Times are unix seconds."""

    path: Path
    size_bytes: int
    damage: str | None
    to_migrate: int = 0
    backup: Path | None = None
    rated: int = 0
    failed: int = 0
    evaluator: int | None = None
    evaluated_at: float | None = None
    trained_at: float | None = None
    training: str | None = None
    failed_trainings: int = 0
    """Failed trainings since the last successful one."""


def inspect(path: Path) -> DatabaseHealth | None:
    """Return the condition of the database at `path`, or `None` if the file does not exist.

    Raises:
        StoreError: it cannot be read, or was written by a newer version.
    """
    if not path.is_file():
        return None
    with storage_errors(path), closing(_connect_read_only(path)) as connection:
        (finding,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        db = sqlite_utils.Database(connection, execute_plugins=False)
        size, steps = path.stat().st_size, len(pending_steps(db, path))
        if finding != "ok" or "tracks" not in db.table_names():
            return DatabaseHealth(
                path, size, None if finding == "ok" else finding, to_migrate=steps
            )
        return _read(connection, path, size, steps)


def _connect_read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)


def _read(connection: sqlite3.Connection, path: Path, size: int, steps: int) -> DatabaseHealth:
    def first_row(query: str) -> tuple[object, ...]:
        return tuple(connection.execute(query).fetchone() or (None, None))

    (rated,) = first_row("SELECT count(*) FROM tracks WHERE rating IS NOT NULL")
    # Before a migration the table may have another name.
    (failed,) = (
        (0,)
        if steps
        else first_row(
            "SELECT count(DISTINCT track) FROM embedding_failures WHERE permanent AND embedder ="
            " (SELECT max(embedder) FROM embeddings)"
        )
    )
    evaluator, evaluated_at = first_row(
        "SELECT version, trained_at FROM evaluators WHERE status = 'current'"
    )
    trained_at, training = first_row(
        "SELECT ended_at, outcome FROM trainings ORDER BY id DESC LIMIT 1"
    )
    (failed_trainings,) = first_row(
        f"SELECT count(*) FROM trainings WHERE id > coalesce((SELECT max(id) FROM ({TRAINED})), 0)"
    )
    return DatabaseHealth(
        path=path,
        size_bytes=size,
        damage=None,
        to_migrate=steps,
        backup=newest_backup(path),
        rated=int(str(rated)),
        failed=int(str(failed)),
        evaluator=None if evaluator is None else int(str(evaluator)),
        evaluated_at=None if evaluated_at is None else float(str(evaluated_at)),
        trained_at=None if trained_at is None else float(str(trained_at)),
        training=None if training is None else str(training),
        failed_trainings=int(str(failed_trainings)),
    )
