"""Predictions of the current evaluator for all embedded tracks, written to the database."""

from collections.abc import AsyncIterator, Callable

from anagnorisisd.domain.embedding import EmbedderStamp
from anagnorisisd.domain.evaluator import TrackFeatures
from anagnorisisd.events import Events, PredictionsUpdated
from anagnorisisd.storage.embeddings import EmbeddingStore
from anagnorisisd.storage.evaluators import EvaluatorStore
from anagnorisisd.taste.evaluator import Evaluator

BATCH_SIZE = 4096
"""Tracks whose vectors are in memory at once."""


def _ignore(done: int) -> None:
    """Do not report progress."""


class PredictionWriter:
    """Predicts ratings and stores them, batch by batch."""

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

    async def predict_all(
        self, version: int, model: bytes, report: Callable[[int], None] = _ignore
    ) -> int:
        """Predict every embedded track; call `report` with the number done. Return the number."""
        batches = self._embeddings.described(self._stamp, batch_size=BATCH_SIZE)
        return await self._predict(version, model, batches, report)

    async def predict_missing(self, version: int, model: bytes) -> int:
        """Predict the tracks without a prediction by `version`. Return their number."""
        return await self._predict(version, model, self._missing(version), _ignore)

    async def _missing(self, version: int) -> AsyncIterator[TrackFeatures]:
        """Yield tracks without a prediction, until none are left or their predictions fail."""
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
