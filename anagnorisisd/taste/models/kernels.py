"""The covariance of ratings: a weighted sum of kernels over sound and metadata.

Each segment of the sound has an RBF kernel, with a length scale of its own, and a linear one, so
that the ratings decide which segment matters, and how fine its differences are. The other kernels
are 1 for equal traits and at most 1 for years. An unknown artist is equal to no other.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from anagnorisisd.domain.evaluator import Floats64, Vectors
from anagnorisisd.taste.models.inputs import TRAITS, Inputs

PARTS = ("audio", *TRAITS, "year")
"""What a prediction is made of: all kernels of the sound, equality of each trait, the year."""

SOUND_KERNELS = 2
"""Kernels of a segment, in this order: linear and RBF."""

YEAR_LENGTH_SCALE = 6.0
"""In years: the kernel falls to 0.6 at this distance."""

Matrix = NDArray[Any]
"""float32 over a library, float64 where a linear system is solved."""


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """Variance of each kernel, noise variance, and length scales of the RBF kernels.

    `variances` and `noise` are in rating points squared: `SOUND_KERNELS` for each of `s` segments,
    then one for each trait and one for the year. `length_scales`, `[s]`, are the distances of
    standardised sounds at which the RBF kernels fall to 0.6.
    """

    variances: Floats64
    noise: float
    length_scales: Floats64

    @property
    def sound_variances(self) -> Floats64:
        """Variances of the kernels of each segment, `[s, SOUND_KERNELS]`."""
        count = SOUND_KERNELS * len(self.length_scales)
        return self.variances[:count].reshape(-1, SOUND_KERNELS)

    @property
    def other_variances(self) -> Floats64:
        """Variances of the traits and of the year, `[len(TRAITS) + 1]`."""
        return self.variances[SOUND_KERNELS * len(self.length_scales) :]


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
    kernels of a segment, codes are looked up in a table, each year is computed once.
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
        total: Matrix = np.zeros((len(tracks), len(self.examples)), np.float32)
        for component in self.components(tracks):
            total += component
        return total

    def components(self, tracks: Inputs) -> Iterator[Matrix]:
        """Yield the weighted kernels, `[n, m]` each, float32, in the order of the variances.

        Memory is reused: an array is valid until the next one is requested.
        """
        variances = self.params.other_variances.astype(np.float32)
        buffer: Matrix = np.empty((len(tracks), len(self.examples)), np.float32)
        for sound, other, (linear, rbf), length_scale in zip(
            tracks.sounds(),
            self.examples.sounds(),
            self.params.sound_variances,
            self.params.length_scales,
            strict=True,
        ):
            inner: Matrix = sound @ other.T
            yield np.multiply(inner, np.float32(linear), out=buffer)
            yield _rbf(inner, squared_norms(sound), squared_norms(other), rbf, length_scale)
        for table, variance, codes in zip(self.tables, variances[:-1], tracks.codes.T, strict=True):
            yield np.multiply(table.owners[table.rows(codes)], variance, out=buffer)
        years, rows = np.unique(tracks.year, return_inverse=True)
        yield (variances[-1] * year_kernel(years, self.examples.year))[rows]


def _rbf(
    inner: Matrix, left: Matrix, right: Matrix, variance: float, length_scale: float
) -> Matrix:
    """Turn inner products into the weighted RBF kernel, in place, given the squared norms."""
    precision = 1 / length_scale**2
    # The variance is added to the exponent, which saves one pass over the matrix.
    highest = np.float32(np.log(variance))
    inner *= np.float32(precision)
    inner += (highest - 0.5 * precision * left).astype(np.float32)[:, None]
    inner -= (0.5 * precision * right).astype(np.float32)
    np.minimum(inner, highest, out=inner)
    kernel: Matrix = np.exp(inner, out=inner)
    return kernel


def prior_variances(inputs: Inputs, params: Hyperparameters) -> Floats64:
    """Return the variance of each track's rating before any is known, without noise, `[n]`.

    Unknown artists and years have variance, too. That of the linear kernels grows with the distance
    from the library's mean.
    """
    total: Floats64 = np.full(len(inputs), params.other_variances.sum())
    for sound, (linear, rbf) in zip(inputs.sounds(), params.sound_variances, strict=True):
        total += linear * squared_norms(sound) + rbf
    return total


def covariance_matrix(inputs: Inputs, params: Hyperparameters) -> Matrix:
    """Return the covariances of tracks with each other, `[n, n]`, float64.

    The diagonal has the `prior_variances`.
    """
    total: Matrix = CrossCovariance.of(inputs, params).matrix(inputs).astype(np.float64)
    np.fill_diagonal(total, prior_variances(inputs, params))
    return total


def squared_norms(sound: Vectors) -> Matrix:
    """Return the squared norms of sounds, `[n]`, float32."""
    norms: Matrix = np.einsum("ij,ij->i", sound, sound)
    return norms


def squared_distances(left: Vectors, right: Vectors) -> Matrix:
    """Return the squared distances of sounds, `[n, m]`, float32."""
    squared: Matrix = left @ right.T
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
