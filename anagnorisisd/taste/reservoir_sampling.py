"""A fair sample of the embedded tracks, without ever holding them all."""

from collections.abc import Callable
from random import Random

import numpy as np

from anagnorisisd.domain.embedding import EmbedderStamp
from anagnorisisd.domain.evaluator import TrackFeatures
from anagnorisisd.domain.track import TrackId
from anagnorisisd.storage.embeddings import EmbeddingStore


def _any(track_id: TrackId) -> bool:
    return True


async def drawn(
    embeddings: EmbeddingStore,
    stamp: EmbedderStamp,
    count: int,
    rng: Random,
    wanted: Callable[[TrackId], bool] = _any,
) -> TrackFeatures:
    """Return up to `count` of the wanted tracks, each as likely as any other.

    Every track draws a number and the lowest win, so that one pass over the library will do and
    no more than a batch beside the winners is ever held.
    """
    chosen = TrackFeatures([], np.empty((0, stamp.dimension), np.float32), [], [])
    lots = np.empty(0)
    async for batch in embeddings.described(stamp):
        rows = [row for row, track in enumerate(batch.track_ids) if wanted(track)]
        chosen = chosen.joined(batch.take(rows))
        lots = np.concatenate([lots, [rng.random() for _ in rows]])
        if len(chosen) > count:
            keep = np.argpartition(lots, count)[:count]
            chosen, lots = chosen.take(keep.tolist()), lots[keep]
    return chosen
