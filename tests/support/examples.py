"""Rated tracks for tests of the evaluator, in few words."""

from collections.abc import Sequence

import numpy as np

from anagnorisisd.domain.embedding import EmbedderStamp
from anagnorisisd.domain.evaluator import (
    FeatureStats,
    Floats64,
    TrackFeatures,
    TrainingSet,
    Vectors,
)
from anagnorisisd.domain.track import Tags, TrackId, Uri


def described(
    vectors: Vectors, tags: Sequence[Tags] | None = None, uris: Sequence[str] | None = None
) -> TrackFeatures:
    """Return tracks with these vectors, `[n, d]`; untagged and at the root by default."""
    count = len(vectors)
    return TrackFeatures(
        track_ids=[TrackId(f"{row:032x}") for row in range(count)],
        vectors=np.asarray(vectors, dtype=np.float32),
        tags=tags or [Tags()] * count,
        uris=[Uri(uri) for uri in uris] if uris else [Uri(f"{row}.ogg") for row in range(count)],
    )


def training_set(
    tracks: TrackFeatures,
    ratings: Sequence[float] | Floats64,
    stats: FeatureStats | None = None,
) -> TrainingSet:
    """Return a training set; the tracks are taken to be the whole library by default."""
    count = len(tracks)
    return TrainingSet(
        tracks=tracks,
        ratings=np.asarray(ratings, dtype=np.float64),
        rated_at=np.arange(count, dtype=np.float64),
        full_plays=np.zeros(count),
        skips=np.zeros(count),
        feature_stats=stats or feature_stats_of(tracks),
        stamp=EmbedderStamp("test", "1", tracks.vectors.shape[1]),
    )


def feature_stats_of(tracks: TrackFeatures, segments: tuple[int, ...] = ()) -> FeatureStats:
    """Return mean and deviation of a library of these tracks."""
    vectors = tracks.vectors
    return FeatureStats(vectors.mean(axis=0), vectors.std(axis=0), len(tracks), segments)


def two_kinds(count: int, seed: int = 0, dimension: int = 6) -> tuple[Vectors, Floats64]:
    """Return vectors of two clearly different kinds in turn, and ratings near 9 and near 2."""
    rng = np.random.default_rng(seed)
    kind = np.arange(count) % 2
    centre = np.where(kind, -3.0, 3.0)[:, None]
    vectors = (centre + rng.normal(size=(count, dimension))).astype(np.float32)
    ratings = np.clip(np.round(np.where(kind, 2.0, 9.0) + rng.normal(size=count)), 0, 10)
    return vectors, ratings
