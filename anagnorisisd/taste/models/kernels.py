"""The covariance of ratings: a weighted sum of kernels over sound and metadata.

Each kernel is at most 1, and 1 for a track with itself; only the cosine can be negative. An unknown
artist is equal to no other.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from anagnorisisd.domain.evaluator import Floats64
from anagnorisisd.taste.models.inputs import TRAITS, Inputs

PARTS = ("audio", "direction", *TRAITS, "year")
"""The kernels: RBF and cosine of the embedding, equality of each trait, RBF of the year."""

YEAR_LENGTH_SCALE = 6.0
"""In years: the kernel falls to 0.6 at this distance."""

Matrix = NDArray[Any]
"""float32 over a library, float64 where a linear system is solved."""


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """Variance of each kernel, noise variance, and length scale of the RBF kernel.

    `variances`, one for each of `PARTS`, and `noise` are in rating points squared; `length_scale`
    is the distance of standardised sounds at which the RBF kernel falls to 0.6.
    """

    variances: Floats64
    noise: float
    length_scale: float


@dataclass(frozen=True, slots=True)
class CodeTable:
    """Lookup table of one trait of `m` examples: codes, `[g]` ascending, and owners, `[g + 1, m]`.

    The last row is empty, for codes that no example has.
    """

    codes: NDArray[np.int64]
    owners: NDArray[np.bool_]

    @classmethod
    def of(cls, codes: NDArray[np.int64]) -> Self:
        """Return the table of the codes, `[m]`, of one trait; 0 is no code."""
        known = np.unique(codes[codes != 0])
        empty_row = np.zeros((1, len(codes)), np.bool_)
        return cls(known, np.concatenate([known[:, None] == codes, empty_row]))

    def rows(self, codes: NDArray[np.int64]) -> NDArray[np.intp]:
        """Return the row of the table for each of `codes`."""
        if not len(self.codes):
            return np.zeros(len(codes), np.intp)
        found = np.searchsorted(self.codes, codes)
        found[self.codes[np.minimum(found, len(self.codes) - 1)] != codes] = len(self.codes)
        return found


@dataclass(frozen=True, slots=True)
class CrossCovariance:
    """The covariance of any tracks with `m` examples.

    Made for comparing a whole library with the same examples: one matrix product serves both
    kernels of the sound, codes are looked up in a table, each year is computed once.
    """

    examples: Inputs
    params: Hyperparameters
    tables: tuple[CodeTable, ...]

    @classmethod
    def of(cls, examples: Inputs, params: Hyperparameters) -> Self:
        """Build the lookup tables of `examples`."""
        tables = (CodeTable.of(examples.codes[:, column]) for column in range(len(TRAITS)))
        return cls(examples, params, tuple(tables))

    def matrix(self, tracks: Inputs) -> Matrix:
        """Return the covariances of `tracks` with the examples, `[n, m]`, float32."""
        components = self.components(tracks)
        rbf, total = next(components), next(components)
        total += rbf
        for component in components:
            total += component
        return total

    def components(self, tracks: Inputs) -> Iterator[Matrix]:
        """Yield the weighted kernels, `[n, m]` each, float32, in the order of `PARTS`.

        Memory is reused: the first two arrays are valid until the third is requested, every later
        one until the next.
        """
        variances = self.params.variances.astype(np.float32)
        inner: Matrix = tracks.sound @ self.examples.sound.T
        cosine = inner * (inverse_norms(self.examples) * variances[1])
        cosine *= inverse_norms(tracks)[:, None]
        yield self._rbf(inner, tracks)
        yield cosine
        for table, variance, codes in zip(
            self.tables, variances[2:-1], tracks.codes.T, strict=True
        ):
            yield np.multiply(table.owners[table.rows(codes)], variance, out=inner)
        years, rows = np.unique(tracks.year, return_inverse=True)
        yield (variances[-1] * year_kernel(years, self.examples.year))[rows]

    def _rbf(self, inner: Matrix, tracks: Inputs) -> Matrix:
        """Turn inner products into the weighted RBF kernel, in place."""
        precision = 1 / self.params.length_scale**2
        # The variance is added to the exponent, which saves one pass over the matrix.
        highest = np.float32(np.log(self.params.variances[0]))
        inner *= np.float32(precision)
        inner += (highest - 0.5 * precision * squared_norms(tracks)).astype(np.float32)[:, None]
        inner -= (0.5 * precision * squared_norms(self.examples)).astype(np.float32)
        np.minimum(inner, highest, out=inner)
        kernel: Matrix = np.exp(inner, out=inner)
        return kernel


def covariance_matrix(inputs: Inputs, params: Hyperparameters) -> Matrix:
    """Return the covariances of tracks with each other, `[n, n]`, float64.

    The diagonal is the full variance, also where artist or year is unknown.
    """
    total: Matrix = CrossCovariance.of(inputs, params).matrix(inputs).astype(np.float64)
    np.fill_diagonal(total, params.variances.sum())
    return total


def squared_norms(inputs: Inputs) -> Matrix:
    """Return the squared norms of the sounds, `[n]`, float32."""
    norms: Matrix = np.einsum("ij,ij->i", inputs.sound, inputs.sound)
    return norms


def inverse_norms(inputs: Inputs) -> Matrix:
    """Return one over the norms of the sounds, `[n]`; 0 for a sound of zeros."""
    norms = np.sqrt(squared_norms(inputs))
    return np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0)


def squared_distances(left: Inputs, right: Inputs) -> Matrix:
    """Return the squared distances of the sounds, `[n, m]`, float32."""
    squared: Matrix = left.sound @ right.sound.T
    squared *= -2.0
    squared += squared_norms(left)[:, None]
    squared += squared_norms(right)
    np.maximum(squared, 0.0, out=squared)
    return squared


def year_kernel(left: Floats64, right: Floats64) -> Matrix:
    """Return the RBF kernel of years, `[n, m]`, float32; 0 if either is unknown."""
    difference = (left[:, None] - right).astype(np.float32)
    kernel: Matrix = np.nan_to_num(np.exp(-0.5 * (difference / YEAR_LENGTH_SCALE) ** 2), nan=0.0)
    return kernel
