"""Finds the sound tags that a listener likes or dislikes, once per training, and stores them."""

import asyncio
from collections.abc import Mapping

import numpy as np

from anagnorisisd.domain.evaluator import EvaluatorVersion, Floats64, TrainingSet
from anagnorisisd.domain.track import TrackId
from anagnorisisd.embedding.sound_tags import LibraryTags, SoundTagIndex
from anagnorisisd.storage.evaluators import EvaluatorStore
from anagnorisisd.taste.evaluator import Evaluator
from anagnorisisd.taste.tag_support import TagEvidence


class TagPreferenceFinder:
    """Compares the tags of the library with ratings and predictions; `tag_support` has the rules.

    Only the embedder `musicnn` has tags; with others nothing is found.
    """

    def __init__(
        self, sound_tags: SoundTagIndex, evaluators: EvaluatorStore, evaluator: Evaluator
    ) -> None:
        self._sound_tags = sound_tags
        self._evaluators = evaluators
        self._evaluator = evaluator

    async def update(self, version: EvaluatorVersion, examples: TrainingSet) -> EvaluatorVersion:
        """Find and store the preferences of a version whose predictions are stored; return it.

        Raises:
            EvaluatorUnreadable: its model is damaged or of another version of the program.
        """
        library = await self._sound_tags.library()
        if not library.scores.has.any():
            return version
        predicted = await self._evaluators.predicted_means(version.version)
        # In a thread, so that a large library does not make a rating wait.
        evidence = await asyncio.to_thread(tag_evidence, library, predicted, examples)
        model = await self._evaluators.blob(version.version)
        found = await self._evaluator.tag_preferences(model, examples, evidence)
        return await self._evaluators.put_tag_preferences(version.version, found)


def tag_evidence(
    library: LibraryTags, predicted: Mapping[TrackId, float], examples: TrainingSet
) -> TagEvidence:
    """Return the tags of the rated tracks, and what is predicted of each tag.

    A rated track without tags, as its embedding is newer than the scores, counts as average.
    """
    scores = np.zeros((len(examples), len(library.names)), np.float32)
    has = np.zeros(scores.shape, np.bool_)
    for row, track_id in enumerate(examples.tracks.track_ids):
        if (known := library.rows.get(track_id)) is not None:
            scores[row], has[row] = library.scores.scores[known], library.scores.has[known]
    return TagEvidence(library.names, scores, has, _differences(library, predicted))


def _differences(library: LibraryTags, predicted: Mapping[TrackId, float]) -> Floats64:
    """Return the mean prediction of each tag minus that of all, `[tags]`; NaN if there is none."""
    known = [track_id for track_id in library.rows if track_id in predicted]
    means = np.array([predicted[track_id] for track_id in known], np.float64)
    has = library.scores.has[[library.rows[track_id] for track_id in known]]
    counts = has.sum(axis=0)
    differences = np.full(len(library.names), np.nan)
    if known:
        np.divide(has.T @ (means - means.mean()), counts, out=differences, where=counts > 0)
    return differences
