"""Predicted ratings. Imports little, since the daemon receives them from workers."""

from dataclasses import dataclass

import numpy as np

from anagnorisisd.domain.evaluator import Floats64
from anagnorisisd.domain.rating import HIGHEST, LOWEST


@dataclass(frozen=True, slots=True)
class Predictions:
    """Predicted ratings of `n` tracks: means within 0 to 10 and standard deviations, `[n]`."""

    mean: Floats64
    stddev: Floats64


def predictions(mean: Floats64, stddev: Floats64 | float) -> Predictions:
    """Return predicted ratings within the scale of ratings."""
    clipped = np.clip(mean, LOWEST, HIGHEST).astype(np.float64)
    return Predictions(clipped, np.broadcast_to(stddev, clipped.shape).astype(np.float64))
