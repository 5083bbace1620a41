"""Read all present tracks that MPD lists as columns (`Candidates`), in pages."""

import os
from collections.abc import Collection, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Any

import numpy as np
import sqlite_utils
from numpy.typing import NDArray

from anagnorisisd.domain import artist_names
from anagnorisisd.domain.artist_names import ArtistCredits
from anagnorisisd.domain.pick import Candidates
from anagnorisisd.domain.rating import DEFAULT_MEAN
from anagnorisisd.domain.track import TrackId, split_disc
from anagnorisisd.storage.database import Row
from anagnorisisd.storage.row_mapping import json_list

PAGE = """
SELECT t.id AS key, t.track_id, t.rating, p.mean, p.stddev, t.full_plays, t.skips,
    t.last_played_at, f.duration_seconds, f.album_code, f.path, f.artist
FROM tracks t JOIN files f ON f.id = t.file LEFT JOIN predictions p ON p.track = t.id
WHERE t.present AND f.listed AND t.id > :after ORDER BY t.id LIMIT :size
"""

BY_TRACK_ID = """
SELECT t.track_id, t.rating, p.mean, p.stddev, t.full_plays, t.skips, t.last_played_at
FROM tracks t LEFT JOIN predictions p ON p.track = t.id
WHERE t.track_id IN (SELECT value FROM json_each(?))
"""

TYPES = tuple(map(np.dtype, ("i8", "S32", *["f8"] * 7, "i8", "i8", "i4")))
"""The dtype of each column of `PAGE`; NULL becomes NaN, a path becomes the code of its folder, and
an artist tag its index."""

PAGE_SIZE = 2_000
"""Rows per page; reading one takes about 10 ms."""


Page = list[NDArray[Any]]
"""The columns of a page of rows."""


class Pages:
    """Collects pages of rows as columns, and the distinct artist tags in them."""

    def __init__(self) -> None:
        self._pages: list[Page] = []
        self._tag_indices: dict[str | None, int] = {None: 0}
        self._folder_codes: dict[bytes, int] = {b"": 0}

    def add(self, rows: Sequence[Row]) -> int:
        """Add a page; return its number of rows."""
        *values, paths, tags = zip(*rows, strict=True)
        folders = [self._folder_code(path.rpartition(b"/")[0]) for path in paths]
        numbers = [self._tag_indices.setdefault(tag, len(self._tag_indices)) for tag in tags]
        columns = zip([*values, folders, numbers], TYPES, strict=True)
        self._pages.append([np.array(column, dtype=kind) for column, kind in columns])
        return len(rows)

    def _folder_code(self, folder: bytes) -> int:
        code = self._folder_codes.get(folder)
        if code is None:
            name, _ = split_disc(os.fsdecode(folder))
            digest = blake2b(os.fsencode(name), digest_size=8).digest()
            code = self._folder_codes[folder] = int.from_bytes(digest, signed=True) or 1
        return code

    def concatenate(self, excluded: NDArray[np.int64], mean_rating: float) -> Candidates:
        """Return all pages as one table, ordered by track id; `excluded` are row ids."""
        return _concatenate(self._pages, list(self._tag_indices), excluded, mean_rating)


def _concatenate(
    pages: Sequence[Page],
    tags: Sequence[str | None],
    excluded: NDArray[np.int64],
    mean_rating: float,
) -> Candidates:
    keys, ids = _column(pages, 0), _column(pages, 1)
    order = np.argsort(ids)
    rating, mean, stddev, full_plays, skips, last_played, seconds, album, folder, artist = (
        _column(pages, number)[order] for number in range(2, len(TYPES))
    )
    return Candidates(
        track_ids=ids[order],
        rating=rating,
        predicted_mean=mean,
        predicted_stddev=stddev,
        full_plays=full_plays,
        skips=skips,
        last_played_at=_last_played_at(last_played),
        duration_seconds=seconds,
        artists=ArtistCredits.read(artist, tags),
        album=album,
        folder=folder,
        excluded=np.isin(keys, excluded)[order],
        mean_rating=mean_rating,
    )


def refreshed(
    db: sqlite_utils.Database, known: Candidates, track_ids: Collection[TrackId]
) -> Candidates:
    """Return a copy of `known` with current ratings, plays and predictions of some tracks."""
    found = db.execute(BY_TRACK_ID, [json_list(track_ids)]).fetchall()
    rows = [(known.row(TrackId(track_id)), values) for track_id, *values in found]
    present = [(row, values) for row, values in rows if row is not None]
    if not present:
        return replace(known, mean_rating=mean_rating(db))
    row_indices = np.array([row for row, _ in present])
    rating, mean, stddev, full_plays, skips, last_played = np.array(
        [values for _, values in present], dtype=np.float64
    ).T

    def with_values(
        column: NDArray[np.float64], values: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        changed = column.copy()
        changed[row_indices] = values
        return changed

    return replace(
        known,
        rating=with_values(known.rating, rating),
        predicted_mean=with_values(known.predicted_mean, mean),
        predicted_stddev=with_values(known.predicted_stddev, stddev),
        full_plays=with_values(known.full_plays, full_plays),
        skips=with_values(known.skips, skips),
        last_played_at=with_values(known.last_played_at, _last_played_at(last_played)),
        mean_rating=mean_rating(db),
    )


def mean_rating(db: sqlite_utils.Database) -> float:
    """Return the mean of all ratings, or `DEFAULT_MEAN` if there are none."""
    (mean,) = db.execute("SELECT avg(rating) FROM tracks WHERE rating NOT NULL").fetchone()
    return DEFAULT_MEAN if mean is None else float(mean)


def _last_played_at(last_played: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the times of the last plays, `-inf` for never."""
    return np.where(np.isnan(last_played), -np.inf, last_played)


def _column(pages: Sequence[Page], number: int) -> NDArray[Any]:
    empty = np.empty(0, dtype=TYPES[number])
    return np.concatenate([empty, *(page[number] for page in pages)])


def excluded(
    db: sqlite_utils.Database, folders: Sequence[bytes], genres: Sequence[str]
) -> NDArray[np.int64]:
    """Return the row ids, sorted, of tracks with a present file in one of the folders or genres."""
    keys: set[int] = set()
    for folder in folders:
        # "0" is the character after "/": the range contains the paths that start with "folder/".
        query = (
            "SELECT track FROM files WHERE present AND path >= ? AND path < ? AND track NOT NULL"
        )
        found = db.execute(query, [folder + b"/", folder + b"0"])
        keys.update(row["track"] for row in found)
    if genres:
        query = """SELECT track FROM files WHERE present AND track NOT NULL
            AND genre IN (SELECT value FROM json_each(?))"""
        found = db.execute(query, [json_list(_matching_genre_tags(db, genres))])
        keys.update(row["track"] for row in found)
    return np.array(sorted(keys), dtype=np.int64)


def _matching_genre_tags(db: sqlite_utils.Database, genres: Sequence[str]) -> list[str]:
    """Return the genre tags of the library that contain one of `genres`."""
    unwanted = set(map(artist_names.key, genres))
    tags = db.execute("SELECT DISTINCT genre FROM files WHERE genre NOT NULL")
    return [tag for (tag,) in tags if unwanted & artist_names.genres(tag)]
