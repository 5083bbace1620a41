"""How good a candidate is on ratings that it has not seen.

Repeated K-fold cross-validation: every rating is held out once in each repeat. The splits
depend on the number of examples and the seed alone, so that whatever is compared with the same
seed is compared on the same splits.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from anagnorisisd.domain.evaluation import Floats64
from anagnorisisd.taste.models.features import Examples
from anagnorisisd.taste.models.model_protocol import Model, Settings
from anagnorisisd.taste.models.prediction import Predictions

FOLDS = 5
REPEATS = 3
FITS = 1000
"""Fewer repeats once this many examples are held out anyway."""

Rows = NDArray[np.intp]


def splits(count: int, seed: int) -> Iterator[tuple[Rows, Rows]]:
    """Yield the rows to train on and the rows held out, for each fold of each repeat."""
    rng = np.random.default_rng(seed)
    for _ in range(repeats(count)):
        order = rng.permutation(count)
        for held in np.array_split(order, min(FOLDS, count)):
            yield np.setdiff1d(order, held), np.sort(held)


def held_counts(count: int) -> list[int]:
    """Return how many examples each fold of each repeat holds out, in the order of `splits`."""
    return [len(held) for _, held in splits(count, 0)]  # sizes do not depend on the seed


def repeats(count: int) -> int:
    """Return how many times `count` examples are split: more often the fewer they are."""
    return max(1, min(REPEATS, FITS // max(1, count)))


def held_out(
    candidate: Model, examples: Examples, seed: int, settings: Settings | None = None
) -> Predictions:
    """Return what the candidate says of each held-out example, `[repeats x n]`, in split order.

    Without `settings` they are searched anew in each fold, from what that fold may see. A
    held-out track counts as never heard, as new music is.
    """
    rng = np.random.default_rng([seed, 1])
    opinions = []
    for train, held in splits(len(examples), seed):
        seen = examples.take(train)
        known = candidate.search(seen, rng) if settings is None else settings
        opinions.append(candidate.fit(known, seen).predict(examples.inputs.take(held)))
    return Predictions(
        np.concatenate([each.mean for each in opinions]),
        np.concatenate([each.stddev for each in opinions]),
    )


def held_out_ratings(examples: Examples, seed: int) -> Floats64:
    """Return the ratings that `held_out` speaks of, in the same order."""
    return np.concatenate([examples.ratings[held] for _, held in splits(len(examples), seed)])
