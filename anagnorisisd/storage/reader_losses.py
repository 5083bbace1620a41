"""Files that hung or killed the process that read them, by size and time of modification."""

import sqlite_utils

from anagnorisisd.domain.reader_loss import HeldBack, retry_at
from anagnorisisd.domain.track import NOT_READ, ScannedFile, SeenFile, Uri
from anagnorisisd.storage import row_mapping

REMEMBER = """
INSERT INTO reader_failures (path, size_bytes, mtime_ns, failures, problem, retry_at)
VALUES (:path, :size_bytes, :mtime_ns, :failures, :problem, :retry_at)
ON CONFLICT (path) DO UPDATE SET size_bytes = excluded.size_bytes, mtime_ns = excluded.mtime_ns,
    failures = excluded.failures, problem = excluded.problem, retry_at = excluded.retry_at
"""

FORGET = """
DELETE FROM reader_failures WHERE path = :path
    AND (:is_music OR (size_bytes, mtime_ns) != (:size_bytes, :mtime_ns))
"""

COUNT = """
SELECT failures FROM reader_failures
WHERE path = :path AND (size_bytes, mtime_ns) = (:size_bytes, :mtime_ns)
"""

# "0" follows "/", so that the range is everything below the folder.
BELOW = "path = :path OR (path > :path || x'2f' AND path < :path || x'30')"


def note(db: sqlite_utils.Database, file: ScannedFile, at: float) -> None:
    """Remember a file that cost its reader; forget one that can be read or has changed."""
    if file.stamp == NOT_READ:  # Nothing is known of what lies there now.
        return
    place = {
        "path": row_mapping.path(file.uri),
        "size_bytes": file.stamp.size_bytes,
        "mtime_ns": file.stamp.mtime_ns,
    }
    if file.loss is None:
        db.execute(FORGET, place | {"is_music": file.track_id is not None})
        return
    known = db.execute(COUNT, place).fetchone()
    failures = 1 + (known["failures"] if known else 0)
    values = {
        "failures": failures,
        "problem": row_mapping.text(file.problem or "cannot be read"),
        "retry_at": retry_at(file.loss, failures, at),
    }
    db.execute(REMEMBER, place | values)


def held_back(db: sqlite_utils.Database, below: Uri | None) -> dict[SeenFile, HeldBack]:
    """Return what is remembered of files below a folder, or of all."""
    where, values = ("1", {}) if below is None else (BELOW, {"path": row_mapping.path(below)})
    query = f"SELECT * FROM reader_failures WHERE {where}"
    return {
        (row["path"], row["size_bytes"], row["mtime_ns"]): HeldBack(row["problem"], row["retry_at"])
        for row in db.execute(query, values).fetchall()
    }
