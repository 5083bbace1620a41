"""Cue sheets: their tracks become rows of `files`, as soon as the audio files are known.

Whatever comes first, the sheet or its audio, and whichever of them changes, the rows are computed
again from both. A track that is the whole of its file is that file's track; for a part, the track
id is a hash of the audio's and the range, or that of an earlier part whose range was nearly equal.
"""

import json
import math
import re
from collections.abc import Iterable
from dataclasses import asdict, replace
from hashlib import blake2b

import sqlite_utils

from anagnorisisd.domain.track import FileStamp, ScannedFile, SeenFile, Tags, TrackId, Uri
from anagnorisisd.storage import row_mapping
from anagnorisisd.storage.database import Row

TOLERANCE_MS = 1000
"""Ranges whose ends differ by no more are the same: programs treat pregaps differently."""

RANGE_TOLERANCE_MS = 20
"""MPD rounds positions, which are in frames of 13 ms, to milliseconds in its own way."""

PART = re.compile(r"(.+)#t=(\d+(?:\.\d+)?),(\d+(?:\.\d+)?)?", re.DOTALL)

PART_OF_SOURCE = """
SELECT path FROM files WHERE source = :source AND present AND start_ms NOT NULL
    AND abs(start_ms - :start) <= :tolerance
    AND (end_ms IS :end OR abs(end_ms - :end) <= :tolerance)
ORDER BY path LIMIT 1
"""

SOURCE = f"""SELECT f.track, t.track_id, f.duration_seconds, {row_mapping.TAGS}
    FROM files f JOIN tracks t ON t.id = f.track
    WHERE f.path = ? AND f.present AND f.source IS NULL"""

SAME_PART = """
SELECT t.track_id FROM files f JOIN tracks t ON t.id = f.track
WHERE f.source_track = :track AND abs(f.start_ms - :start) <= :tolerance
    AND (f.end_ms IS :end OR abs(f.end_ms - :end) <= :tolerance)
    -- Two tracks of a sheet, however short, are never the same.
    AND NOT (f.present AND f.path <> :path AND f.path > :first AND f.path < :last)
ORDER BY abs(f.start_ms - :start), f.id LIMIT 1
"""

TRACKS = """
SELECT c.path, c.source, c.start_ms, c.end_ms, c.tags, s.size_bytes, s.mtime_ns
FROM cue_tracks c JOIN cue_sheets s ON s.id = c.sheet WHERE c.source = ?
"""

IS_HIDDEN = """
SELECT EXISTS (SELECT 1 FROM cue_tracks c JOIN files f ON f.path = c.path
    WHERE c.source = ? AND c.hides_source AND f.present AND f.track NOT NULL)
"""

UNRESOLVED = """
SELECT DISTINCT s.path, s.size_bytes, s.mtime_ns, c.source
FROM cue_tracks c JOIN cue_sheets s ON s.id = c.sheet
WHERE c.source = ? AND NOT EXISTS (
    SELECT 1 FROM cue_tracks o JOIN files f ON f.path = o.path WHERE o.sheet = s.id AND f.present)
"""

RESOLVED = """
DELETE FROM files WHERE track IS NULL AND path IN (
    SELECT s.path FROM cue_tracks c JOIN cue_sheets s ON s.id = c.sheet WHERE c.source = ?
    AND EXISTS (SELECT 1 FROM cue_tracks o JOIN files f ON f.path = o.path
        WHERE o.sheet = s.id AND f.present AND f.track NOT NULL))
"""

PROBLEM = """
INSERT INTO files (path, problem, present, seen_at, size_bytes, mtime_ns, search_text, artist_code,
    album_code) VALUES (?1, ?2, 1, ?3, ?4, ?5, ?6, 0, 0)
"""

HIDE = """
UPDATE files SET hidden = :hidden, listed = NOT :hidden
WHERE path = :path AND source IS NULL AND hidden <> :hidden
"""


def seen(db: sqlite_utils.Database, below: bytes | None) -> set[SeenFile]:
    """Return all sheets as last seen; with `below`, that one or those below that directory."""
    rows = db.execute("SELECT path, size_bytes, mtime_ns FROM cue_sheets").fetchall()
    return {
        (path, size, mtime)
        for path, size, mtime in rows
        if below is None or path == below or path.startswith(below + b"/")
    }


def store(db: sqlite_utils.Database, file: ScannedFile) -> set[bytes]:
    """Store the tracks of a sheet; return the audio files that it divides or divided before."""
    path = row_mapping.path(file.uri)
    sources = forget(db, path)
    sheet = db.execute(
        "INSERT INTO cue_sheets (path, size_bytes, mtime_ns) VALUES (?, ?, ?)", [path, *file.stamp]
    ).lastrowid
    for track in file.cue_tracks:
        source = row_mapping.path(track.source)
        sources.add(source)
        values = [
            sheet,
            row_mapping.path(track.uri),
            source,
            track.start_ms,
            track.end_ms,
            track.hides_source,
            row_mapping.text(json.dumps(asdict(track.tags))),
        ]
        db.execute("INSERT INTO cue_tracks VALUES (?, ?, ?, ?, ?, ?, ?)", values)
    return sources


def forget(db: sqlite_utils.Database, path: bytes) -> set[bytes]:
    """Delete the tracks of a sheet; return the audio files that it divided.

    Its rows in `files` are marked missing.
    """
    if not path.lower().endswith(b".cue"):
        return set()
    query = "SELECT DISTINCT source FROM cue_tracks WHERE sheet = ?"
    found = db.execute("SELECT id FROM cue_sheets WHERE path = ?", [path]).fetchone()
    if found is None:
        return set()
    sources = {source for (source,) in db.execute(query, [found["id"]]).fetchall()}
    db.execute("DELETE FROM cue_tracks WHERE sheet = ?", [found["id"]])
    db.execute("DELETE FROM cue_sheets WHERE id = ?", [found["id"]])
    db.execute(
        "UPDATE files SET present = 0 WHERE present AND path > ? AND path < ? AND source NOT NULL",
        [path + b"/", path + b"0"],
    )
    return sources


def affected_tracks(db: sqlite_utils.Database, sources: Iterable[bytes]) -> list[Row]:
    """Return the tracks of all sheets that divide one of the audio files."""
    tracks: dict[bytes, Row] = {}
    for source in sources:
        for row in db.execute(TRACKS, [source]).fetchall():
            tracks[row["path"]] = row
    return list(tracks.values())


def scanned(db: sqlite_utils.Database, row: Row) -> ScannedFile | None:
    """Return a row of `TRACKS` as a scanned file; `None` if its audio file is not present."""
    source = db.execute(SOURCE, [row["source"]]).fetchone()
    if source is None:
        return None
    own = Tags(**json.loads(row["tags"]))
    inherited = row_mapping.tags(source)
    if _is_whole(row):
        track_id, seconds = TrackId(source["track_id"]), source["duration_seconds"]
    else:
        track_id, seconds = _part_id(db, row, source), _part_seconds(row, source)
        inherited = replace(inherited, title=None)
    tags = Tags(**{name: value or getattr(inherited, name) for name, value in asdict(own).items()})
    stamp = FileStamp(row["size_bytes"], row["mtime_ns"])
    return ScannedFile(row_mapping.uri(row["path"]), stamp, track_id, tags, seconds)


def link(db: sqlite_utils.Database, row: Row) -> None:
    """Store in the row of `files` of a track of a sheet which part of which file it is."""
    db.execute(
        """UPDATE files SET source = :source, start_ms = :start, end_ms = :end,
            source_track = (SELECT track FROM files
                WHERE path = :source AND present AND source IS NULL)
            WHERE path = :path AND present""",
        {
            "path": row["path"],
            "source": row["source"],
            "start": None if _is_whole(row) else row["start_ms"],
            "end": row["end_ms"],
        },
    )


def path_at(db: sqlite_utils.Database, uri: Uri) -> bytes:
    """Return the path of a URI; of a part of a file, that of the cue sheet's track.

    A part is `album.flac#t=5.000,10.000`; one that no sheet knows is the whole file.
    """
    path = row_mapping.path(uri)
    found = PART.fullmatch(uri)
    if found is None or db.execute("SELECT 1 FROM files WHERE path = ?", [path]).fetchone():
        return path
    source = row_mapping.path(Uri(found[1]))
    values = {
        "source": source,
        "start": round(float(found[2]) * 1000),
        "end": round(float(found[3]) * 1000) if found[3] else None,
        "tolerance": RANGE_TOLERANCE_MS,
    }
    part = db.execute(PART_OF_SOURCE, values).fetchone()
    return source if part is None else bytes(part["path"])


def hidden_files(db: sqlite_utils.Database, paths: Iterable[bytes]) -> set[bytes]:
    """Return those audio files for which tracks of a sheet stood until now."""
    query = "SELECT 1 FROM files WHERE path = ? AND present AND hidden"
    return {path for path in paths if db.execute(query, [path]).fetchone()}


def hide_sources(db: sqlite_utils.Database, sources: Iterable[bytes]) -> None:
    """Mark the audio files for which tracks of a sheet stand, and no others of `sources`."""
    for source in sources:
        (hidden,) = db.execute(IS_HIDDEN, [source]).fetchone()
        db.execute(HIDE, {"path": source, "hidden": hidden})


def report_problems(db: sqlite_utils.Database, sources: Iterable[bytes], at: float) -> None:
    """Store a problem for each sheet of which no track has an audio file."""
    for source in sources:
        for path, size, mtime, file in db.execute(UNRESOLVED, [source]).fetchall():
            name = row_mapping.uri(file).rpartition("/")[2]
            problem = row_mapping.text(
                f"names {name!r}, which is not among the files: MPD needs its exact name"
            )
            db.execute("DELETE FROM files WHERE path = ? AND track IS NULL", [path])
            db.execute(PROBLEM, [path, problem, at, size, mtime, ""])
        db.execute(RESOLVED, [source])


def _is_whole(row: Row) -> bool:
    return row["start_ms"] == 0 and row["end_ms"] is None


def _part_id(db: sqlite_utils.Database, row: Row, source: Row) -> TrackId:
    values = {
        "track": source["track"],
        "start": row["start_ms"],
        "end": row["end_ms"],
        "tolerance": TOLERANCE_MS,
        "path": row["path"],
        "first": row["path"].rpartition(b"/")[0] + b"/",
        "last": row["path"].rpartition(b"/")[0] + b"0",
    }
    known = db.execute(SAME_PART, values).fetchone()
    if known is not None:
        return TrackId(known["track_id"])
    text = f"{source['track_id']} {row['start_ms']} {row['end_ms']}"
    return TrackId(blake2b(text.encode(), digest_size=16).hexdigest())


def _part_seconds(row: Row, source: Row) -> float | None:
    """Return the duration of a part, `None` if that of the file is not known or shorter."""
    end = source["duration_seconds"]
    if row["end_ms"] is not None:
        end = min(row["end_ms"] / 1000, end or math.inf)
    seconds = 0.0 if end is None else end - row["start_ms"] / 1000
    return seconds if seconds > 0 else None
