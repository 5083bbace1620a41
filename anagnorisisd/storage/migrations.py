"""Schema migrations.

Each step is one transaction and is recorded. Released steps are never edited: append a new step to
change the schema.
"""

from pathlib import Path

import sqlite_utils
from sqlite_utils.migrations import Migrations

from anagnorisisd.errors import StoreError
from anagnorisisd.storage import schema
from anagnorisisd.storage.schema import searchable


def first_schema(db: sqlite_utils.Database) -> None:
    """Create everything."""
    db.executescript(schema.FIRST)


def stickers_seen(db: sqlite_utils.Database) -> None:
    """Remember the player's stickers, so that a change of one is known across restarts."""
    db.executescript(schema.STICKERS)


def evidence_of_trainings(db: sqlite_utils.Database) -> None:
    """Remember what each training could learn from, so that it is known whether there is more."""
    db.executescript(schema.EVIDENCE)


def replaced_files(db: sqlite_utils.Database) -> None:
    """Let ratings and plays pass on to the track that took another one's place."""
    db.executescript(schema.REPLACEMENTS)


def plays_by_time(db: sqlite_utils.Database) -> None:
    """Find the plays that ended last, although old ones were imported later."""
    db.executescript(schema.PLAYS_BY_TIME)


def searched_in_one_form(db: sqlite_utils.Database) -> None:
    """Keep what is searched in one Unicode normal form."""
    db.conn.create_function("searchable", 1, searchable, deterministic=True)
    db.execute(
        "UPDATE files SET searched = searchable(searched) WHERE searched <> searchable(searched)"
    )


def reader_losses(db: sqlite_utils.Database) -> None:
    """Remember files that hung or killed the process that read them."""
    db.executescript(schema.READER_LOSSES)


def sticker_entries(db: sqlite_utils.Database) -> None:
    """Remember which rating counted when a sticker was seen, and that there was no sticker."""
    db.executescript(schema.STICKER_ENTRIES)


def standard_names(db: sqlite_utils.Database) -> None:
    """Rename tables, columns and stored values to the terms of the glossary."""
    db.executescript(schema.STANDARD_NAMES)


STEPS = (
    first_schema,
    stickers_seen,
    evidence_of_trainings,
    replaced_files,
    plays_by_time,
    searched_in_one_form,
    reader_losses,
    sticker_entries,
    standard_names,
)


def pending_steps(db: sqlite_utils.Database, path: Path) -> list[str]:
    """Return the names of the migrations not yet applied to `db`; writes nothing.

    Raises:
        StoreError: a newer version of the program wrote the file at `path`.
    """
    migrations = _steps()
    done = {migration.name for migration in migrations.applied(db)}
    unknown = done - {step.__name__ for step in STEPS}
    if unknown:
        raise StoreError(
            f"{path} was written by a newer version of anagnorisisd ({', '.join(sorted(unknown))});"
            " install that version again, or restore a backup from before the upgrade"
        )
    return [migration.name for migration in migrations.pending(db)]


def missing_schema_part(db: sqlite_utils.Database) -> str | None:
    """Return a table, index, trigger or column that the applied migrations create and `db` lacks.

    `None` if nothing is missing. A database without migrations belongs to another program.
    """
    taken = {migration.name for migration in _steps().applied(db)}
    if not taken:
        return "record of its migrations"
    reference = sqlite_utils.Database(memory=True)
    try:
        for step in STEPS:
            if step.__name__ in taken:
                step(reference)
        missing = sorted(_parts(reference) - _parts(db))
    finally:
        reference.close()
    return missing[0] if missing else None


def _parts(db: sqlite_utils.Database) -> set[str]:
    """Return tables, triggers and indexes by kind and name, and the columns of the tables."""
    found = db.execute("SELECT type, name FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    parts = {f"{kind} {name}" for kind, name in found}
    for kind, name in found:
        if kind == "table":
            columns = db.execute("SELECT name FROM pragma_table_info(?)", [name]).fetchall()
            parts |= {f"column {name}.{column}" for (column,) in columns}
    return parts


def migrate(db: sqlite_utils.Database) -> None:
    """Bring the schema of `db` up to date."""
    _steps().apply(db)


def _steps() -> Migrations:
    migrations = Migrations("anagnorisisd")
    for step in STEPS:
        migrations()(step)
    return migrations
