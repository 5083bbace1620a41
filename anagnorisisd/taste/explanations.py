"""Curiosity: why a rating is predicted as it is, and which ratings would teach the most."""

from collections.abc import Collection, Mapping, Sequence
from random import Random

from anagnorisisd.domain.embedding import EmbedderStamp
from anagnorisisd.domain.evaluator import TrackFeatures
from anagnorisisd.domain.track import TrackId
from anagnorisisd.errors import PreconditionFailed
from anagnorisisd.storage.embeddings import EmbeddingStore
from anagnorisisd.storage.evaluators import EvaluatorStore
from anagnorisisd.storage.ratings import RatingStore
from anagnorisisd.taste import reservoir_sampling
from anagnorisisd.taste.evaluator import Evaluator

INFLUENCES = 5
CHOICE = 2000
"""Suggestions are chosen among this many unrated tracks, drawn from all: the cost of looking at
each pair of them stays within a second."""


class Explanations:
    """Asks the current evaluator about its own knowledge."""

    def __init__(
        self,
        *,
        ratings: RatingStore,
        embeddings: EmbeddingStore,
        evaluators: EvaluatorStore,
        evaluator: Evaluator,
        stamp: EmbedderStamp,
    ) -> None:
        self._ratings = ratings
        self._embeddings = embeddings
        self._evaluators = evaluators
        self._evaluator = evaluator
        self._stamp = stamp

    async def influences(
        self, track_id: TrackId, count: int = INFLUENCES
    ) -> Sequence[tuple[TrackId, float]]:
        """Return the rated tracks that shaped a predicted rating most, with their shares.

        Empty where there is no prediction, or where the evaluator cannot say.
        """
        model, track = await self._model(), await self._track(track_id)
        if model is None or track is None:
            return []
        found = await self._evaluator.influences(model, track, count)
        return [(TrackId(rated), share) for rated, share in found]

    async def parts(self, track_id: TrackId) -> Mapping[str, float]:
        """Return the share that sound, artist and so on have in a predicted rating.

        Empty where there is no prediction, or where the evaluator cannot say.
        """
        model, track = await self._model(), await self._track(track_id)
        return {} if model is None or track is None else await self._evaluator.parts(model, track)

    async def suggest(
        self, count: int, seed: int, left_out: Collection[TrackId] = ()
    ) -> Sequence[TrackId]:
        """Return up to `count` unrated tracks whose ratings would teach the most, best first.

        None of `left_out` is among them.

        Raises:
            PreconditionFailed: no unrated track that may be suggested is embedded yet.
        """
        rated = await self._ratings.current()
        choice = await reservoir_sampling.drawn(
            self._embeddings,
            self._stamp,
            CHOICE,
            Random(seed),  # noqa: S311 - no secret
            wanted=lambda track_id: track_id not in rated and track_id not in left_out,
        )
        if not len(choice):
            raise PreconditionFailed(
                "there is no unrated track that is embedded yet"
                + (", apart from those that are excluded from picks" if left_out else "")
            )
        found = await self._evaluator.suggest(await self._model(), choice, count)
        return [TrackId(track_id) for track_id in found]

    async def _model(self) -> bytes | None:
        current = await self._evaluators.current()
        if current is None or current.stamp != self._stamp:
            return None
        return await self._evaluators.blob(current.version)

    async def _track(self, track_id: TrackId) -> TrackFeatures | None:
        async for track in self._embeddings.described(self._stamp, only=[track_id]):
            return track
        return None
