"""How alike two tracks are, part by part; a covariance is a weighted sum of these parts.

Each part is 1 for a track with itself and never more; only the direction can be below 0, for
sounds that differ from the library's average in opposite ways. An unknown artist is taken to be
one of whom nothing else is known, so it is like no other.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from anagnorisisd.domain.evaluation import Floats64
from anagnorisisd.taste.models.features import TRAITS, Inputs

PARTS = ("sound", "direction", *TRAITS, "year")
YEARS_ALIKE = 6.0
"""Tracks this many years apart are alike by 0.6."""

Matrix = NDArray[Any]
"""Of float32 over a library, of float64 where it is to be solved."""


def products(left: Inputs, right: Inputs) -> Matrix:
    """Return the inner products of the sounds, `[n, m]`, float32."""
    inner: Matrix = left.sound @ right.sound.T
    return inner


def squares(inputs: Inputs) -> Matrix:
    """Return the squared lengths of the sounds, `[n]`, float32."""
    lengths: Matrix = np.einsum("ij,ij->i", inputs.sound, inputs.sound)
    return lengths


def squared_distances(left: Inputs, right: Inputs) -> Matrix:
    """Return the squared distances of the sounds, `[n, m]`, float32."""
    squared = products(left, right)
    squared *= -2.0
    squared += squares(left)[:, None]
    squared += squares(right)
    np.maximum(squared, 0.0, out=squared)
    return squared


def sound(squared: Matrix, reach: float) -> Matrix:
    """Return the likeness by sound, `[n, m]`: Gaussian in the distance."""
    likeness: Matrix = np.exp(squared * (-0.5 / reach**2))
    return likeness


def direction(left: Inputs, right: Inputs) -> Matrix:
    """Return the cosine of the sounds, `[n, m]`: what a straight-line liking goes by."""
    cosine = products(left, right)
    cosine *= inverse_lengths(left)[:, None]
    cosine *= inverse_lengths(right)
    return cosine


def inverse_lengths(inputs: Inputs) -> Matrix:
    """Return one over the lengths of the sounds, `[n]`; 0 where a sound is all 0."""
    lengths = np.sqrt(squares(inputs))
    return np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)


def metadata(left: Inputs, right: Inputs) -> list[Matrix]:
    """Return the likeness by each trait and by year, `[n, m]` each, float32."""
    parts = [_same(left.codes[:, trait], right.codes[:, trait]) for trait in range(len(TRAITS))]
    return [*parts, near(left.year, right.year)]


def _same(left: NDArray[np.int64], right: NDArray[np.int64]) -> Matrix:
    same = left[:, None] == right
    same &= (left != 0)[:, None]
    likeness: Matrix = same.astype(np.float32)
    return likeness


def near(left: Floats64, right: Floats64) -> Matrix:
    """Return the likeness of years, `[n, m]`, float32; 0 where either is unknown."""
    apart = (left[:, None] - right).astype(np.float32)
    likeness: Matrix = np.nan_to_num(np.exp(-0.5 * (apart / YEARS_ALIKE) ** 2), nan=0.0)
    return likeness
