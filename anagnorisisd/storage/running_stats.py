"""Mean and standard deviation of vectors that are never all in memory at once."""

import numpy as np

from anagnorisisd.domain.evaluator import FeatureStats, Vectors


class RunningStats:
    """Merges the moments of pages pairwise (Chan, Golub and LeVeque 1979), in double precision.

    Sums of squares would cancel where the mean is large against the deviation; this does not.
    """

    def __init__(self, dimension: int) -> None:
        self._count = 0
        self._mean = np.zeros(dimension)
        self._squares = np.zeros(dimension)

    def add(self, page: Vectors) -> None:
        """Take vectors in, `[n, dimension]` with n at least 1."""
        values = page.astype(np.float64)
        count = self._count + len(values)
        mean = values.mean(axis=0)
        apart = mean - self._mean
        self._squares += ((values - mean) ** 2).sum(axis=0)
        self._squares += apart**2 * (self._count * len(values) / count)
        self._mean += apart * (len(values) / count)
        self._count = count

    def result(self) -> FeatureStats:
        """Return the moments of all vectors so far; zeros when there were none."""
        deviation = np.sqrt(self._squares / max(1, self._count))
        return FeatureStats(
            self._mean.astype(np.float32), deviation.astype(np.float32), count=self._count
        )
