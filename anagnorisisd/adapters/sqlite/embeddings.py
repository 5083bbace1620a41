"""Embeddings: vectors and failures, per track and embedder."""

from collections.abc import AsyncIterator, Mapping, Sequence

import numpy as np
import sqlite_utils

from anagnorisisd.adapters.sqlite import rows
from anagnorisisd.adapters.sqlite.database import Database, Row
from anagnorisisd.adapters.sqlite.moments import MomentsOfPages
from anagnorisisd.domain.embedding import EmbedderStamp, EmbeddingProgress
from anagnorisisd.domain.evaluation import Described, Moments, TrainingSet, Vectors
from anagnorisisd.domain.track import TrackId, Uri

PAGE_SIZE = 4096
"""Vectors read at once: some 12 MB at 768 dimensions, read in tens of milliseconds."""

PENDING = """
SELECT t.track_id, f.path FROM tracks t JOIN files f ON f.id = t.file
WHERE t.present = 1
    AND NOT EXISTS (SELECT 1 FROM embeddings WHERE embedder = :embedder AND track = t.id)
    AND NOT EXISTS (SELECT 1 FROM failures WHERE embedder = :embedder AND track = t.id AND final)
ORDER BY t.added_at DESC, t.id DESC LIMIT :limit
"""

PUT = """INSERT INTO embeddings (embedder, track, vector) VALUES (?, ?, ?)
    ON CONFLICT (embedder, track) DO UPDATE SET vector = excluded.vector"""

FAIL = """
INSERT INTO failures (embedder, track, tries, reason, final, failed_at)
VALUES (:embedder, :track, 1, :reason, :final, :at)
ON CONFLICT (embedder, track) DO UPDATE SET tries = tries + 1, reason = excluded.reason,
    final = excluded.final, failed_at = excluded.failed_at
RETURNING tries
"""

PROGRESS = """
SELECT count(*), count(e.id), count(CASE WHEN e.id IS NULL THEN x.track END) FROM tracks t
    LEFT JOIN embeddings e ON e.embedder = :embedder AND e.track = t.id
    LEFT JOIN failures x ON x.embedder = :embedder AND x.track = t.id AND x.final
WHERE t.present = 1
"""

SELECT = f"""SELECT e.track AS key, t.track_id, e.vector, f.path, {rows.TAGS},
    t.rating, r.rated_at, t.full_plays, t.skips
FROM embeddings e JOIN tracks t ON t.id = e.track JOIN files f ON f.id = t.file
    LEFT JOIN ratings r ON r.sequence = t.rated_by
WHERE e.embedder = :embedder AND e.track > :after"""
PAGED = "ORDER BY e.track LIMIT :size"

DESCRIBED = f"{SELECT} AND t.present {PAGED}"
DESCRIBED_ONLY = f"""{SELECT} AND t.present
    AND t.track_id IN (SELECT value FROM json_each(:only)) {PAGED}"""
RATED = f"{SELECT} AND t.rating IS NOT NULL {PAGED}"
VECTORS = f"""SELECT track AS key, vector FROM embeddings e
    WHERE embedder = :embedder AND track > :after {PAGED}"""


class SqliteEmbeddings:
    """`EmbeddingStore` in SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def pending(self, stamp: EmbedderStamp, limit: int) -> Sequence[tuple[TrackId, Uri]]:
        """Return present tracks without a vector or a final failure, the newest added first."""

        def job(db: sqlite_utils.Database) -> list[Row]:
            values = {"embedder": rows.key_of_embedder(db, stamp), "limit": limit}
            return db.execute(PENDING, values).fetchall()

        found = await self._database.read(job)
        return [(TrackId(track_id), rows.uri(path)) for track_id, path in found]

    async def put(self, stamp: EmbedderStamp, vectors: Mapping[TrackId, Vectors]) -> None:
        """Store vectors; raise `ValueError` for one that is not of the stamp's dimension."""
        for vector in vectors.values():
            if vector.shape != (stamp.dimension,):
                raise ValueError(f"a vector of {stamp} has the shape {vector.shape}")

        def job(db: sqlite_utils.Database) -> None:
            embedder = rows.ensured_embedder(db, stamp)
            for track_id, vector in vectors.items():
                track = rows.key_of_track(db, track_id)
                db.execute(PUT, [embedder, track, vector.astype("<f4").tobytes()])
                db.execute(
                    "DELETE FROM failures WHERE embedder = ? AND track = ?", [embedder, track]
                )

        await self._database.write(job)

    async def fail(
        self, stamp: EmbedderStamp, track_id: TrackId, reason: str, *, final: bool, at: float
    ) -> int:
        """Record a failed try and return how many there were."""

        def job(db: sqlite_utils.Database) -> int:
            values = {
                "embedder": rows.ensured_embedder(db, stamp),
                "track": rows.key_of_track(db, track_id),
                "reason": rows.text(reason),
                "final": final,
                "at": at,
            }
            return int(db.execute(FAIL, values).fetchall()[0]["tries"])

        return await self._database.write(job)

    async def retry(self, stamp: EmbedderStamp) -> int:
        """Forget all failures; return how many tracks are pending again."""

        def job(db: sqlite_utils.Database) -> int:
            embedder = rows.key_of_embedder(db, stamp)
            return db.execute("DELETE FROM failures WHERE embedder = ?", [embedder]).rowcount

        return await self._database.write(job)

    async def progress(self, stamp: EmbedderStamp) -> EmbeddingProgress:
        """Return the counts of present tracks."""

        def job(db: sqlite_utils.Database) -> EmbeddingProgress:
            values = {"embedder": rows.key_of_embedder(db, stamp)}
            present, done, failed = db.execute(PROGRESS, values).fetchone()
            return EmbeddingProgress(pending=present - done - failed, done=done, failed=failed)

        return await self._database.read(job)

    async def get(self, stamp: EmbedderStamp, track_id: TrackId) -> Vectors | None:
        """Return one vector, `[dimension]`; raise `UnknownTrack` when there is no such track."""

        def job(db: sqlite_utils.Database) -> list[Row]:
            key = (rows.key_of_embedder(db, stamp), rows.key_of_track(db, track_id))
            query = "SELECT vector FROM embeddings WHERE embedder = ? AND track = ?"
            return db.execute(query, key).fetchall()

        found = await self._database.read(job)
        return rows.vectors(found, stamp.dimension)[0] if found else None

    async def described(
        self,
        stamp: EmbedderStamp,
        *,
        batch_size: int = PAGE_SIZE,
        only: Sequence[TrackId] | None = None,
    ) -> AsyncIterator[Described]:
        """Yield the present tracks that have a vector, in batches."""
        query = DESCRIBED if only is None else DESCRIBED_ONLY
        wanted = {"only": rows.listed(only or ())}
        async for page in self._pages(stamp, query, batch_size, wanted):
            yield rows.described(page, stamp.dimension)

    async def moments(self, stamp: EmbedderStamp) -> Moments:
        """Return mean and deviation of each dimension, 0 where there is no vector."""
        moments = MomentsOfPages(stamp.dimension)
        async for page in self._pages(stamp, VECTORS, PAGE_SIZE):
            moments.add(rows.vectors(page, stamp.dimension))
        return moments.result()

    async def training_set(self, stamp: EmbedderStamp) -> TrainingSet:
        """Return every track that has both a rating and a vector, missing ones included."""
        rated = [row async for page in self._pages(stamp, RATED, PAGE_SIZE) for row in page]
        return TrainingSet(
            tracks=rows.described(rated, stamp.dimension),
            ratings=np.array([row["rating"] for row in rated], dtype=np.float64),
            rated_at=np.array([row["rated_at"] for row in rated], dtype=np.float64),
            full_plays=np.array([row["full_plays"] for row in rated], dtype=np.float64),
            skips=np.array([row["skips"] for row in rated], dtype=np.float64),
            moments=await self.moments(stamp),
            stamp=stamp,
        )

    async def _pages(
        self, stamp: EmbedderStamp, query: str, size: int, values: Mapping[str, str] | None = None
    ) -> AsyncIterator[list[Row]]:
        embedder = await self._database.read(lambda db: rows.key_of_embedder(db, stamp))
        async for page in self._database.pages(
            query, {"embedder": embedder, **(values or {})}, size
        ):
            yield page
