"""Files as of the last scan, to detect changes."""

from collections.abc import Sequence
from typing import Any

from anagnorisisd.domain.track import SeenFile, Uri
from anagnorisisd.storage import row_mapping
from anagnorisisd.storage.database import Row

PAGE = """
SELECT f.id AS key, f.path, f.size_bytes, f.mtime_ns FROM files f
WHERE {which} AND {where} AND f.id > :after ORDER BY f.id LIMIT :size
"""

PRESENT = "f.present"
# Where several tracks lay at a path, the last one does count.
MISSING = """NOT f.present AND NOT EXISTS (SELECT 1 FROM files l WHERE l.path = f.path
    AND l.track NOT NULL AND (l.seen_at, l.id) > (f.seen_at, f.id))"""

EVERYWHERE = "1"
BELOW = "(f.path = :path OR (f.path > :first AND f.path < :end))"


def page(which: str, below: Uri | None) -> str:
    """Return the query for a page of files that are `PRESENT` or `MISSING`."""
    return PAGE.format(which=which, where=EVERYWHERE if below is None else BELOW)


def values(below: Uri | None) -> dict[str, Any]:
    """Return what the query needs to know of the folder."""
    if below is None:
        return {}
    path = row_mapping.path(below)
    # "0" follows "/", so that this range is everything below the folder.
    return {"path": path, "first": path + b"/", "end": path + b"0"}


def files(found: Sequence[Row]) -> list[SeenFile]:
    """Return the files in a page of rows."""
    return [(path, size, mtime) for _, path, size, mtime in found]
