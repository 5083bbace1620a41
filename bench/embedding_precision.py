"""Effect of reduced precision of embeddings on predicted ratings.

Every embedded window counts as a track. A simulated listener has a preference for one direction of
the precise embeddings, with a noise of one point. The evaluator is trained on half of the ratings,
once with the precise embeddings and once with the others, and predicts the other half.
"""

from dataclasses import dataclass

import numpy as np

from anagnorisisd.domain.evaluator import Floats64, TrackFeatures, Vectors
from anagnorisisd.domain.track import Tags, TrackId, Uri
from anagnorisisd.taste.models import cross_validation, model_selection, worker_tasks
from anagnorisisd.taste.models.inputs import prepare
from anagnorisisd.taste.models.model import Predictions
from bench.simulated_listeners import (
    PLACE_DIMENSIONS,
    Integers,
    Library,
    SimulatedListener,
    training_set,
)

LISTENERS = 16
LISTENER = SimulatedListener(style=0.0, direction=1.8, artist=0.0)


@dataclass(frozen=True, slots=True)
class Difference:
    """Effect of reduced precision.

    `worst_cosine` of the vectors, centred; predicted ratings in `points_apart` (root mean
    square) and the error on held-out ratings, as a ratio, with the standard error of that.
    """

    worst_cosine: float
    points_apart: float
    error_ratio: float
    ratio_deviation: float


def compare(vectors: Vectors, precise: Vectors) -> Difference:
    """Return what `vectors`, `[n, d]`, change against the `precise` ones of the same sounds."""
    judged = [_judge(vectors, precise, seed) for seed in range(LISTENERS)]
    apart = np.array([np.mean(np.square(each.mean - base.mean)) for each, base, _ in judged])
    errors = np.array(
        [
            [cross_validation.mean_absolute_error(one, ratings) for one in (each, base)]
            for each, base, ratings in judged
        ]
    )
    base = float(errors[:, 1].mean())
    lost = (errors[:, 0] - errors[:, 1]) / base
    return Difference(
        worst_cosine=float(cosines(vectors, precise).min()),
        points_apart=float(np.sqrt(apart.mean())),
        error_ratio=1 + float(lost.mean()),
        ratio_deviation=float(lost.std(ddof=1) / np.sqrt(LISTENERS)),
    )


def cosines(vectors: Vectors, wanted: Vectors) -> Floats64:
    """Return the cosine of each pair, `[n]`, each side centred over its own library.

    That is how vectors are used: a library holds those of one stamp, and whatever all of them
    have in common says nothing about any.
    """
    one, other = (each - each.mean(axis=0, dtype=np.float64) for each in (vectors, wanted))
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    found: Floats64 = (one * other).sum(axis=1) / lengths
    return found


def _judge(
    vectors: Vectors, precise: Vectors, seed: int
) -> tuple[Predictions, Predictions, Floats64]:
    """Return the opinions from both kinds of vectors on held-out ratings, and these ratings."""
    rng = np.random.default_rng(seed)
    ratings = LISTENER.rate(_library(precise, precise), rng)
    rated, held = np.array_split(rng.permutation(len(precise)), 2)
    one, other = (
        _opinion(_library(made, precise), ratings, rated, held) for made in (vectors, precise)
    )
    return one, other, ratings[held]


def _opinion(library: Library, ratings: Floats64, rated: Integers, held: Integers) -> Predictions:
    examples = worker_tasks.examples(training_set(library, rated, ratings))
    favourite = model_selection.DEFAULT
    fitted = favourite.fit(favourite.search(examples, np.random.default_rng(0)), examples)
    return fitted.predict(prepare(library.tracks, library.feature_stats).take(held))


def _library(vectors: Vectors, precise: Vectors) -> Library:
    """Return untagged tracks with `vectors`; what is heard of them is in the precise ones."""
    count = len(vectors)
    left, sizes, _ = np.linalg.svd(precise - precise.mean(axis=0), full_matrices=False)
    names = [f"{row:032x}" for row in range(count)]
    tracks = TrackFeatures(
        track_ids=[TrackId(name) for name in names],
        vectors=vectors,
        tags=[Tags()] * count,
        uris=[Uri(f"{name}/{name}") for name in names],
    )
    nothing = np.zeros(count, np.int64)
    return Library(tracks, (left * sizes)[:, :PLACE_DIMENSIONS], nothing, nothing)
