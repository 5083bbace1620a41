"""Explanations of predictions, and suggestions of tracks whose ratings are most informative."""

from collections.abc import Callable, Collection, Mapping, Sequence
from random import Random

import numpy as np

from anagnorisisd.domain.embedding import EmbedderStamp
from anagnorisisd.domain.evaluator import TagPreference, TrackFeatures
from anagnorisisd.domain.track import Track, TrackId
from anagnorisisd.embedding.sound_tags import SoundTagIndex
from anagnorisisd.errors import PreconditionFailed
from anagnorisisd.storage.embeddings import EmbeddingStore
from anagnorisisd.storage.evaluators import EvaluatorStore
from anagnorisisd.storage.ratings import RatingStore
from anagnorisisd.taste.evaluator import Evaluator

INFLUENCES = 5
MIN_SOUND_SHARE = 0.2
"""Below it, artist or album explain a prediction, and the sound does not."""

SUGGESTION_SAMPLE = 2000
"""Suggestions are chosen from a sample of unrated tracks, as the cost grows with its square."""


class Explanations:
    """Explains the predictions of the current evaluator."""

    def __init__(
        self,
        *,
        ratings: RatingStore,
        embeddings: EmbeddingStore,
        evaluators: EvaluatorStore,
        evaluator: Evaluator,
        sound_tags: SoundTagIndex,
        stamp: EmbedderStamp,
    ) -> None:
        self._ratings = ratings
        self._embeddings = embeddings
        self._evaluators = evaluators
        self._evaluator = evaluator
        self._sound_tags = sound_tags
        self._stamp = stamp

    async def influences(
        self, track_id: TrackId, count: int = INFLUENCES
    ) -> Sequence[tuple[TrackId, float]]:
        """Return the rated tracks that contribute most to a prediction, and their shares.

        Empty if there is no prediction or the model has no explanation.
        """
        model, track = await self._model(), await self._track(track_id)
        if model is None or track is None:
            return []
        found = await self._evaluator.influences(model, track, count)
        return [(TrackId(rated), share) for rated, share in found]

    async def parts(self, track_id: TrackId) -> Mapping[str, float]:
        """Return the share that sound, artist and so on have in a predicted rating.

        Empty if there is no prediction or the model has no explanation.
        """
        model, track = await self._model(), await self._track(track_id)
        return {} if model is None or track is None else await self._evaluator.parts(model, track)

    async def matching_tags(self, track: Track) -> Sequence[TagPreference]:
        """Return the tags of an unrated track that explain its predicted rating, strongest first.

        Those that the listener likes if it is predicted above the mean of the ratings, those that
        the listener dislikes if below; none if the prediction hardly depends on the sound.
        """
        current = await self._evaluators.current()
        if current is None or track.rating is not None or track.prediction is None:
            return []
        tags = {tag.name for tag in await self._sound_tags.of_track(track.track_id)}
        _, mean = await self._ratings.summary()
        matching = [
            preference
            for preference in current.tag_preferences
            if preference.name in tags
            and mean is not None
            and preference.liked == (track.prediction.mean > mean)
        ]
        if not matching:
            return []
        sound = (await self.parts(track.track_id)).get("audio", 0.0)
        return matching if sound >= MIN_SOUND_SHARE else []

    async def suggest(
        self, count: int, seed: int, left_out: Collection[TrackId] = ()
    ) -> Sequence[TrackId]:
        """Return up to `count` unrated tracks whose ratings would be most informative, best first.

        None of `left_out` is among them.

        Raises:
            PreconditionFailed: no unrated track that may be suggested is embedded yet.
        """
        rated = await self._ratings.current()
        choice = await sample_tracks(
            self._embeddings,
            self._stamp,
            SUGGESTION_SAMPLE,
            Random(seed),  # noqa: S311 - no secret
            wanted=lambda track_id: track_id not in rated and track_id not in left_out,
        )
        if not len(choice):
            raise PreconditionFailed(
                "there is no unrated track that is embedded yet"
                + (", apart from those that are excluded from picks" if left_out else "")
            )
        feature_stats = await self._embeddings.feature_stats(self._stamp)
        found = await self._evaluator.suggest(await self._model(), choice, feature_stats, count)
        return [TrackId(track_id) for track_id in found]

    async def _model(self) -> bytes | None:
        current = await self._evaluators.current()
        if current is None or current.stamp != self._stamp:
            return None
        return await self._evaluators.blob(current.version)

    async def _track(self, track_id: TrackId) -> TrackFeatures | None:
        async for track in self._embeddings.track_features(self._stamp, only=[track_id]):
            return track
        return None


def _every(track_id: TrackId) -> bool:
    return True


async def sample_tracks(
    embeddings: EmbeddingStore,
    stamp: EmbedderStamp,
    count: int,
    rng: Random,
    wanted: Callable[[TrackId], bool] = _every,
) -> TrackFeatures:
    """Return a uniform random sample of up to `count` embedded tracks that are `wanted`.

    Reservoir sampling: every track gets a random key and the lowest keys stay, so one pass over the
    library suffices, and only the sample and one batch are in memory.
    """
    chosen = TrackFeatures([], np.empty((0, stamp.dimension), np.float32), [], [])
    keys = np.empty(0)
    async for batch in embeddings.track_features(stamp):
        rows = [row for row, track in enumerate(batch.track_ids) if wanted(track)]
        chosen = chosen.concatenate(batch.take(rows))
        keys = np.concatenate([keys, [rng.random() for _ in rows]])
        if len(chosen) > count:
            keep = np.argpartition(keys, count)[:count]
            chosen, keys = chosen.take(keep.tolist()), keys[keep]
    return chosen
