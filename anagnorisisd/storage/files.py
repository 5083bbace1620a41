"""Files of the library: the state at the last scan, and updates from a scan."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import sqlite_utils

from anagnorisisd.domain.track import ScannedFile, SeenFile, TrackId, Uri
from anagnorisisd.storage import (
    cue_sheets,
    reader_failures,
    replacements,
    row_mapping,
    uri_identities,
)
from anagnorisisd.storage.database import Row
from anagnorisisd.storage.schema import album_code, name_hash, searchable

PAGE = """
SELECT f.id AS key, f.path, f.size_bytes, f.mtime_ns FROM files f
WHERE {which} AND {where} AND f.id > :after ORDER BY f.id LIMIT :size
"""

PRESENT = "f.present AND f.source IS NULL"
# If several tracks were at a path, only the last one counts.
MISSING = """NOT f.present AND f.source IS NULL AND NOT EXISTS (
    SELECT 1 FROM files l WHERE l.path = f.path AND l.track NOT NULL
    AND (l.seen_at, l.id) > (f.seen_at, f.id))"""

EVERYWHERE = "1"
BELOW = "(f.path = :path OR (f.path > :first AND f.path < :end))"


def snapshot_query(which: str, below: Uri | None) -> str:
    """Return the query for a page of files that are `PRESENT` or `MISSING`."""
    return PAGE.format(which=which, where=EVERYWHERE if below is None else BELOW)


def snapshot_values(below: Uri | None) -> dict[str, Any]:
    """Return the parameters of `snapshot_query`."""
    if below is None:
        return {}
    path = row_mapping.path(below)
    # "0" is the character after "/": the range contains the paths that start with "folder/".
    return {"path": path, "first": path + b"/", "end": path + b"0"}


def seen_files(found: Sequence[Row]) -> list[SeenFile]:
    """Return the files in a page of rows."""
    return [(path, size, mtime) for _, path, size, mtime in found]


@dataclass(frozen=True, slots=True)
class UpsertResult:
    """The numbers of files that were moved, changed or are unusable, and the added tracks."""

    added: tuple[TrackId, ...] = ()
    moved: int = 0
    changed: int = 0
    unusable: int = 0

    def __add__(self, other: "UpsertResult") -> "UpsertResult":
        """Return the sum of both."""
        return UpsertResult(
            self.added + other.added,
            self.moved + other.moved,
            self.changed + other.changed,
            self.unusable + other.unusable,
        )


UPSERT = """
INSERT INTO files (path, track, problem, present, seen_at, size_bytes, mtime_ns,
    title, artist, album, album_artist, genre, year, duration_seconds,
    search_text, artist_code, album_code)
VALUES (:path, :track, :problem, 1, :seen_at, :size_bytes, :mtime_ns,
    :title, :artist, :album, :album_artist, :genre, :year, :duration_seconds,
    :search_text, :artist_code, :album_code)
ON CONFLICT (path, track) DO UPDATE SET present = 1, seen_at = excluded.seen_at,
    size_bytes = excluded.size_bytes, mtime_ns = excluded.mtime_ns, title = excluded.title,
    artist = excluded.artist, album = excluded.album, album_artist = excluded.album_artist,
    genre = excluded.genre, year = excluded.year, duration_seconds = excluded.duration_seconds,
    -- `cue_sheets.link` stores the part of a file again.
    source = NULL, source_track = NULL, start_ms = NULL, end_ms = NULL,
    search_text = excluded.search_text, artist_code = excluded.artist_code,
    album_code = excluded.album_code
"""

AFFECTED = """
SELECT id FROM tracks WHERE present AND id IN (
    SELECT track FROM files WHERE present AND path = :path UNION ALL
    SELECT track FROM files WHERE present AND source = :path UNION ALL
    SELECT track FROM files WHERE present AND source NOT NULL AND path > :first AND path < :end)
"""
"""The present tracks of a file, and those of cue sheets if it is their sheet or their audio."""

MARK_PRESENT = """
UPDATE files SET present = 1, seen_at = :at WHERE NOT present AND id = (
    SELECT id FROM files WHERE path = :path AND track NOT NULL
    ORDER BY seen_at DESC, id DESC LIMIT 1
) AND NOT EXISTS (SELECT 1 FROM files WHERE path = :path AND present)
"""


def upsert_files(
    db: sqlite_utils.Database, files: Sequence[ScannedFile], at: float
) -> UpsertResult:
    """Store a batch of scanned files, and the tracks of cue sheets that these change."""
    sources: set[bytes] = set()
    for file in files:
        reader_failures.record(db, file, at)
        path = row_mapping.path(file.uri)
        sources |= {path} | cue_sheets.forget(db, path)
        if file.cue_tracks:
            sources |= cue_sheets.store(db, file)
    result = _upsert_tracks(db, [file for file in files if not file.cue_tracks], at)
    return result + update_cue_tracks(db, sources, at)


def update_cue_tracks(
    db: sqlite_utils.Database, sources: Collection[bytes], at: float
) -> UpsertResult:
    """Store the tracks of the cue sheets that divide some audio files, after these changed."""
    rows = cue_sheets.affected_tracks(db, sources)
    hidden = cue_sheets.hidden_files(db, sources)
    result = UpsertResult()
    for row in rows:
        file = cue_sheets.scanned(db, row)
        if file is None:
            db.execute("UPDATE files SET present = 0 WHERE path = ? AND present", [row["path"]])
        else:
            result += _upsert_tracks(db, [file], at)
            cue_sheets.link(db, row)
    divided = {row["source"] for row in rows}
    cue_sheets.hide_sources(db, divided | hidden)
    cue_sheets.report_problems(db, divided, at)
    return result


def _upsert_tracks(
    db: sqlite_utils.Database, files: Sequence[ScannedFile], at: float
) -> UpsertResult:
    added: list[TrackId] = []
    moved = changed = unusable = 0
    for file in files:
        if file.track_id is None:
            _insert_file(db, file, None, at)
            unusable += 1
            continue
        before = replacements.track_at(db, row_mapping.path(file.uri))
        known = _row_id_of(db, file.track_id)
        if known is None and before is not None and uri_identities.upgrade(db, file, before):
            known = before
        track = _insert_track(db, file, at) if known is None else known
        is_new_path = _insert_file(db, file, track, at)
        if before is not None and before != track:
            replacements.record(
                db, row_mapping.path(file.uri), before, track, known=known is not None
            )
        if known is None:
            added.append(file.track_id)
        elif is_new_path:
            moved += 1
        else:
            changed += 1
    return UpsertResult(tuple(added), moved, changed, unusable)


def mark_missing(db: sqlite_utils.Database, uris: Sequence[Uri], at: float) -> int:
    """Mark files as missing; return how many tracks lost their last file."""
    affected: set[int] = set()
    sources: set[bytes] = set()
    for path in map(row_mapping.path, uris):
        values = {"path": path, "first": path + b"/", "end": path + b"0"}
        affected |= {row["id"] for row in db.execute(AFFECTED, values).fetchall()}
        sources |= {path} | cue_sheets.forget(db, path)
        db.execute("DELETE FROM files WHERE path = ? AND track IS NULL", [path])
        db.execute("UPDATE files SET present = 0 WHERE path = ? AND present", [path])
    update_cue_tracks(db, sources, at)
    query = """SELECT count(*) FROM tracks
        WHERE NOT present AND id IN (SELECT value FROM json_each(?))"""
    (lost_count,) = db.execute(query, [row_mapping.json_list(affected)]).fetchone()
    return int(lost_count)


def mark_present(db: sqlite_utils.Database, uris: Sequence[Uri], at: float) -> None:
    """Mark the last track at each of `uris` as present, unless another one is there now."""
    paths = [row_mapping.path(uri) for uri in uris]
    db.conn.executemany(MARK_PRESENT, [{"path": path, "at": at} for path in paths])
    update_cue_tracks(db, set(paths), at)


def tunes(db: sqlite_utils.Database) -> set[SeenFile]:
    """Return the present modules and chiptunes, with the stamps of their files."""
    found = db.execute(
        """SELECT path, size_bytes, mtime_ns FROM files f
        WHERE present AND track NOT NULL AND source NOT NULL
            AND NOT EXISTS (SELECT 1 FROM cue_tracks c WHERE c.path = f.path)"""
    )
    return {(path, size, mtime) for path, size, mtime in found.fetchall()}


def upsert_tunes(
    db: sqlite_utils.Database, files: Sequence[tuple[ScannedFile, Uri]], at: float
) -> None:
    """Store modules and chiptunes, each with the URI of the file that it is in.

    As scans do not look for them, they must not be among the files that a scan compares.
    """
    _upsert_tracks(db, [file for file, _ in files], at)
    for file, source in files:
        db.execute(
            "UPDATE files SET source = ? WHERE path = ? AND present",
            [row_mapping.path(source), row_mapping.path(file.uri)],
        )


def copies(db: sqlite_utils.Database) -> list[tuple[int, Uri, int]]:
    """Return row id, URI and preference of the present files of tracks that have several."""
    found = db.execute(
        """SELECT id, path, preference FROM files WHERE present AND track IN
            (SELECT track FROM files WHERE present AND track NOT NULL GROUP BY track
                HAVING count(*) > 1)"""
    ).fetchall()
    return [(key, row_mapping.uri(path), preference) for key, path, preference in found]


def set_preference(db: sqlite_utils.Database, keys: Sequence[int], preference: int) -> None:
    """Store the preference of some files."""
    db.execute(
        "UPDATE files SET preference = ? WHERE id IN (SELECT value FROM json_each(?))",
        [preference, row_mapping.json_list(keys)],
    )


def _row_id_of(db: sqlite_utils.Database, track_id: TrackId) -> int | None:
    row = db.execute("SELECT id FROM tracks WHERE track_id = ?", [track_id]).fetchone()
    return None if row is None else int(row["id"])


def _insert_track(db: sqlite_utils.Database, file: ScannedFile, at: float) -> int:
    cursor = db.execute(
        "INSERT INTO tracks (track_id, added_at, identified_by_uri) VALUES (?, ?, ?)",
        [file.track_id, at, file.identified_by_uri],
    )
    return int(cursor.lastrowid or 0)


def _insert_file(
    db: sqlite_utils.Database, file: ScannedFile, track: int | None, at: float
) -> bool:
    """Let `track`, or a problem, lie at the file's path; return whether that is news."""
    path = row_mapping.path(file.uri)
    known = db.execute("SELECT 1 FROM files WHERE path = ? AND track = ?", [path, track]).fetchone()
    # The path had another track or a problem before.
    db.execute("DELETE FROM files WHERE path = ? AND track IS NULL", [path])
    db.execute(
        "UPDATE files SET present = 0 WHERE path = ? AND present AND track IS NOT ?", [path, track]
    )
    db.execute(UPSERT, _columns(file, path, track, at))
    return known is None


def _columns(
    file: ScannedFile, path: bytes, track: int | None, at: float
) -> dict[str, str | bytes | float | None]:
    tags = file.tags
    path_text = path.decode(errors="replace")
    search_text = "\n".join(filter(None, (tags.title, tags.artist, tags.album, path_text)))
    return {
        "path": path,
        "track": track,
        "problem": None if track else row_mapping.text(file.problem or "cannot be used"),
        "seen_at": at,
        "size_bytes": file.stamp.size_bytes,
        "mtime_ns": file.stamp.mtime_ns,
        "title": row_mapping.text(tags.title),
        "artist": row_mapping.text(tags.artist),
        "album": row_mapping.text(tags.album),
        "album_artist": row_mapping.text(tags.album_artist),
        "genre": row_mapping.text(tags.genre),
        "year": tags.year,
        "duration_seconds": file.duration_seconds,
        "search_text": row_mapping.text(searchable(search_text)),
        "artist_code": name_hash(tags.artist) if tags.artist else 0,
        "album_code": album_code(tags.album, tags.album_artist),
    }
