"""All present tracks as columns, read in pages and put together."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import sqlite_utils
from numpy.typing import NDArray

from anagnorisisd.adapters.sqlite.database import Row
from anagnorisisd.adapters.sqlite.rows import listed
from anagnorisisd.domain.score import Candidates

PAGE = """
SELECT t.id AS key, t.track_id, t.rating, p.mean, p.stddev, t.full_plays, t.skips,
    t.last_played_at, f.duration_seconds, f.artist_code, f.album_code
FROM tracks t JOIN files f ON f.id = t.file LEFT JOIN predictions p ON p.track = t.id
WHERE t.present AND t.id > :after ORDER BY t.id LIMIT :size
"""

TYPES = tuple(map(np.dtype, ("i8", "S32", *["f8"] * 7, "i8", "i8")))
"""The type of each column of `PAGE`; NULL becomes NaN."""

PAGE_SIZE = 10_000
"""Rows read at once: a rating that comes in between waits some tens of milliseconds."""


Page = list[NDArray[Any]]
"""The columns of some rows."""


def columns(rows: Sequence[Row]) -> Page:
    """Return rows as columns."""
    values = zip(*rows, strict=True)
    return [np.array(column, dtype=kind) for column, kind in zip(values, TYPES, strict=True)]


def joined(pages: Sequence[Page], excluded: NDArray[np.int64], mean_rating: float) -> Candidates:
    """Return all pages, ordered by track id; `excluded` are row ids."""
    keys, ids = _column(pages, 0), _column(pages, 1)
    order = np.argsort(ids)
    rating, mean, stddev, full_plays, skips, last_played, seconds, artist, album = (
        _column(pages, number)[order] for number in range(2, len(TYPES))
    )
    return Candidates(
        track_ids=ids[order],
        rating=rating,
        predicted_mean=mean,
        predicted_stddev=stddev,
        full_plays=full_plays,
        skips=skips,
        last_played_at=np.where(np.isnan(last_played), -np.inf, last_played),
        duration_seconds=seconds,
        artist=artist,
        album=album,
        excluded=np.isin(keys, excluded)[order],
        mean_rating=mean_rating,
    )


def _column(pages: Sequence[Page], number: int) -> NDArray[Any]:
    empty = np.empty(0, dtype=TYPES[number])
    return np.concatenate([empty, *(page[number] for page in pages)])


def excluded(
    db: sqlite_utils.Database, folders: Sequence[bytes], genres: Sequence[str]
) -> NDArray[np.int64]:
    """Return the row ids of tracks with a present file in one of the folders or genres."""
    keys: set[int] = set()
    for folder in folders:
        # "0" is the character after "/": the range holds what starts with "folder/".
        query = (
            "SELECT track FROM files WHERE present AND path >= ? AND path < ? AND track NOT NULL"
        )
        found = db.execute(query, [folder + b"/", folder + b"0"])
        keys.update(row["track"] for row in found)
    if genres:
        query = """SELECT track FROM files WHERE present AND track NOT NULL
            AND genre IN (SELECT value FROM json_each(?))"""
        found = db.execute(query, [listed(_tags_naming(db, genres))])
        keys.update(row["track"] for row in found)
    return np.array(sorted(keys), dtype=np.int64)


def _tags_naming(db: sqlite_utils.Database, genres: Sequence[str]) -> list[str]:
    """Return the genre tags in the library that name one of `genres`, whatever the case."""
    unwanted = {genre.strip().casefold() for genre in genres}
    tags = db.execute("SELECT DISTINCT genre FROM files WHERE genre NOT NULL")
    # A file of several genres has them joined by semicolons.
    return [
        tag for (tag,) in tags if unwanted & {name.strip() for name in tag.casefold().split(";")}
    ]
