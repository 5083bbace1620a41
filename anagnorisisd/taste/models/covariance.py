"""How much two ratings have to do with each other: the parts of likeness, weighed."""

from collections.abc import Iterator

import numpy as np

from anagnorisisd.taste.models import kernels
from anagnorisisd.taste.models.features import Inputs
from anagnorisisd.taste.models.hyperparameters import Hyperparameters
from anagnorisisd.taste.models.kernels import Matrix


def parts(left: Inputs, right: Inputs, knobs: Hyperparameters) -> Iterator[Matrix]:
    """Yield the summands, `[n, m]` each, float32, in the order of `kernels.PARTS`."""
    near, along, *others = knobs.variances.astype(np.float32)
    yield near * kernels.sound(kernels.squared_distances(left, right), knobs.reach)
    yield along * kernels.direction(left, right)
    for variance, part in zip(others, kernels.metadata(left, right), strict=True):
        yield np.multiply(part, variance, out=part)


def between(left: Inputs, right: Inputs, knobs: Hyperparameters) -> Matrix:
    """Return the covariances of tracks with other tracks, `[n, m]`, float32."""
    summands = parts(left, right, knobs)
    total = next(summands)
    for part in summands:
        total += part
    return total


def among(inputs: Inputs, knobs: Hyperparameters) -> Matrix:
    """Return the covariances of tracks with each other, `[n, n]`, float64.

    A track is wholly like itself, also where its artist or year is unknown.
    """
    total: Matrix = between(inputs, inputs, knobs).astype(np.float64)
    np.fill_diagonal(total, knobs.variances.sum())
    return total
