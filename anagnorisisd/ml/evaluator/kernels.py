"""How alike two tracks are, part by part; a covariance is a weighted sum of these parts.

Each part is between 0 and 1, and 1 for a track with itself. An unknown artist is taken to be
one of whom nothing else is known, so it is like no other.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from anagnorisisd.domain.evaluation import Floats64
from anagnorisisd.ml.evaluator.inputs import TRAITS, Inputs

PARTS = ("sound", *TRAITS, "year")
YEARS_ALIKE = 6.0
"""Tracks this many years apart are alike by 0.6."""

Matrix = NDArray[Any]
"""Of float32 over a library, of float64 where it is to be solved."""


def squared_distances(left: Inputs, right: Inputs) -> Matrix:
    """Return the squared distances of the sounds, `[n, m]`, float32."""
    a, b = left.sound, right.sound
    squared = a @ b.T
    squared *= -2.0
    squared += np.einsum("ij,ij->i", a, a)[:, None]
    squared += np.einsum("ij,ij->i", b, b)
    np.maximum(squared, 0.0, out=squared)
    return squared


def sound(squared: Matrix, reach: float) -> Matrix:
    """Return the likeness by sound, `[n, m]`: Gaussian in the distance."""
    likeness: Matrix = np.exp(squared * (-0.5 / reach**2))
    return likeness


def metadata(left: Inputs, right: Inputs) -> list[Matrix]:
    """Return the likeness by each trait and by year, `[n, m]` each, float32."""
    parts = [_same(left.codes[:, trait], right.codes[:, trait]) for trait in range(len(TRAITS))]
    return [*parts, _near(left.year, right.year)]


def _same(left: NDArray[np.int64], right: NDArray[np.int64]) -> Matrix:
    same = left[:, None] == right
    same &= (left != 0)[:, None]
    likeness: Matrix = same.astype(np.float32)
    return likeness


def _near(left: Floats64, right: Floats64) -> Matrix:
    apart = (left[:, None] - right).astype(np.float32)
    likeness: Matrix = np.nan_to_num(np.exp(-0.5 * (apart / YEARS_ALIKE) ** 2), nan=0.0)
    return likeness
