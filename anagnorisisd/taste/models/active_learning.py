"""Which tracks to rate next, for a listener who wants to teach much in little time.

A rating teaches about its own track and, through the covariances, about all that are like it.
Each next track is the one whose rating would take the most variance away from all, given that
those before it are rated (Cohn, Ghahramani and Jordan, Active Learning with Statistical Models).
"""

import numpy as np

from anagnorisisd.taste.models.kernels import Matrix


def most_telling(unexplained: Matrix, noise: float, count: int) -> list[int]:
    """Return up to `count` rows of `unexplained` covariances, `[n, n]`, in the order to rate them.

    `noise` is the variance of a rating of the same track on another day.
    """
    left = unexplained.copy()
    rows: list[int] = []
    for _ in range(min(count, len(left))):
        gain = _gain(left, noise)
        gain[rows] = -np.inf
        rows.append(int(np.argmax(gain)))
        learnt = left[rows[-1]].copy()
        left -= np.outer(learnt, learnt) / (learnt[rows[-1]] + noise)
    return rows


def _gain(unexplained: Matrix, noise: float) -> Matrix:
    """Return by how much a rating of each track, `[n]`, would lower the variance of all."""
    lowered = np.einsum("ij,ij->i", unexplained, unexplained)
    gain: Matrix = lowered / (np.diag(unexplained) + noise)
    return gain
