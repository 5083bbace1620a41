"""Evaluator versions with their metrics, predicted ratings, and the history of trainings."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial

import sqlite_utils

from anagnorisisd.domain.embedding import EmbedderStamp
from anagnorisisd.domain.evaluator import (
    EvaluatorStatus,
    EvaluatorVersion,
    Evidence,
    Failures,
    Floats64,
    Metrics,
    TagPreference,
    TrainedModel,
)
from anagnorisisd.domain.track import TrackId
from anagnorisisd.errors import InvalidValue
from anagnorisisd.storage import row_mapping
from anagnorisisd.storage.database import Database, Row, batched

SELECT = """SELECT v.version, v.model, e.name, e.version AS embedder_version, e.dimension,
    v.trained_at, v.rating_count, v.metrics, v.notes, v.status, v.promotion_reason,
    v.tag_preferences
    FROM evaluators v JOIN embedders e ON e.id = v.embedder"""

ADD = """
INSERT INTO evaluators
    (model, embedder, trained_at, rating_count, metrics, notes, status, promotion_reason, blob)
VALUES (:model, :embedder, :at, :rating_count, :metrics, :notes, :status, :promotion_reason, :blob)
"""

PREDICTIONS_PER_WRITE = 500
"""Predicted ratings per bulk write; other writes run between two of them."""

MODELS_KEPT = 20
"""Versions that keep their serialised model, which contains the vectors of all rated tracks."""

DELETE_OLD_MODELS = "UPDATE evaluators SET blob = x'' WHERE version <= ? AND status <> 'current'"

UNPREDICTED = """
SELECT t.track_id FROM embeddings e JOIN tracks t ON t.id = e.track
    LEFT JOIN predictions p ON p.track = t.id AND p.version = :version
WHERE e.embedder = :embedder AND t.present AND p.track IS NULL LIMIT :limit
"""

PREDICTED = """
SELECT p.track AS key, t.track_id, p.mean FROM predictions p JOIN tracks t ON t.id = p.track
WHERE p.version = :version AND p.track > :after ORDER BY p.track LIMIT :size
"""
PREDICTIONS_READ_AT_ONCE = 10_000

FAILED = "failed: "
"""Prefix of the recorded outcome of a failed training."""

TRAINED = f"SELECT * FROM trainings WHERE outcome NOT LIKE '{FAILED}%'"

PREDICT = """INSERT INTO predictions (track, version, mean, stddev)
    SELECT id, ?2, ?3, ?4 FROM tracks WHERE track_id = ?1
    ON CONFLICT (track) DO UPDATE SET version = ?2, mean = ?3, stddev = ?4"""


class EvaluatorStore:
    """Stores evaluators, predictions and trainings."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self,
        model: TrainedModel,
        stamp: EmbedderStamp,
        *,
        rating_count: int,
        status: EvaluatorStatus,
        promotion_reason: str,
        at: float,
    ) -> EvaluatorVersion:
        """Store a new version; the status `CURRENT` retires the current version.

        The serialised models of old versions are deleted, their metrics are kept.
        """

        def job(db: sqlite_utils.Database) -> EvaluatorVersion:
            if status is EvaluatorStatus.CURRENT:
                _retire(db)
            values = {
                "model": model.model,
                "embedder": row_mapping.ensured_embedder(db, stamp),
                "at": at,
                "rating_count": rating_count,
                "metrics": json.dumps(asdict(model.metrics)),
                "notes": json.dumps(dict(model.notes)),
                "status": status,
                "promotion_reason": promotion_reason,
                "blob": model.blob,
            }
            added = int(db.execute(ADD, values).lastrowid or 0)
            db.execute(DELETE_OLD_MODELS, [added - MODELS_KEPT])
            return _version(db, added)

        return await self._database.write(job)

    async def current(self) -> EvaluatorVersion | None:
        """Return the current evaluator, if any."""
        query = f"{SELECT} WHERE v.status = 'current'"
        row = await self._database.read(lambda db: db.execute(query).fetchone())
        return None if row is None else _evaluator(row)

    async def blob(self, version: int) -> bytes:
        """Return the serialised model of a version; raise `InvalidValue` if there is none."""

        def job(db: sqlite_utils.Database) -> bytes:
            _version(db, version)
            query = "SELECT blob FROM evaluators WHERE version = ?"
            return bytes(db.execute(query, [version]).fetchone()["blob"])

        return await self._database.read(job)

    async def update_blob(self, version: int, blob: bytes) -> None:
        """Replace the model of a version; raise `InvalidValue` if there is none."""

        def job(db: sqlite_utils.Database) -> None:
            _version(db, version)
            db.execute("UPDATE evaluators SET blob = ? WHERE version = ?", [blob, version])

        await self._database.write(job)

    async def put_tag_preferences(
        self, version: int, preferences: Sequence[TagPreference]
    ) -> EvaluatorVersion:
        """Replace the tag preferences of a version, and return it.

        Raises:
            InvalidValue: there is no such version.
        """
        values = [json.dumps([asdict(preference) for preference in preferences]), version]

        def job(db: sqlite_utils.Database) -> EvaluatorVersion:
            db.execute("UPDATE evaluators SET tag_preferences = ? WHERE version = ?", values)
            return _version(db, version)

        return await self._database.write(job)

    async def version(self, version: int) -> EvaluatorVersion:
        """Return one version.

        Raises:
            InvalidValue: there is no such version.
        """
        return await self._database.read(lambda db: _version(db, version))

    async def versions(self, limit: int, before: int | None = None) -> Sequence[EvaluatorVersion]:
        """Return versions, newest first; with `before`, only versions below it."""
        query = f"{SELECT} WHERE v.version < ? ORDER BY v.version DESC LIMIT ?"
        # The largest version that SQLite can give is 2^63 - 1.
        values = [2**63 - 1 if before is None else before, limit]
        found = await self._database.read(lambda db: db.execute(query, values).fetchall())
        return [_evaluator(row) for row in found]

    async def make_current(self, version: int) -> EvaluatorVersion:
        """Make an earlier version the current one.

        Raises:
            InvalidValue: there is no such version.
        """

        def job(db: sqlite_utils.Database) -> EvaluatorVersion:
            _version(db, version)
            _retire(db)
            db.execute("UPDATE evaluators SET status = 'current' WHERE version = ?", [version])
            return _version(db, version)

        return await self._database.write(job)

    async def put_predictions(
        self, version: int, track_ids: Sequence[TrackId], mean: Floats64, stddev: Floats64
    ) -> None:
        """Store predicted ratings, replacing those of the same tracks."""
        values = [
            (track_id, version, *prediction)
            for track_id, *prediction in zip(track_ids, mean.tolist(), stddev.tolist(), strict=True)
        ]
        await self._database.write_parts(
            partial(_predict, values=part) for part in batched(values, PREDICTIONS_PER_WRITE)
        )

    async def predicted_means(self, version: int) -> Mapping[TrackId, float]:
        """Return the predicted rating by `version` of each track that has one."""
        found: dict[TrackId, float] = {}
        async for page in self._database.pages(
            PREDICTED, {"version": version}, PREDICTIONS_READ_AT_ONCE, _means
        ):
            found |= page
        return found

    async def unpredicted(
        self, version: int, stamp: EmbedderStamp, limit: int
    ) -> Sequence[TrackId]:
        """Return present tracks that have a vector and no predicted rating by `version`."""

        def job(db: sqlite_utils.Database) -> list[Row]:
            embedder = row_mapping.key_of_embedder(db, stamp)
            values = {"embedder": embedder, "version": version, "limit": limit}
            return db.execute(UNPREDICTED, values).fetchall()

        found = await self._database.read(job)
        return [TrackId(track_id) for (track_id,) in found]

    async def last_training(self) -> float | None:
        """Return when the last recorded training began, successful or not."""
        query = "SELECT ended_at FROM trainings ORDER BY id DESC LIMIT 1"
        row = await self._database.read(lambda db: db.execute(query).fetchone())
        return None if row is None else float(row["ended_at"])

    async def last_evidence(self) -> Evidence | None:
        """Return the evidence of the last successful training, or `None` if not known."""
        query = f"{TRAINED} ORDER BY id DESC LIMIT 1"
        row = await self._database.read(lambda db: db.execute(query).fetchone())
        if row is None or row["newest_rating"] is None:
            return None
        return Evidence(row["newest_rating"], row["examples"])

    async def record_training(
        self, at: float, outcome: str, evidence: Evidence | None = None
    ) -> None:
        """Record a training that began at `at` with this evidence, and its outcome."""
        insert = """INSERT INTO trainings (ended_at, outcome, newest_rating, examples)
            VALUES (?, ?, ?, ?)"""
        evidence_values = (evidence.newest_rating, evidence.examples) if evidence else (None, None)
        values = [at, row_mapping.text(outcome), *evidence_values]
        await self._database.write(lambda db: db.execute(insert, values))

    async def record_failure(self, at: float, reason: str) -> None:
        """Record a training that failed at `at`."""
        await self.record_training(at, f"{FAILED}{reason}")

    async def failures(self) -> Failures:
        """Return the failed trainings since the last successful one."""
        query = f"""SELECT ended_at, outcome FROM trainings
            WHERE id > coalesce((SELECT max(id) FROM ({TRAINED})), 0) ORDER BY id DESC"""
        found = await self._database.read(lambda db: db.execute(query).fetchall())
        if not found:
            return Failures()
        newest = found[0]
        return Failures(len(found), newest["ended_at"], newest["outcome"].removeprefix(FAILED))


def _means(rows: Sequence[Row]) -> dict[TrackId, float]:
    return {TrackId(row["track_id"]): row["mean"] for row in rows}


def _predict(db: sqlite_utils.Database, values: Sequence[tuple[object, ...]]) -> None:
    db.conn.executemany(PREDICT, values)


def _retire(db: sqlite_utils.Database) -> None:
    db.execute("UPDATE evaluators SET status = 'retired' WHERE status = 'current'")


def _version(db: sqlite_utils.Database, version: int) -> EvaluatorVersion:
    row = db.execute(f"{SELECT} WHERE v.version = ?", [version]).fetchone()
    if row is None:
        raise InvalidValue("version", f"there is no evaluator {version}")
    return _evaluator(row)


def _evaluator(row: Row) -> EvaluatorVersion:
    return EvaluatorVersion(
        version=row["version"],
        model=row["model"],
        stamp=EmbedderStamp(row["name"], row["embedder_version"], row["dimension"]),
        trained_at=row["trained_at"],
        rating_count=row["rating_count"],
        metrics=Metrics(**json.loads(row["metrics"])),
        status=EvaluatorStatus(row["status"]),
        promotion_reason=row["promotion_reason"],
        notes=json.loads(row["notes"]),
        tag_preferences=[TagPreference(**each) for each in json.loads(row["tag_preferences"])],
    )
