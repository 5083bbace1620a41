"""Finding tracks that sound alike."""

import asyncio
import heapq

import numpy as np

from anagnorisisd.domain.embedding import EmbedderStamp
from anagnorisisd.domain.evaluator import FeatureStats, Floats64, Vectors
from anagnorisisd.domain.track import TrackId
from anagnorisisd.embedding.metadata_embedder import NO_SOUND
from anagnorisisd.errors import PreconditionFailed
from anagnorisisd.storage.embeddings import EmbeddingStore


def similarities(vector: Vectors, others: Vectors, feature_stats: FeatureStats) -> Floats64:
    """Return the cosine, -1 to 1, of `vector`, `[d]`, with each of `others`, `[n, d]`.

    Each dimension is standardised over the library first: embeddings share a large common part,
    which would make everything look alike. Dimensions that never vary say nothing and are left out.
    """
    varies = feature_stats.stddev > 0
    scale = feature_stats.stddev[varies].astype(np.float64)
    mean = feature_stats.mean[varies]
    centred = (others[:, varies] - mean) / scale
    own = (vector[varies] - mean) / scale
    lengths = np.linalg.norm(centred, axis=1) * np.linalg.norm(own)
    cosine: Floats64 = np.zeros(len(others))
    np.divide(centred @ own, lengths, out=cosine, where=lengths > 0)
    return cosine.clip(-1.0, 1.0)


class NearestTracks:
    """Compares a track with the whole library, streaming through it."""

    def __init__(self, embeddings: EmbeddingStore, stamp: EmbedderStamp) -> None:
        self._embeddings = embeddings
        self._stamp = stamp

    async def nearest(self, track_id: TrackId, count: int) -> list[tuple[TrackId, float]]:
        """Return the `count` most similar present tracks with their similarity, nearest first.

        Raises:
            PreconditionFailed: the track has no embedding yet, or nothing is known of sound.
        """
        if not self._stamp.knows_sound:
            raise PreconditionFailed(NO_SOUND)
        vector = await self._embeddings.get(self._stamp, track_id)
        if vector is None:
            raise PreconditionFailed(f"track {track_id} has no embedding by {self._stamp} yet")
        feature_stats = await self._embeddings.feature_stats(self._stamp)
        best: list[tuple[float, TrackId]] = []
        async for batch in self._embeddings.track_features(self._stamp):
            # In a thread, so that a large library does not make a rating wait.
            cosines = await asyncio.to_thread(similarities, vector, batch.vectors, feature_stats)
            found = zip(cosines.tolist(), batch.track_ids, strict=True)
            others = (entry for entry in found if entry[1] != track_id)
            best = heapq.nlargest(count, [*best, *others])
        return [(other, cosine) for cosine, other in best]
