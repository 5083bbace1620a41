"""Kernels over sound and metadata; a covariance is their weighted sum.

Each kernel is at most 1, and 1 for a track with itself; only the cosine can be negative. An
unknown artist equals no other.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from anagnorisisd.domain.evaluator import Floats64
from anagnorisisd.taste.models.features import TRAITS, Inputs

PARTS = ("audio", "direction", *TRAITS, "year")
YEAR_LENGTH_SCALE = 6.0
"""In years: the kernel falls to 0.6 at this distance."""

Matrix = NDArray[Any]
"""float32 over a library, float64 where a system is solved."""


def inner_products(left: Inputs, right: Inputs) -> Matrix:
    """Return the inner products of the sounds, `[n, m]`, float32."""
    inner: Matrix = left.sound @ right.sound.T
    return inner


def squared_norms(inputs: Inputs) -> Matrix:
    """Return the squared lengths of the sounds, `[n]`, float32."""
    lengths: Matrix = np.einsum("ij,ij->i", inputs.sound, inputs.sound)
    return lengths


def squared_distances(left: Inputs, right: Inputs) -> Matrix:
    """Return the squared distances of the sounds, `[n, m]`, float32."""
    squared = inner_products(left, right)
    squared *= -2.0
    squared += squared_norms(left)[:, None]
    squared += squared_norms(right)
    np.maximum(squared, 0.0, out=squared)
    return squared


def rbf(squared: Matrix, length_scale: float) -> Matrix:
    """Return the RBF kernel of the sounds, `[n, m]`, from squared distances."""
    kernel: Matrix = np.exp(squared * (-0.5 / length_scale**2))
    return kernel


def cosine(left: Inputs, right: Inputs) -> Matrix:
    """Return the cosine of the sounds, `[n, m]`: the linear part of taste."""
    product = inner_products(left, right)
    product *= inverse_norms(left)[:, None]
    product *= inverse_norms(right)
    return product


def inverse_norms(inputs: Inputs) -> Matrix:
    """Return one over the lengths of the sounds, `[n]`; 0 where a sound is all 0."""
    lengths = np.sqrt(squared_norms(inputs))
    return np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)


def metadata_kernels(left: Inputs, right: Inputs) -> list[Matrix]:
    """Return the kernels of each trait and of the year, `[n, m]` each, float32."""
    parts = [
        _equal_codes(left.codes[:, trait], right.codes[:, trait]) for trait in range(len(TRAITS))
    ]
    return [*parts, year_kernel(left.year, right.year)]


def _equal_codes(left: NDArray[np.int64], right: NDArray[np.int64]) -> Matrix:
    same = left[:, None] == right
    same &= (left != 0)[:, None]
    kernel: Matrix = same.astype(np.float32)
    return kernel


def year_kernel(left: Floats64, right: Floats64) -> Matrix:
    """Return the RBF kernel of years, `[n, m]`, float32; 0 where either is unknown."""
    apart = (left[:, None] - right).astype(np.float32)
    kernel: Matrix = np.nan_to_num(np.exp(-0.5 * (apart / YEAR_LENGTH_SCALE) ** 2), nan=0.0)
    return kernel
