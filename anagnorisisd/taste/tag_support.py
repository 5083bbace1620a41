"""Which sound tags go with a listener's ratings: "likes jazz; dislikes metal".

A tag is stated if all of these hold:

| condition                                                                                      |
|------------------------------------------------------------------------------------------------|
| at least `MIN_TRACKS` rated tracks of at least `MIN_GROUPS` artists have it                     |
| the ratings of all artists together go with it, more than chance explains (`supported_tags`)    |
| the evaluator's predictions of held-out ratings, made without these, go with it in the same way |
| over the whole library, tracks with it are predicted at least `MIN_DIFFERENCE` above or below   |
| the mean, again in the same way                                                                 |

Tracks of one artist are no independent evidence: who likes three artists that happen to play jazz
does not therefore like jazz. So chance is judged by artists, not by tracks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anagnorisisd.domain.artist_names import key
from anagnorisisd.domain.evaluator import Floats64, TagPreference, TrackFeatures, TrainingSet

Bools = NDArray[np.bool_]
Groups = NDArray[np.intp]

MIN_TRACKS = 5
MIN_GROUPS = 3
MIN_DIFFERENCE = 0.3
"""In rating points; the difference of a listener who likes a tag is one to two points."""

SIGNIFICANCE = 0.03
"""Largest p-value of a stated tag.

The test is approximate: in simulations of ratings that do not depend on sound up to 4 % have a
p-value this small (`bench/tag_support.py`); at most 5 % are to give a statement.
"""
SIGN_FLIPS = 2000
CLIP_DEVIATIONS = 3.0
"""Limits the influence of one track that has a tag in the extreme."""


@dataclass(frozen=True, slots=True)
class TagEvidence:
    """The tags of the `n` rated tracks, and what is predicted of each tag over the library.

    `scores`, `[n, tags]`, are in standard deviations above the library's mean, `has`, `[n, tags]`,
    says which tracks have a tag, and `predicted_differences`, `[tags]`, are the mean predicted
    rating of the tracks with a tag minus that of all tracks, NaN where no track has it.
    """

    names: Sequence[str]
    scores: NDArray[np.float32]
    has: Bools
    predicted_differences: Floats64


def find(model: bytes, training: TrainingSet, evidence: TagEvidence) -> list[TagPreference]:
    """Return the tags that the listener likes or dislikes, the strongest first; a worker task.

    `model` is the serialised evaluator whose predictions are in `evidence`.

    Raises:
        EvaluatorUnreadable: `model` is damaged or of another version.
    """
    if not enough_evidence(evidence.has, groups_of(training.tracks)).any():
        return []
    return preferences(
        training.ratings,
        _held_out_predictions(model, training),
        groups_of(training.tracks),
        evidence,
    )


def preferences(
    ratings: Floats64, held_out: Floats64, groups: Groups, evidence: TagEvidence
) -> list[TagPreference]:
    """Return the stated tags, the largest predicted difference first.

    `ratings` and `held_out`, the predictions of these ratings made without them, are `[n]`.
    """
    tested = enough_evidence(evidence.has, groups)
    scores = np.clip(evidence.scores, -CLIP_DEVIATIONS, CLIP_DEVIATIONS).astype(np.float64)
    centred = scores - scores.mean(axis=0)
    foreseen = np.sign(centred.T @ (held_out - held_out.mean()))
    found = []
    for tag, direction in supported_tags(ratings, scores, groups, tested):
        predicted = direction * evidence.predicted_differences[tag]
        given = float(ratings[evidence.has[:, tag]].mean() - ratings.mean())
        if predicted >= MIN_DIFFERENCE and foreseen[tag] == direction == np.sign(given):
            found.append(
                TagPreference(
                    name=evidence.names[tag],
                    predicted_difference=float(evidence.predicted_differences[tag]),
                    rated_difference=given,
                    rated_tracks=int(evidence.has[:, tag].sum()),
                )
            )
    return sorted(found, key=lambda tag: -abs(tag.predicted_difference))


def enough_evidence(has: Bools, groups: Groups) -> Bools:
    """Return the tags, `[tags]`, that enough rated tracks of enough artists have."""
    artists = np.array([len(np.unique(groups[column])) for column in has.T])
    enough: Bools = (has.sum(axis=0) >= MIN_TRACKS) & (artists >= MIN_GROUPS)
    return enough


def supported_tags(
    ratings: Floats64, scores: Floats64, groups: Groups, tested: Bools
) -> list[tuple[int, int]]:
    """Return the columns of `scores`, `[n, tags]`, that go with the ratings, and the signs.

    Forward selection: the tag that goes best with the ratings is taken if it passes the test, then
    the one that goes best with what it leaves unexplained, and so on; so of several tags for the
    same tracks only one is taken.

    The statistic of a tag is the sum over groups of the covariance of ratings and scores within
    each, divided by the root of the sum of their squares. Its distribution by chance is that after
    random changes of sign of whole groups; the largest over all tags is compared, so that testing
    many tags does not make a find more likely (Westfall and Young, Resampling-Based Multiple
    Testing, 1993; Cameron, Gelbach and Miller, Bootstrap-Based Improvements for Inference with
    Clustered Errors, 2008).
    """
    count = int(groups.max(initial=-1)) + 1
    signs = np.random.default_rng(len(ratings)).choice(
        np.array([-1.0, 1.0], np.float32), size=(SIGN_FLIPS, count)
    )
    open_tags, taken = tested.copy(), []
    explained = np.ones((len(ratings), 1))
    while open_tags.any():
        left = _residuals(np.column_stack([ratings, scores]), explained)
        sums = np.zeros((count, scores.shape[1]))
        np.add.at(sums, groups, left[:, :1] * left[:, 1:])
        length = np.sqrt(np.square(sums).sum(axis=0))
        usable = open_tags & (length > 1e-9 * max(1.0, length.max(initial=0.0)))
        if not usable.any():
            break
        sums = sums[:, usable] / length[usable]
        statistic = sums.sum(axis=0)
        by_chance = np.abs(signs @ sums.astype(np.float32)).max(axis=1)
        best = int(np.argmax(np.abs(statistic)))
        as_large = np.count_nonzero(by_chance >= abs(statistic[best]) - 1e-4)
        if (1 + as_large) / (1 + SIGN_FLIPS) > SIGNIFICANCE:
            break
        column = int(usable.nonzero()[0][best])
        taken.append((column, int(np.sign(statistic[best]))))
        open_tags[column] = False
        explained = np.column_stack([explained, scores[:, column]])
    return taken


def _residuals(values: Floats64, explained: Floats64) -> Floats64:
    """Return the columns of `values` without what a linear regression on `explained` explains."""
    basis, _ = np.linalg.qr(explained)
    residuals: Floats64 = values - basis @ (basis.T @ values)
    return residuals


def groups_of(tracks: TrackFeatures) -> Groups:
    """Return the number, `[n]`, of each track's artist, or folder where the tag is missing."""
    names = [
        f"artist {key(artist)}"
        if (artist := tags.artist or tags.album_artist)
        else f"folder {uri.rpartition('/')[0]}"
        for tags, uri in zip(tracks.tags, tracks.uris, strict=True)
    ]
    return np.asarray(np.unique(names, return_inverse=True)[1], np.intp)


def _held_out_predictions(model: bytes, training: TrainingSet) -> Floats64:
    """Return the prediction, `[n]`, of each rating by models that were fitted without it."""
    from anagnorisisd.taste.models import (
        cross_validation,
        model_selection,
        serialization,
        worker_tasks,
    )

    saved = serialization.load(model)
    seed = len(training)
    predicted = cross_validation.cross_val_predict(
        model_selection.model_of_kind(saved.kind),
        worker_tasks.examples(training),
        seed,
        settings=saved.settings,
    )
    rows = np.concatenate([held for _, held in cross_validation.splits(len(training), seed)])
    sums = np.bincount(rows, weights=predicted.mean, minlength=len(training))
    return np.asarray(sums / np.bincount(rows, minlength=len(training)), np.float64)
