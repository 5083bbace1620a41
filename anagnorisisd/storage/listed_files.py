"""Which files the player lists in its database; those that it does not list cannot be picked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sqlite_utils

from anagnorisisd.domain.track import Uri
from anagnorisisd.storage import row_mapping
from anagnorisisd.storage.database import Row

PAGE = """
SELECT f.id AS key, f.path, f.listed FROM files f
WHERE f.present AND f.track NOT NULL AND f.id > :after ORDER BY f.id LIMIT :size
"""

PAGE_SIZE = 2_000

SAMPLE_SIZE = 500


@dataclass(frozen=True, slots=True)
class ListingChanges:
    """Files that the player lists now and did not before, and those that it lists no longer."""

    listed: Sequence[tuple[int, Uri]] = ()
    unlisted: Sequence[tuple[int, Uri]] = ()


@dataclass(frozen=True, slots=True)
class UnlistedFiles:
    """How many of the `present` tracks the player does not list, and some of their files."""

    tracks: int = 0
    present: int = 0
    sample: Sequence[Uri] = ()


def differences(rows: Sequence[Row], lists: Callable[[Uri], bool]) -> ListingChanges:
    """Return how a page of rows differs from what the player lists."""
    changed: tuple[list[tuple[int, Uri]], list[tuple[int, Uri]]] = ([], [])
    for key, path, listed in rows:
        uri = row_mapping.uri(path)
        if lists(uri) is not bool(listed):
            changed[listed].append((key, uri))
    return ListingChanges(*changed)


def mark(db: sqlite_utils.Database, keys: Sequence[int], *, listed: bool) -> None:
    """Store for some rows of `files` whether the player lists them."""
    db.execute(
        "UPDATE files SET listed = ? WHERE id IN (SELECT value FROM json_each(?))",
        [listed, row_mapping.json_list(keys)],
    )


def unlisted(db: sqlite_utils.Database) -> UnlistedFiles:
    """Return the present tracks that the player lists under no URI."""
    (present,) = db.execute("SELECT count(*) FROM tracks WHERE present").fetchone()
    unlisted_tracks = "tracks t JOIN files f ON f.id = t.file WHERE t.present AND NOT f.listed"
    (count,) = db.execute(f"SELECT count(*) FROM {unlisted_tracks}").fetchone()
    found = db.execute(f"SELECT f.path FROM {unlisted_tracks} LIMIT {SAMPLE_SIZE}").fetchall()
    return UnlistedFiles(count, present, [row_mapping.uri(path) for (path,) in found])
