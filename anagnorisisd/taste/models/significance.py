"""How uncertain a difference between two models is after repeated cross-validation.

Each repeat holds out the same ratings again, and folds share most of what they train on, so that
errors on held-out ratings are not independent, and the usual standard error is too small. Nadeau
and Bengio's corrected resampled variance is that of the means of the `J`
folds, times `1 / J + n_held / n_train` instead of `1 / J`.

C. Nadeau and Y. Bengio, Inference for the generalization error, Machine Learning 52, 2003; for
repeated K-fold cross-validation R. Bouckaert and E. Frank, Evaluating the replicability of
significance tests for comparing learning algorithms, PAKDD 2004.
"""

import math
from collections.abc import Sequence

import numpy as np

from anagnorisisd.domain.evaluator import Floats64


def standard_error(differences: Floats64, fold_sizes: Sequence[int], count: int) -> float:
    """Return the standard error of the mean of `differences`, `[repeats x n]` in split order.

    `fold_sizes` has the number of ratings held out in each fold of each repeat, 2 folds or more;
    `count` is the number of ratings in all.
    """
    starts = np.cumsum([0, *fold_sizes[:-1]])
    means = np.add.reduceat(differences, starts) / np.asarray(fold_sizes)
    ratio = float(np.mean([size / (count - size) for size in fold_sizes]))
    return math.sqrt((1 / len(fold_sizes) + ratio) * float(np.var(means, ddof=1)))
