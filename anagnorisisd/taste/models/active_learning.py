"""Active learning: which tracks to rate next.

Greedy selection: each next track is the one whose rating reduces the total posterior variance of
all tracks the most, given that those before it are rated (Cohn, Ghahramani and
Jordan, Active Learning with Statistical Models).
"""

import numpy as np

from anagnorisisd.taste.models.kernels import Matrix


def select_informative(covariance: Matrix, noise: float, count: int) -> list[int]:
    """Return up to `count` rows of the posterior `covariance`, `[n, n]`, in the order to rate them.

    `noise` is the variance of a rating of the same track on another day.
    """
    remaining = covariance.copy()
    rows: list[int] = []
    for _ in range(min(count, len(remaining))):
        reduction = _variance_reduction(remaining, noise)
        reduction[rows] = -np.inf
        rows.append(int(np.argmax(reduction)))
        column = remaining[rows[-1]].copy()
        remaining -= np.outer(column, column) / (column[rows[-1]] + noise)
    return rows


def _variance_reduction(covariance: Matrix, noise: float) -> Matrix:
    """Return the reduction of total variance by a rating of each track, `[n]`."""
    reduced = np.einsum("ij,ij->i", covariance, covariance)
    reduction: Matrix = reduced / (np.diag(covariance) + noise)
    return reduction
