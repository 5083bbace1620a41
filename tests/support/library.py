"""Libraries for tests: tracks with tags, vectors, ratings and plays, in few words."""

import hashlib
import os
from collections.abc import Collection

import numpy as np

from anagnorisisd.domain.embedding import EmbedderStamp
from anagnorisisd.domain.evaluator import (
    EvaluatorStatus,
    EvaluatorVersion,
    Metrics,
    TrainedModel,
    Vectors,
)
from anagnorisisd.domain.play import Play, PlayOutcome
from anagnorisisd.domain.track import FileStamp, ScannedFile, SeenFile, Tags, TrackId, Uri
from anagnorisisd.storage.stores import Stores

STAMP = EmbedderStamp("test", "1", 4)
"""The embedder that tests use where it does not matter which."""

EPOCH = 1_750_000_000.0
"""The moment at which `FakeClock` starts, in unix seconds."""


def track_id(name: str) -> TrackId:
    """Return an id such as the audio of that name would have."""
    return TrackId(
        hashlib.blake2b(name.encode(errors="surrogateescape"), digest_size=16).hexdigest()
    )


def scanned(
    uri: str,
    *,
    audio: str | None = None,
    tags: Tags = Tags(),  # noqa: B008 - frozen
    duration_seconds: float | None = 180.0,
    stamp: FileStamp = FileStamp(1000, 1),  # noqa: B008 - frozen
) -> ScannedFile:
    """Return a file as a scan finds it; `audio` names its payload, the uri itself by default."""
    return ScannedFile(
        Uri(uri), stamp, track_id(audio or uri), tags=tags, duration_seconds=duration_seconds
    )


def places(files: Collection[SeenFile]) -> set[str]:
    """Return where files lie."""
    return {os.fsdecode(path) for path, _, _ in files}


def unreadable(uri: str, problem: str = "empty file") -> ScannedFile:
    """Return a file that a scan could not use."""
    return ScannedFile(Uri(uri), FileStamp(0, 1), None, problem=problem)


async def add_tracks(stores: Stores, *uris: str, at: float = EPOCH) -> list[TrackId]:
    """Add a track for each uri and return their ids in the same order."""
    await stores.library.store_files([scanned(uri) for uri in uris], at)
    return [track_id(uri) for uri in uris]


async def add_rated(stores: Stores, ratings: dict[str, float], at: float = EPOCH) -> list[TrackId]:
    """Add a track for each uri with its rating and return their ids."""
    added = await add_tracks(stores, *ratings, at=at)
    for track, value in zip(added, ratings.values(), strict=True):
        await stores.ratings.rate(track, value, at=at, source="test")
    return added


async def add_vectors(
    stores: Stores, vectors: dict[TrackId, Vectors], stamp: EmbedderStamp = STAMP
) -> None:
    """Store the vectors of tracks."""
    await stores.embeddings.put(stamp, vectors)


def vector(*values: float) -> Vectors:
    """Return a vector of these values."""
    return np.array(values, dtype=np.float32)


def play(
    track: TrackId,
    outcome: PlayOutcome = PlayOutcome.FULL,
    *,
    ended_at: float = EPOCH,
    heard_seconds: float = 180.0,
) -> Play:
    """Return a judged play of a three-minute track."""
    return Play(track, ended_at - heard_seconds, ended_at, heard_seconds, 180.0, outcome, "test")


async def predict(stores: Stores, means: dict[TrackId, float], stddev: float = 1.0) -> None:
    """Store predicted ratings by a new current evaluator."""
    evaluator = await add_evaluator(stores)
    mean = np.array(list(means.values()), dtype=np.float64)
    await stores.evaluators.put_predictions(
        evaluator.version, list(means), mean, np.full(len(mean), stddev)
    )


async def add_evaluator(
    stores: Stores, status: EvaluatorStatus = EvaluatorStatus.CURRENT, blob: bytes = b"model"
) -> EvaluatorVersion:
    """Store an evaluator with plausible metrics."""
    metrics = Metrics(1.2, 1.6, 0.4, 0.68, 0.95, {"mean": 1.6, "neighbours": 1.4})
    model = TrainedModel("gaussian_process", blob, metrics, {"implicit_feedback": "not used"})
    return await stores.evaluators.add(
        model, STAMP, rating_count=20, status=status, promotion_reason="test", at=EPOCH
    )
