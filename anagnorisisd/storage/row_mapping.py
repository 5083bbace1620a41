"""Convert between database rows and domain types."""

import json
import os
from collections.abc import Iterable, Sequence

import numpy as np
import sqlite_utils

from anagnorisisd.domain.embedding import EmbedderStamp
from anagnorisisd.domain.evaluator import TrackFeatures, Vectors
from anagnorisisd.domain.track import Tags, TrackId, Uri
from anagnorisisd.errors import UnknownTrack
from anagnorisisd.storage.database import Row

TAGS = "f.title, f.artist, f.album, f.album_artist, f.genre, f.year"
"""The columns that `tags` reads; `f` is the alias of the table `files`."""


def path(uri: Uri) -> bytes:
    """Return the path of a URI as bytes."""
    return os.fsencode(uri)


def uri(path: bytes) -> Uri:
    """Return the URI of a stored path."""
    return Uri(os.fsdecode(path))


def text(value: str | None) -> str | None:
    """Replace lone surrogates, which SQLite cannot store, with question marks."""
    return None if value is None else value.encode(errors="replace").decode()


def json_list(values: Iterable[str | int]) -> str:
    """Return values as one JSON parameter, for `IN (SELECT value FROM json_each(?))`."""
    return json.dumps(list(values))


def tags(row: Row) -> Tags:
    """Return the tags of a row with the columns `TAGS`."""
    return Tags(
        title=row["title"],
        artist=row["artist"],
        album=row["album"],
        album_artist=row["album_artist"],
        genre=row["genre"],
        year=row["year"],
    )


def vectors(rows: Sequence[Row], dimension: int) -> Vectors:
    """Return the column `vector` of rows as a writable array, `[n, dimension]`."""
    # `frombuffer` of a bytearray is writable, of bytes it is not.
    joined = bytearray().join(row["vector"] for row in rows)
    return np.frombuffer(joined, dtype="<f4").reshape(len(rows), dimension)


def track_features(rows: Sequence[Row], dimension: int) -> TrackFeatures:
    """Return the features of tracks from rows with `track_id`, `vector`, `path` and `TAGS`."""
    return TrackFeatures(
        track_ids=[TrackId(row["track_id"]) for row in rows],
        vectors=vectors(rows, dimension),
        tags=[tags(row) for row in rows],
        uris=[uri(row["path"]) for row in rows],
    )


def key_of_track(db: sqlite_utils.Database, track_id: TrackId) -> int:
    """Return the row id of a track.

    Raises:
        UnknownTrack: the library has no such track.
    """
    row = db.execute("SELECT id FROM tracks WHERE track_id = ?", [track_id]).fetchone()
    if row is None:
        raise UnknownTrack(f"the library has no track {track_id!r}")
    return int(row["id"])


def key_of_embedder(db: sqlite_utils.Database, stamp: EmbedderStamp) -> int | None:
    """Return the row id of an embedder, or `None` if it is not stored."""
    row = db.execute(
        "SELECT id FROM embedders WHERE name = ? AND version = ? AND dimension = ?",
        [stamp.name, stamp.version, stamp.dimension],
    ).fetchone()
    return None if row is None else int(row["id"])


def ensured_embedder(db: sqlite_utils.Database, stamp: EmbedderStamp) -> int:
    """Return the row id of an embedder; store the embedder if necessary."""
    known = key_of_embedder(db, stamp)
    if known is not None:
        return known
    cursor = db.execute(
        "INSERT INTO embedders (name, version, dimension) VALUES (?, ?, ?)",
        [stamp.name, stamp.version, stamp.dimension],
    )
    return int(cursor.lastrowid or 0)
