"""The map of the library: the position of every embedded track, and what is known of it.

Positions are computed once per change of the embeddings: the axes in a worker, from the sample that
the report draws, and the positions page by page, so that no more than a page of vectors is in
memory. Ratings and predictions are read at each request.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray

from anagnorisisd.clock import Clock
from anagnorisisd.domain.embedding import EmbedderStamp
from anagnorisisd.domain.evaluator import FeatureStats, Vectors
from anagnorisisd.storage.embeddings import EmbeddingStore
from anagnorisisd.taste import projection
from anagnorisisd.taste.explanations import sample_tracks
from anagnorisisd.workers.pool import WorkerPool

DOTS = 3000
"""Tracks of the sample; more dots would hide each other in the report."""

INSIDE_PERCENT = 99.5
"""So many of the coordinates are between -1 and 1; the others are moved to the border."""

FIT_TIMEOUT_SECONDS = 600.0
PAUSE_FACTOR = 20
"""While a large library is being embedded, the positions take at most a twentieth of the time."""

Fit = Callable[[Vectors, FeatureStats], Awaitable[Vectors]]
"""Returns the axes of a map; see `projection.fit`."""


@dataclass(frozen=True, slots=True)
class MapColumns:
    """The present embedded tracks as columns of equal length.

    `track_ids` are 32-byte strings (`S32`), `positions` `[n, 2]` from -1 to 1. `rating` and
    `predicted` are NaN where there is none.
    """

    track_ids: NDArray[np.bytes_]
    positions: Vectors
    rating: Vectors
    predicted: Vectors


@dataclass(frozen=True, slots=True)
class _Positions:
    """Positions of all embedded tracks, ordered by track id; `count` is their number."""

    track_ids: NDArray[np.bytes_]
    positions: Vectors
    count: int


class LibraryMap:
    """Computes and keeps the positions of the tracks."""

    def __init__(
        self, embeddings: EmbeddingStore, stamp: EmbedderStamp, fit: Fit, clock: Clock
    ) -> None:
        self.stamp = stamp
        self._embeddings = embeddings
        self._fit = fit
        self._clock = clock
        self._lock = asyncio.Lock()
        self._known: _Positions | None = None
        self._rebuild_after = float("-inf")

    async def columns(self) -> MapColumns:
        """Return the map. Raises `WorkerLost` if the worker died or was too slow."""
        known = await self._positions()
        tracks = await self._embeddings.track_values(self.stamp)
        rows = rows_of(tracks.track_ids, known.track_ids)
        found = rows >= 0  # others were embedded since then
        return MapColumns(
            track_ids=tracks.track_ids[found],
            positions=known.positions[rows[found]],
            rating=tracks.rating[found],
            predicted=tracks.predicted[found],
        )

    async def _positions(self) -> _Positions:
        async with self._lock:
            count = await self._embeddings.count(self.stamp)
            began = self._clock.monotonic()
            known = self._known
            if known is None or (known.count != count and began >= self._rebuild_after):
                known = self._known = await self._computed(count)
                ended = self._clock.monotonic()
                self._rebuild_after = ended + PAUSE_FACTOR * (ended - began)
            return known

    async def _computed(self, count: int) -> _Positions:
        rng = Random(0)  # noqa: S311 - a fixed seed: the same library gives the same map
        sample = await sample_tracks(self._embeddings, self.stamp, DOTS, rng)
        stats = await self._embeddings.feature_stats(self.stamp)
        axes = await self._fit(sample.vectors, stats)
        ids, places = [np.zeros(0, "S32")], [np.zeros((0, projection.AXES), np.float32)]
        async for track_ids, vectors in self._embeddings.vector_pages(self.stamp):
            ids.append(np.array(track_ids, "S32"))
            places.append(await asyncio.to_thread(projection.project, vectors, stats, axes))
        known, positions = np.concatenate(ids), _scaled(np.concatenate(places))
        order = np.argsort(known)
        return _Positions(known[order], positions[order], count)


def rows_of(wanted: NDArray[np.bytes_], ordered: NDArray[np.bytes_]) -> NDArray[np.int64]:
    """Return the row of each of the `wanted` ids in the sorted ids; -1 where there is none."""
    if not len(ordered):
        return np.full(len(wanted), -1, np.int64)
    rows = np.searchsorted(ordered, wanted).clip(max=len(ordered) - 1)
    return np.where(ordered[rows] == wanted, rows, -1)


def _scaled(positions: Vectors) -> Vectors:
    """Return positions around 0, between -1 and 1 but for a few, which lie at the border."""
    if not len(positions):
        return positions
    centred = positions - np.median(positions, axis=0)
    width = float(np.percentile(np.abs(centred), INSIDE_PERCENT))
    return np.asarray(np.clip(centred / (width or 1.0), -1, 1), np.float32)


async def fit_in_worker(workers: WorkerPool, vectors: Vectors, stats: FeatureStats) -> Vectors:
    """Return the axes of a map, computed in a worker."""
    axes: Vectors = await workers.run(
        "anagnorisisd.taste.projection:fit",
        vectors,
        stats,
        timeout_seconds=FIT_TIMEOUT_SECONDS,
        result_type=Vectors,
    )
    return axes
