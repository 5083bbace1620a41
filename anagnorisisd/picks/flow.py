"""The flow factor: how alike a track sounds to the one before it, so that a session drifts.

    factor = e^(2 x flow x (min(z, 3) - 3))     z: similarity, standardised over all candidates

A track of average similarity has the factor 0.002 at full flow and one at z = 3 or more has 1.
Tracks without an embedding count as average, and after one without, all have the factor 1.
"""

import numpy as np

from anagnorisisd.domain.evaluator import Vectors
from anagnorisisd.domain.pick import Floats

STEEPNESS = 2.0
MOST_SIMILAR = 3.0
"""So many standard deviations above the mean, more similarity no longer counts: a second version
of a song would always follow the first."""


def flow_factor(vectors: Vectors, previous: int, flow: float) -> Floats | None:
    """Return the factor of each candidate, `[n]`, above 0, after the track of row `previous`.

    `vectors` are `[n, k]`, of length 1 or 0 where unknown. `None` if similarities are unknown or
    all alike.
    """
    if not vectors[previous].any():
        return None
    similarity = vectors @ vectors[previous]
    known = similarity != 0  # Where a vector is unknown, it is exactly 0.
    mean, deviation = similarity[known].mean(), similarity[known].std()
    if not deviation > 0:
        return None
    standardised = np.where(known, (similarity - mean) / deviation, np.float32(0))
    exponent = STEEPNESS * flow * (np.minimum(standardised, MOST_SIMILAR) - MOST_SIMILAR)
    # In single precision: it is several times as fast, and is only a factor.
    return np.asarray(np.exp(exponent, dtype=np.float32), np.float64)
