"""Scoring: every embedded track gets a predicted rating from the current evaluator."""

from collections.abc import AsyncIterator, Callable

from anagnorisisd.domain.embedding import EmbedderStamp
from anagnorisisd.domain.evaluator import TrackFeatures
from anagnorisisd.events import Events, PredictionsUpdated
from anagnorisisd.storage.embeddings import EmbeddingStore
from anagnorisisd.storage.evaluators import EvaluatorStore
from anagnorisisd.taste.evaluator import Evaluator

BATCH_SIZE = 4096
"""Vectors on their way through the daemon at once; never the whole library."""


def _unheard(done: int) -> None:
    """Report progress to nobody."""


class PredictionWriter:
    """Writes predicted ratings, a batch at a time."""

    def __init__(
        self,
        embeddings: EmbeddingStore,
        evaluators: EvaluatorStore,
        evaluator: Evaluator,
        events: Events,
        stamp: EmbedderStamp,
    ) -> None:
        self._embeddings = embeddings
        self._evaluators = evaluators
        self._evaluator = evaluator
        self._events = events
        self._stamp = stamp

    async def everything(
        self, version: int, model: bytes, report: Callable[[int], None] = _unheard
    ) -> int:
        """Predict every embedded track; `report` is told how many are done. Return how many."""
        batches = self._embeddings.described(self._stamp, batch_size=BATCH_SIZE)
        return await self._predict(version, model, batches, report)

    async def what_is_missing(self, version: int, model: bytes) -> int:
        """Predict the tracks which `version` has not predicted yet. Return how many."""
        return await self._predict(version, model, self._missing(version), _unheard)

    async def _missing(self, version: int) -> AsyncIterator[TrackFeatures]:
        """Yield what is not predicted yet, until nothing is left or nothing changes any more."""
        before = None
        while True:
            missing = await self._evaluators.unpredicted(version, self._stamp, BATCH_SIZE)
            if not missing or missing == before:
                return
            before = missing
            async for batch in self._embeddings.described(self._stamp, only=missing):
                yield batch

    async def _predict(
        self,
        version: int,
        model: bytes,
        batches: AsyncIterator[TrackFeatures],
        report: Callable[[int], None],
    ) -> int:
        done = 0
        async for batch in batches:
            mean, stddev = await self._evaluator.predict(model, batch)
            await self._evaluators.put_predictions(version, batch.track_ids, mean, stddev)
            done += len(batch)
            report(done)
        if done:
            self._events.publish(PredictionsUpdated(done))
        return done
