"""Files on which a reader process crashed or hung: when each is read again."""

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
"""After the first, second, third and every further failure; a crash counts for one more.

After a hang, whose cause may be the disk, the next scan tries again.
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

# "0" follows "/", so that the range is everything below the directory.
BELOW = "path = :path OR (path > :path || x'2f' AND path < :path || x'30')"


def record(db: sqlite_utils.Database, file: ScannedFile, at: float) -> None:
    """Store a reader failure; delete that of a file that was read, or changed."""
    if file.stamp == NOT_READ:  # It is not known whether the file changed.
        return
    place = {
        "path": row_mapping.path(file.uri),
        "size_bytes": file.stamp.size_bytes,
        "mtime_ns": file.stamp.mtime_ns,
    }
    if file.reader_failure is None:
        db.execute(DELETE, place | {"is_music": file.track_id is not None})
        return
    known = db.execute(COUNT, place).fetchone()
    failures = 1 + (known["failures"] if known else 0)
    values = {
        "failures": failures,
        "problem": row_mapping.text(file.problem or "cannot be read"),
        "retry_at": _retry_at(file.reader_failure, failures, at),
    }
    db.execute(UPSERT, place | values)


def postponed_reads(db: sqlite_utils.Database, below: Uri | None) -> dict[SeenFile, PostponedRead]:
    """Return the files, or those below a directory, that are not read again for now."""
    where, values = ("1", {}) if below is None else (BELOW, {"path": row_mapping.path(below)})
    query = f"SELECT * FROM reader_failures WHERE {where}"
    return {
        (row["path"], row["size_bytes"], row["mtime_ns"]): PostponedRead(
            row["problem"], row["retry_at"]
        )
        for row in db.execute(query, values).fetchall()
    }


def _retry_at(failure: ReaderFailure, failures: int, at: float) -> float:
    """Return when to read a file again whose reader failed `failures` times, the last time `at`."""
    step = failures - 1 + (failure is ReaderFailure.CRASHED)
    return at + RETRY_HOURS[min(step, len(RETRY_HOURS) - 1)] * HOUR
