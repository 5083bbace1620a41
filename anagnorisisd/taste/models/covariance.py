"""Covariance of ratings: a weighted sum of kernels, as a plain formula and in batches.

`components`, `covariance` and `covariance_matrix` are the plain formula, for training and
explanations. `BatchedCovariance` computes `covariance` many times faster where a whole library is
compared with the same examples: one matrix product serves both audio kernels, codes become a
lookup table of the examples that share them, and each year that occurs is computed once. Batches
of a few hundred tracks fit the processor's cache and run on all cores.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import blas

from anagnorisisd.domain.evaluator import Floats64
from anagnorisisd.taste.models import kernels, parallel
from anagnorisisd.taste.models.features import TRAITS, Inputs
from anagnorisisd.taste.models.hyperparameters import Hyperparameters
from anagnorisisd.taste.models.kernels import Matrix

ROWS = 512


def components(left: Inputs, right: Inputs, params: Hyperparameters) -> Iterator[Matrix]:
    """Yield the summands, `[n, m]` each, float32, in the order of `kernels.PARTS`."""
    rbf_variance, cosine_variance, *others = params.variances.astype(np.float32)
    yield rbf_variance * kernels.rbf(kernels.squared_distances(left, right), params.length_scale)
    yield cosine_variance * kernels.cosine(left, right)
    for variance, part in zip(others, kernels.metadata_kernels(left, right), strict=True):
        yield np.multiply(part, variance, out=part)


def covariance(left: Inputs, right: Inputs, params: Hyperparameters) -> Matrix:
    """Return the covariances of tracks with other tracks, `[n, m]`, float32."""
    summands = components(left, right, params)
    total = next(summands)
    for part in summands:
        total += part
    return total


def covariance_matrix(inputs: Inputs, params: Hyperparameters) -> Matrix:
    """Return the covariances of tracks with each other, `[n, n]`, float64.

    The diagonal is the full variance, also where artist or year is unknown.
    """
    total: Matrix = covariance(inputs, inputs, params).astype(np.float64)
    np.fill_diagonal(total, params.variances.sum())
    return total


@dataclass(frozen=True, slots=True)
class Trait:
    """Lookup table of one trait of `m` examples: codes, `[g]` ascending, and owners, `[g + 1, m]`.

    The last row is empty, for codes that no example has.
    """

    codes: NDArray[np.int64]
    owners: NDArray[np.bool_]

    @classmethod
    def of(cls, codes: NDArray[np.int64]) -> Self:
        """Return the table of the codes, `[m]`, of one trait."""
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
class BatchedCovariance:
    """The covariance with `m` examples, computed for many tracks at once."""

    examples: Inputs
    params: Hyperparameters
    traits: tuple[Trait, ...]

    @classmethod
    def of(cls, examples: Inputs, params: Hyperparameters) -> Self:
        """Build the lookup tables of `examples`."""
        traits = (Trait.of(examples.codes[:, place]) for place in range(len(TRAITS)))
        return cls(examples, params, tuple(traits))

    def rows(self, tracks: Inputs) -> Matrix:
        """Return the covariances of `tracks` with the examples, `[n, m]`, float32."""
        cosine_variance, variances = (
            self.params.variances[1],
            self.params.variances[2:].astype(np.float32),
        )
        inner = kernels.inner_products(tracks, self.examples)
        total = inner * (kernels.inverse_norms(self.examples) * np.float32(cosine_variance))
        total *= kernels.inverse_norms(tracks)[:, None]
        total += self._rbf(inner, tracks)
        part = inner  # its memory serves again
        for trait, variance, codes in zip(self.traits, variances, tracks.codes.T, strict=False):
            np.multiply(trait.owners[trait.rows(codes)], variance, out=part)
            total += part
        years, places = np.unique(tracks.year, return_inverse=True)
        total += (variances[-1] * kernels.year_kernel(years, self.examples.year))[places]
        return total

    def _rbf(self, inner: Matrix, tracks: Inputs) -> Matrix:
        """Turn inner products into the weighted RBF kernel, in place."""
        precision = 1 / self.params.length_scale**2
        # The variance goes into the exponent, which costs nothing.
        highest = np.float32(np.log(self.params.variances[0]))
        inner *= np.float32(precision)
        inner += (highest - 0.5 * precision * kernels.squared_norms(tracks)).astype(np.float32)[
            :, None
        ]
        inner -= (0.5 * precision * kernels.squared_norms(self.examples)).astype(np.float32)
        np.minimum(inner, highest, out=inner)
        kernel: Matrix = np.exp(inner, out=inner)
        return kernel


def posterior(
    batched: BatchedCovariance, tracks: Inputs, alpha: Floats64, inverse_cholesky: Matrix
) -> tuple[Floats64, Floats64]:
    """Return the posterior mean above the prior mean and the explained variance, `[n]` each.

    `inverse_cholesky`, `[m, m]` float32, is the lower triangular inverse of the Cholesky factor of
    the examples' covariance, in Fortran order to avoid a copy.
    """

    def posterior_of(rows: slice) -> tuple[Floats64, Floats64]:
        cross_covariance = batched.rows(tracks.take(rows))
        expected: Floats64 = cross_covariance @ alpha
        # A triangular product does half the work of a full one.
        seen = blas.strmm(1.0, inverse_cholesky, cross_covariance.T, lower=True, overwrite_b=True)
        return expected, np.einsum("ij,ij->j", seen, seen).astype(np.float64)

    expected, explained = zip(*parallel.map_batches(posterior_of, len(tracks), ROWS), strict=True)
    return np.concatenate(expected), np.concatenate(explained)
