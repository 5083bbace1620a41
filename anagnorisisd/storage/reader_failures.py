"""Files on which a reader process crashed or hung, and when each is read again."""

import sqlite_utils

from anagnorisisd.domain.track import (
    NOT_READ,
    PostponedRead,
    ReaderFailure,
    ScannedFile,
    SeenFile,
    Uri,
)
from anagnorisisd.storage import row_mapping

HOUR = 3600.0
RETRY_HOURS = (0, 24, 7 * 24, 30 * 24)
"""Delay after the first, second, third and each further failure; a crash skips the first delay.

After a first hang, which the disk may have caused, the next scan reads the file again.
"""

UPSERT = """
INSERT INTO reader_failures (path, size_bytes, mtime_ns, failures, problem, retry_at)
VALUES (:path, :size_bytes, :mtime_ns, :failures, :problem, :retry_at)
ON CONFLICT (path) DO UPDATE SET size_bytes = excluded.size_bytes, mtime_ns = excluded.mtime_ns,
    failures = excluded.failures, problem = excluded.problem, retry_at = excluded.retry_at
"""

DELETE = """
DELETE FROM reader_failures WHERE path = :path
    AND (:is_music OR (size_bytes, mtime_ns) != (:size_bytes, :mtime_ns))
"""

COUNT = """
SELECT failures FROM reader_failures
WHERE path = :path AND (size_bytes, mtime_ns) = (:size_bytes, :mtime_ns)
"""

# x'30' ("0") is the byte after x'2f' ("/"): the range is everything below the directory.
BELOW = "path = :path OR (path > :path || x'2f' AND path < :path || x'30')"


def record(db: sqlite_utils.Database, file: ScannedFile, at: float) -> None:
    """Store the reader failure of a file; delete an old one if it was read, or changed."""
    if file.stamp == NOT_READ:  # Whether the file changed is unknown.
        return
    key = {
        "path": row_mapping.path(file.uri),
        "size_bytes": file.stamp.size_bytes,
        "mtime_ns": file.stamp.mtime_ns,
    }
    if file.reader_failure is None:
        db.execute(DELETE, key | {"is_music": file.track_id is not None})
        return
    known = db.execute(COUNT, key).fetchone()
    failures = 1 + (known["failures"] if known else 0)
    values = {
        "failures": failures,
        "problem": row_mapping.text(file.problem or "cannot be read"),
        "retry_at": _retry_at(file.reader_failure, failures, at),
    }
    db.execute(UPSERT, key | values)


def postponed_reads(db: sqlite_utils.Database, below: Uri | None) -> dict[SeenFile, PostponedRead]:
    """Return the files, or those below a directory, whose next read is postponed."""
    where, values = ("1", {}) if below is None else (BELOW, {"path": row_mapping.path(below)})
    query = f"SELECT * FROM reader_failures WHERE {where}"
    return {
        (row["path"], row["size_bytes"], row["mtime_ns"]): PostponedRead(
            row["problem"], row["retry_at"]
        )
        for row in db.execute(query, values).fetchall()
    }


def _retry_at(failure: ReaderFailure, failures: int, at: float) -> float:
    """Return when to read a file again after `failures` failures, the last one at `at`."""
    step = failures - 1 + (failure is ReaderFailure.CRASHED)
    return at + RETRY_HOURS[min(step, len(RETRY_HOURS) - 1)] * HOUR
