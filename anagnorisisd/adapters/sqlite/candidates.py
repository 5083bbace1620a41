"""All present tracks as columns, read in pages and put together."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import sqlite_utils
from numpy.typing import NDArray

from anagnorisisd.adapters.sqlite.database import Row
from anagnorisisd.domain.score import Candidates

PAGE = """
SELECT t.id AS key, t.track_id, t.rating, p.mean, p.stddev, t.full_plays, t.skips,
    t.last_played_at, f.duration_seconds, f.artist, f.album, f.album_artist, f.genre
FROM tracks t JOIN files f ON f.id = t.file LEFT JOIN predictions p ON p.track = t.id
WHERE t.present AND t.id > :after ORDER BY t.id LIMIT :size
"""

PAGE_SIZE = 20_000
"""Rows read at once: a rating that comes in between waits some 50 ms."""


class Columns:
    """Collects pages of rows into columns."""

    def __init__(self, excluded_keys: NDArray[np.int64], excluded_genres: Sequence[str]) -> None:
        self._excluded_keys = excluded_keys
        self._excluded_genres = {genre.casefold().strip() for genre in excluded_genres}
        self._artists: dict[str, int] = {}
        self._albums: dict[tuple[str, str], int] = {}
        self._pages: list[tuple[NDArray[Any], ...]] = []

    def add(self, page: Sequence[Row]) -> None:
        """Take a page of rows in."""
        keys, ids, *numbers, artists, albums, album_artists, genres = zip(*page, strict=True)
        excluded = np.isin(np.array(keys, dtype=np.int64), self._excluded_keys)
        if self._excluded_genres:
            excluded |= np.array([self._excluded(genre) for genre in genres])
        self._pages.append(
            (
                np.array(ids, dtype="S32"),
                *(np.array(column, dtype=np.float64) for column in numbers),
                np.array([self._artist(name) for name in artists], dtype=np.int64),
                np.array(list(map(self._album, albums, album_artists)), dtype=np.int64),
                excluded,
            )
        )

    def candidates(self, mean_rating: float) -> Candidates:
        """Return everything taken in, ordered by track id."""
        if not self._pages:
            return _nothing(mean_rating)
        columns = [np.concatenate(parts) for parts in zip(*self._pages, strict=True)]
        order = np.argsort(columns[0])
        ids, rating, mean, stddev, full, skips, last, seconds, artist, album, excluded = (
            column[order] for column in columns
        )
        return Candidates(
            track_ids=ids,
            rating=rating,
            predicted_mean=mean,
            predicted_stddev=stddev,
            full_plays=full,
            skips=skips,
            last_played_at=np.where(np.isnan(last), -np.inf, last),
            duration_seconds=seconds,
            artist=artist,
            album=album,
            excluded=excluded,
            mean_rating=mean_rating,
        )

    def _artist(self, name: str | None) -> int:
        return self._artists.setdefault(name.casefold(), len(self._artists) + 1) if name else 0

    def _album(self, name: str | None, album_artist: str | None) -> int:
        if not name:
            return 0
        album = (name.casefold(), (album_artist or "").casefold())
        return self._albums.setdefault(album, len(self._albums) + 1)

    def _excluded(self, genre: str | None) -> bool:
        # A file of several genres has them joined by semicolons.
        names = {name.strip() for name in (genre or "").casefold().split(";")}
        return not names.isdisjoint(self._excluded_genres)


def below(db: sqlite_utils.Database, folders: Sequence[bytes]) -> NDArray[np.int64]:
    """Return the row ids of the tracks that have a present file below one of `folders`."""
    found: set[int] = set()
    for folder in folders:
        # "0" is the character after "/": the range holds what starts with "folder/".
        rows = db.execute(
            "SELECT track FROM files WHERE present AND path >= ? AND path < ? AND track NOT NULL",
            [folder + b"/", folder + b"0"],
        )
        found.update(row["track"] for row in rows)
    return np.array(sorted(found), dtype=np.int64)


def _nothing(mean_rating: float) -> Candidates:
    none = np.empty(0)
    codes = np.empty(0, dtype=np.int64)
    ids, excluded = np.empty(0, dtype="S32"), np.empty(0, dtype=bool)
    return Candidates(
        ids, none, none, none, none, none, none, none, codes, codes, excluded, mean_rating
    )
