"""Schema migrations.

Each step is one transaction and is recorded. Released steps are never edited: append a new step to
change the schema.
"""

from pathlib import Path

import sqlite_utils
from sqlite_utils.migrations import Migrations

from anagnorisisd.errors import StoreError
from anagnorisisd.storage import schema
from anagnorisisd.storage.schema import album_code, searchable


def first_schema(db: sqlite_utils.Database) -> None:
    """Create the first schema."""
    db.executescript(schema.FIRST)


def stickers_seen(db: sqlite_utils.Database) -> None:
    """Store stickers as last seen, to detect changes across restarts."""
    db.executescript(schema.STICKERS)


def evidence_of_trainings(db: sqlite_utils.Database) -> None:
    """Store the evidence of each training, to detect new evidence since then."""
    db.executescript(schema.EVIDENCE)


def replaced_files(db: sqlite_utils.Database) -> None:
    """Store replaced tracks, to transfer their ratings and plays."""
    db.executescript(schema.REPLACEMENTS)


def plays_by_time(db: sqlite_utils.Database) -> None:
    """Index plays by end: imported plays make the order of ids differ from it."""
    db.executescript(schema.PLAYS_BY_TIME)


def searched_in_one_form(db: sqlite_utils.Database) -> None:
    """Normalise the searched text to one Unicode form."""
    db.conn.create_function("searchable", 1, searchable, deterministic=True)
    db.execute(
        "UPDATE files SET searched = searchable(searched) WHERE searched <> searchable(searched)"
    )


def reader_losses(db: sqlite_utils.Database) -> None:
    """Store files on which a reader process hung or crashed."""
    db.executescript(schema.READER_LOSSES)


def sticker_entries(db: sqlite_utils.Database) -> None:
    """Store the current rating with each sticker seen, and the absence of stickers."""
    db.executescript(schema.STICKER_ENTRIES)


def standard_names(db: sqlite_utils.Database) -> None:
    """Rename tables, columns and stored values to the terms of the glossary."""
    db.executescript(schema.STANDARD_NAMES)


def moved_plays(db: sqlite_utils.Database) -> None:
    """Record in the rating history that plays were transferred without a rating."""
    db.executescript(schema.MOVED_PLAYS)


def tag_preferences(db: sqlite_utils.Database) -> None:
    """Store with each evaluator the sound tags that the listener likes or dislikes."""
    db.executescript(schema.TAG_PREFERENCES)


def created_playlists(db: sqlite_utils.Database) -> None:
    """Store which playlists of MPD the daemon created."""
    db.executescript(schema.PLAYLISTS)


def listed_files(db: sqlite_utils.Database) -> None:
    """Store which files MPD's database lists."""
    db.executescript(schema.LISTED_FILES)


def cue_sheets(db: sqlite_utils.Database) -> None:
    """Store cue sheets and the parts of audio files that are their tracks."""
    db.executescript(schema.CUE_SHEETS)


def preferred_copies(db: sqlite_utils.Database) -> None:
    """Store which copy of a track the listener prefers."""
    db.executescript(schema.PREFERRED_COPIES)


def albums_of_discs(db: sqlite_utils.Database) -> None:
    """Give the discs of an album the same code where each has an album tag of its own."""
    db.conn.create_function("album_code", 2, album_code, deterministic=True)
    db.execute(
        """UPDATE files SET album_code = album_code(album, album_artist)
        WHERE album LIKE '%cd%' OR album LIKE '%dis_%'"""
    )


def uri_identities(db: sqlite_utils.Database) -> None:
    """Store which tracks are identified by URI and duration."""
    db.executescript(schema.URI_IDENTITIES)


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
    moved_plays,
    tag_preferences,
    created_playlists,
    listed_files,
    cue_sheets,
    preferred_copies,
    albums_of_discs,
    uri_identities,
)


def pending_steps(db: sqlite_utils.Database, path: Path) -> list[str]:
    """Return the names of the migrations not yet applied to `db`; writes nothing.

    Raises:
        StoreError: the file at `path` was written by a newer version of the program.
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
    """Return the kinds and names of tables, triggers, indexes and columns."""
    found = db.execute("SELECT type, name FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    parts = {f"{kind} {name}" for kind, name in found}
    for kind, name in found:
        if kind == "table":
            columns = db.execute("SELECT name FROM pragma_table_info(?)", [name]).fetchall()
            parts |= {f"column {name}.{column}" for (column,) in columns}
    return parts


def migrate(db: sqlite_utils.Database) -> None:
    """Apply the pending migrations to `db`."""
    _steps().apply(db)


def _steps() -> Migrations:
    migrations = Migrations("anagnorisisd")
    for step in STEPS:
        migrations()(step)
    return migrations
