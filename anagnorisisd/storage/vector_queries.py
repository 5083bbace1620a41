"""Queries for many vectors, with the features and ratings of their tracks."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple, TypeVar

import numpy as np
import sqlite_utils
from numpy.typing import NDArray

from anagnorisisd.domain.embedding import EmbedderStamp
from anagnorisisd.domain.evaluator import (
    FeatureStats,
    ImplicitFeedback,
    TrackFeatures,
    TrainingSet,
    Vectors,
)
from anagnorisisd.domain.track import TrackId
from anagnorisisd.storage import row_mapping
from anagnorisisd.storage.database import Database, Row

T = TypeVar("T")

PAGE_SIZE = 4096
"""Vectors per page: 12 MB at 768 dimensions, which takes tens of milliseconds to read."""

SELECT = f"""SELECT e.track AS key, t.track_id, e.vector, f.path, {row_mapping.TAGS},
    t.rating, r.rated_at, t.full_plays, t.skips
FROM embeddings e JOIN tracks t ON t.id = e.track JOIN files f ON f.id = t.file
    LEFT JOIN ratings r ON r.sequence = t.rating_sequence
WHERE e.embedder = :embedder"""
PAGED = "AND e.track > :after ORDER BY e.track LIMIT :size"

PRESENT = f"{SELECT} AND t.present {PAGED}"
LATEST = """(t.present OR NOT EXISTS (
    SELECT 1 FROM replacements p
    JOIN embeddings n ON n.track = p.new_track AND n.embedder = e.embedder
    WHERE p.old_track = t.id AND p.outcome = 'transferred'))"""
"""Excludes a replaced track whose rating was transferred, so that it is not counted twice."""

RATED = f"{SELECT} AND t.rating IS NOT NULL AND {LATEST} {PAGED}"
IMPLICIT_FEEDBACK = f"""{SELECT} AND t.rating IS NULL AND t.full_plays + t.skips > 0
    ORDER BY t.last_played_at DESC LIMIT :limit"""
ALL = f"SELECT track AS key, vector FROM embeddings e WHERE embedder = :embedder {PAGED}"
VALUES = f"""SELECT e.track AS key, t.track_id, substr(e.vector, :first, :bytes) AS vector
    FROM embeddings e JOIN tracks t ON t.id = e.track WHERE e.embedder = :embedder {PAGED}"""
CHOSEN = f"{SELECT} AND t.present AND t.track_id IN (SELECT value FROM json_each(:only))"


TRACK_VALUES = """SELECT e.track AS key, t.track_id, t.rating, p.mean
    FROM embeddings e JOIN tracks t ON t.id = e.track LEFT JOIN predictions p ON p.track = t.id
    WHERE e.embedder = :embedder AND t.present AND e.track > :after ORDER BY e.track LIMIT :size"""


class TrackValues(NamedTuple):
    """Ids (`S32`), ratings and predicted ratings of tracks, `[n]` each; NaN where there is none."""

    track_ids: NDArray[np.bytes_]
    rating: Vectors
    predicted: Vectors


class VectorQueries:
    """The part of `EmbeddingStore` that reads many vectors, in pages."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # Needed after every rating, but computed from all vectors. They are valid while the number
        # of vectors is the same: the vector of a track with a stamp never changes.
        self._feature_stats: dict[EmbedderStamp, FeatureStats] = {}

    async def track_features(
        self,
        stamp: EmbedderStamp,
        *,
        batch_size: int = PAGE_SIZE,
        only: Sequence[TrackId] | None = None,
    ) -> AsyncIterator[TrackFeatures]:
        """Yield the features of the present tracks with a vector, in batches.

        With `only`, only of these tracks.
        """
        convert_rows = partial(row_mapping.track_features, dimension=stamp.dimension)
        pages = (
            self._pages(stamp, PRESENT, batch_size, convert_rows)
            if only is None
            else self._chosen(stamp, only, batch_size)
        )
        async for page in pages:
            yield page

    async def feature_stats(self, stamp: EmbedderStamp) -> FeatureStats:
        """Return mean and standard deviation of each dimension; zeros if there are no vectors."""
        known = self._feature_stats.get(stamp)
        if known is None or known.count != await self.count(stamp):
            known = self._feature_stats[stamp] = await self._compute_feature_stats(stamp)
        return replace(known, segments=stamp.segments)

    async def _compute_feature_stats(self, stamp: EmbedderStamp) -> FeatureStats:
        feature_stats = RunningStats(stamp.dimension)
        convert_rows = partial(row_mapping.vectors, dimension=stamp.dimension)
        async for page in self._pages(stamp, ALL, PAGE_SIZE, convert_rows):
            await asyncio.to_thread(feature_stats.add, page)
        return feature_stats.result()

    async def values(
        self, stamp: EmbedderStamp, start: int, stop: int
    ) -> tuple[Sequence[TrackId], Vectors]:
        """Return the tracks and a part of their vectors, `[n, stop - start]`."""
        track_ids: list[TrackId] = []
        parts = [np.zeros((0, stop - start), np.float32)]
        async for ids, part in self._value_pages(stamp, start, stop):
            track_ids += ids
            parts.append(part)
        return track_ids, np.concatenate(parts)

    def vector_pages(
        self, stamp: EmbedderStamp
    ) -> AsyncIterator[tuple[Sequence[TrackId], Vectors]]:
        """Yield all tracks with a vector, including missing tracks, and the vectors, `[n, d]`."""
        return self._value_pages(stamp, 0, stamp.dimension)

    async def _value_pages(
        self, stamp: EmbedderStamp, start: int, stop: int
    ) -> AsyncIterator[tuple[Sequence[TrackId], Vectors]]:
        count = stop - start

        def convert(rows: list[Row]) -> tuple[list[TrackId], Vectors]:
            return [TrackId(row["track_id"]) for row in rows], row_mapping.vectors(rows, count)

        # `substr` counts bytes from 1; a float32 has 4.
        values = {
            "embedder": await self._key(stamp), "first": 4 * start + 1, "bytes": 4 * count,
        }  # fmt: skip
        async for page in self._database.pages(VALUES, values, PAGE_SIZE, convert):
            yield page

    async def track_values(self, stamp: EmbedderStamp) -> TrackValues:
        """Return the ratings and predicted ratings of the present tracks with a vector."""

        def convert(rows: list[Row]) -> TrackValues:
            _, ids, rating, predicted = zip(*rows, strict=True)
            return TrackValues(
                np.array(ids, "S32"), np.array(rating, np.float32), np.array(predicted, np.float32)
            )

        none = np.zeros(0, np.float32)
        pages = [TrackValues(np.zeros(0, "S32"), none, none)]
        async for page in self._pages(stamp, TRACK_VALUES, PAGE_SIZE, convert):
            pages.append(page)
        return TrackValues(*(np.concatenate(column) for column in zip(*pages, strict=True)))

    async def count(self, stamp: EmbedderStamp) -> int:
        """Return the number of tracks with a vector, including missing tracks."""
        return await self._count_rows("SELECT count(*) FROM embeddings WHERE embedder = ?", stamp)

    async def training_set(self, stamp: EmbedderStamp) -> TrainingSet:
        """Return all tracks with both a rating and a vector, including missing tracks."""
        pages = self._pages(stamp, RATED, PAGE_SIZE, list[Row])
        rated = [row async for page in pages for row in page]
        return TrainingSet(
            tracks=row_mapping.track_features(rated, stamp.dimension),
            ratings=np.array([row["rating"] for row in rated], dtype=np.float64),
            rated_at=np.array([row["rated_at"] for row in rated], dtype=np.float64),
            full_plays=np.array([row["full_plays"] for row in rated], dtype=np.float64),
            skips=np.array([row["skips"] for row in rated], dtype=np.float64),
            feature_stats=await self.feature_stats(stamp),
            stamp=stamp,
        )

    async def implicit_feedback(self, stamp: EmbedderStamp, limit: int) -> ImplicitFeedback:
        """Return unrated tracks with a vector that were played in full or skipped.

        If there are more than `limit`, the most recently played ones.
        """
        values = {"embedder": await self._key(stamp), "limit": limit}
        found = await self._database.read(
            lambda db: db.execute(IMPLICIT_FEEDBACK, values).fetchall()
        )
        return ImplicitFeedback(
            tracks=row_mapping.track_features(found, stamp.dimension),
            full_plays=np.array([row["full_plays"] for row in found], dtype=np.float64),
            skips=np.array([row["skips"] for row in found], dtype=np.float64),
        )

    async def example_count(self, stamp: EmbedderStamp) -> int:
        """Return the number of tracks in `training_set`."""
        query = f"""SELECT count(*) FROM tracks t JOIN embeddings e
            ON e.embedder = ? AND e.track = t.id WHERE t.rating IS NOT NULL AND {LATEST}"""
        return await self._count_rows(query, stamp)

    async def _key(self, stamp: EmbedderStamp) -> int | None:
        return await self._database.read(lambda db: row_mapping.key_of_embedder(db, stamp))

    async def _count_rows(self, query: str, stamp: EmbedderStamp) -> int:
        key = await self._key(stamp)
        (count,) = await self._database.read(lambda db: db.execute(query, [key]).fetchone())
        return int(count)

    async def _pages(
        self, stamp: EmbedderStamp, query: str, size: int, convert_rows: Callable[[list[Row]], T]
    ) -> AsyncIterator[T]:
        values = {"embedder": await self._key(stamp)}
        async for page in self._database.pages(query, values, size, convert_rows):
            yield page

    async def _chosen(
        self, stamp: EmbedderStamp, only: Sequence[TrackId], size: int
    ) -> AsyncIterator[TrackFeatures]:
        for start in range(0, len(only), size):
            job = partial(_track_features, stamp=stamp, only=only[start : start + size])
            page = await self._database.read(job)
            if len(page):
                yield page


def _track_features(
    db: sqlite_utils.Database, stamp: EmbedderStamp, only: Sequence[TrackId]
) -> TrackFeatures:
    values = {
        "embedder": row_mapping.key_of_embedder(db, stamp),
        "only": row_mapping.json_list(only),
    }
    return row_mapping.track_features(db.execute(CHOSEN, values).fetchall(), stamp.dimension)


class RunningStats:
    """Mean and standard deviation of vectors that are read in pages, in double precision.

    Pages are merged with the pairwise update of Chan, Golub and LeVeque (1979): sums of squares
    would lose precision if the mean is large compared with the standard deviation.
    """

    def __init__(self, dimension: int) -> None:
        self._count = 0
        self._mean = np.zeros(dimension)
        self._squares = np.zeros(dimension)

    def add(self, page: Vectors) -> None:
        """Add vectors, `[n, dimension]` with n at least 1."""
        values = page.astype(np.float64)
        count = self._count + len(values)
        mean = values.mean(axis=0)
        difference = mean - self._mean
        self._squares += ((values - mean) ** 2).sum(axis=0)
        self._squares += difference**2 * (self._count * len(values) / count)
        self._mean += difference * (len(values) / count)
        self._count = count

    def result(self) -> FeatureStats:
        """Return mean and standard deviation of all vectors; zeros if there were none."""
        deviation = np.sqrt(self._squares / max(1, self._count))
        return FeatureStats(
            self._mean.astype(np.float32), deviation.astype(np.float32), count=self._count
        )
