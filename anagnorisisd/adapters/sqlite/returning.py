"""Missing files: what is remembered of them, and their return.

A disk that is mounted again brings back files which are as they were: they need not be read.
"""

from collections.abc import Iterable

import sqlite_utils

from anagnorisisd.adapters.sqlite import rows
from anagnorisisd.domain.track import FileStamp, Uri

STAMPS = """
SELECT path, size_bytes, mtime_ns FROM files
WHERE NOT present AND track IS NOT NULL {part} ORDER BY seen_at, id
"""
PART = "AND (path = :path OR (path > :first AND path < :end))"

RETURN = """
UPDATE files SET present = 1, seen_at = :at WHERE NOT present AND id = (
    SELECT id FROM files WHERE path = :path AND track IS NOT NULL
    ORDER BY seen_at DESC, id DESC LIMIT 1
) AND NOT EXISTS (SELECT 1 FROM files WHERE path = :path AND present)
"""


def missing_stamps(db: sqlite_utils.Database, below: Uri | None) -> dict[Uri, FileStamp]:
    """Return the stamps of missing files; where several lay at a path, that of the last."""
    path = b"" if below is None else rows.path(below)
    # "0" follows "/", so that this range is everything below the folder.
    values = {"path": path, "first": path + b"/", "end": path + b"0"}
    query = STAMPS.format(part="" if below is None else PART)
    found = db.execute(query, {} if below is None else values).fetchall()
    return {rows.uri(path): FileStamp(size, mtime) for path, size, mtime in found}


def mark_present(db: sqlite_utils.Database, uris: Iterable[Uri], at: float) -> None:
    """Say that the files which lay at `uris` lie there again."""
    db.conn.executemany(RETURN, [{"path": rows.path(uri), "at": at} for uri in uris])
