"""Embeddings: vectors and failures, per track and embedder."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

import sqlite_utils

from anagnorisisd.domain.embedding import EmbedderStamp, EmbeddingProgress
from anagnorisisd.domain.evaluator import Vectors
from anagnorisisd.domain.track import TrackId, Uri
from anagnorisisd.errors import UnknownTrack
from anagnorisisd.storage import row_mapping
from anagnorisisd.storage.database import Row
from anagnorisisd.storage.vector_queries import VectorQueries

PENDING = """
SELECT t.track_id, coalesce(f.source, f.path) AS path, f.start_ms, f.end_ms
FROM tracks t JOIN files f ON f.id = t.file
WHERE t.present
    AND NOT EXISTS (SELECT 1 FROM embeddings WHERE embedder = :embedder AND track = t.id)
    AND NOT EXISTS (SELECT 1 FROM embedding_failures
        WHERE embedder = :embedder AND track = t.id AND permanent)
ORDER BY t.added_at DESC, t.track_id LIMIT :limit
"""

PUT = """INSERT INTO embeddings (embedder, track, vector) VALUES (?, ?, ?)
    ON CONFLICT (embedder, track) DO UPDATE SET vector = excluded.vector"""

FAIL = """
INSERT INTO embedding_failures (embedder, track, attempts, reason, permanent, failed_at)
VALUES (:embedder, :track, 1, :reason, :permanent, :at)
ON CONFLICT (embedder, track) DO UPDATE SET attempts = attempts + 1, reason = excluded.reason,
    permanent = excluded.permanent, failed_at = excluded.failed_at
RETURNING attempts
"""

PROGRESS = """
SELECT count(*), count(e.id), count(CASE WHEN e.id IS NULL THEN x.track END) FROM tracks t
    LEFT JOIN embeddings e ON e.embedder = :embedder AND e.track = t.id
    LEFT JOIN embedding_failures x ON x.embedder = :embedder AND x.track = t.id AND x.permanent
WHERE t.present
"""


class PendingTrack(NamedTuple):
    """A track to embed and its audio file; of a part of it, start and end in milliseconds."""

    track_id: TrackId
    uri: Uri
    start_ms: int | None = None
    end_ms: int | None = None


class EmbeddingStore(VectorQueries):
    """Stores vectors, and failures to compute them."""

    async def pending(self, stamp: EmbedderStamp, limit: int) -> Sequence[PendingTrack]:
        """Return present tracks without a vector or a permanent failure, newest first."""

        def job(db: sqlite_utils.Database) -> list[Row]:
            values = {"embedder": row_mapping.key_of_embedder(db, stamp), "limit": limit}
            return db.execute(PENDING, values).fetchall()

        found = await self._database.read(job)
        return [
            PendingTrack(TrackId(track_id), row_mapping.uri(path), start_ms, end_ms)
            for track_id, path, start_ms, end_ms in found
        ]

    async def put(self, stamp: EmbedderStamp, vectors: Mapping[TrackId, Vectors]) -> None:
        """Store vectors, `[dimension]` each, and delete the failures of their tracks.

        A track that the library does not have is left out: its id may have changed meanwhile.

        Raises:
            ValueError: a vector has another dimension than the stamp.
        """
        for vector in vectors.values():
            if vector.shape != (stamp.dimension,):
                raise ValueError(
                    f"a vector of {stamp} has shape {vector.shape}, not ({stamp.dimension},)"
                )

        def job(db: sqlite_utils.Database) -> None:
            embedder = row_mapping.ensured_embedder(db, stamp)
            for track_id, vector in vectors.items():
                with suppress(UnknownTrack):
                    track = row_mapping.key_of_track(db, track_id)
                    db.execute(PUT, [embedder, track, vector.astype("<f4").tobytes()])
                    db.execute(
                        "DELETE FROM embedding_failures WHERE embedder = ? AND track = ?",
                        [embedder, track],
                    )

        await self._database.write_parts([job])

    async def fail(
        self, stamp: EmbedderStamp, track_id: TrackId, reason: str, *, permanent: bool, at: float
    ) -> int:
        """Record a failed attempt and return the number of attempts, 0 for an unknown track.

        With `permanent`, the track is no longer pending.
        """

        def job(db: sqlite_utils.Database) -> int:
            values = {
                "embedder": row_mapping.ensured_embedder(db, stamp),
                "track": row_mapping.key_of_track(db, track_id),
                "reason": row_mapping.text(reason),
                "permanent": permanent,
                "at": at,
            }
            return int(db.execute(FAIL, values).fetchall()[0]["attempts"])

        try:
            return await self._database.write(job)
        except UnknownTrack:
            return 0

    async def retry(self, stamp: EmbedderStamp) -> int:
        """Delete all failures, so that their tracks are pending again; return their number."""

        def job(db: sqlite_utils.Database) -> int:
            embedder = row_mapping.key_of_embedder(db, stamp)
            return db.execute(
                "DELETE FROM embedding_failures WHERE embedder = ?", [embedder]
            ).rowcount

        return await self._database.write(job)

    async def progress(self, stamp: EmbedderStamp) -> EmbeddingProgress:
        """Return the numbers of present tracks by embedding state."""

        def job(db: sqlite_utils.Database) -> EmbeddingProgress:
            values = {"embedder": row_mapping.key_of_embedder(db, stamp)}
            present, done, failed = db.execute(PROGRESS, values).fetchone()
            return EmbeddingProgress(pending=present - done - failed, embedded=done, failed=failed)

        return await self._database.read(job)

    async def get(self, stamp: EmbedderStamp, track_id: TrackId) -> Vectors | None:
        """Return the vector of a track, `[dimension]`, or `None` if it has none.

        Raises:
            UnknownTrack: the library has no such track.
        """

        def job(db: sqlite_utils.Database) -> list[Row]:
            key = (row_mapping.key_of_embedder(db, stamp), row_mapping.key_of_track(db, track_id))
            query = "SELECT vector FROM embeddings WHERE embedder = ? AND track = ?"
            return db.execute(query, key).fetchall()

        found = await self._database.read(job)
        return row_mapping.vectors(found, stamp.dimension)[0] if found else None
