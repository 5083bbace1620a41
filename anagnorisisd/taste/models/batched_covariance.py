"""Whole libraries compared with the same examples: `covariance.between`, many times quicker.

One product of matrices serves both parts of the sound. Traits become a table of which examples
have which code, from which the rows of a library are gathered, and years one row for each year
that occurs. What is left is done a few hundred tracks at a time, which fit the processor's cache,
on all its cores.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import blas

from anagnorisisd.domain.evaluation import Floats64
from anagnorisisd.taste.models import kernels, parallel
from anagnorisisd.taste.models.features import TRAITS, Inputs
from anagnorisisd.taste.models.hyperparameters import Hyperparameters
from anagnorisisd.taste.models.kernels import Matrix

ROWS = 512


@dataclass(frozen=True, slots=True)
class Trait:
    """The codes, `[g]` ascending, of one trait of `m` examples, and who has them, `[g + 1, m]`.

    Nobody has the last one.
    """

    codes: NDArray[np.int64]
    owners: NDArray[np.bool_]

    @classmethod
    def of(cls, codes: NDArray[np.int64]) -> Self:
        """Return the table of the codes, `[m]`, of one trait."""
        known = np.unique(codes[codes != 0])
        nobody = np.zeros((1, len(codes)), np.bool_)
        return cls(known, np.concatenate([known[:, None] == codes, nobody]))

    def rows(self, codes: NDArray[np.int64]) -> NDArray[np.intp]:
        """Return the row of the table for each of `codes`."""
        if not len(self.codes):
            return np.zeros(len(codes), np.intp)
        found = np.searchsorted(self.codes, codes)
        found[self.codes[np.minimum(found, len(self.codes) - 1)] != codes] = len(self.codes)
        return found


@dataclass(frozen=True, slots=True)
class BatchedCovariance:
    """`m` examples, made ready to be compared with many tracks."""

    examples: Inputs
    knobs: Hyperparameters
    traits: tuple[Trait, ...]

    @classmethod
    def to(cls, examples: Inputs, knobs: Hyperparameters) -> Self:
        """Make `examples` ready."""
        traits = (Trait.of(examples.codes[:, place]) for place in range(len(TRAITS)))
        return cls(examples, knobs, tuple(traits))

    def rows(self, tracks: Inputs) -> Matrix:
        """Return the covariances of `tracks` with the examples, `[n, m]`, float32."""
        along, variances = self.knobs.variances[1], self.knobs.variances[2:].astype(np.float32)
        inner = kernels.products(tracks, self.examples)
        total = inner * (kernels.inverse_lengths(self.examples) * np.float32(along))
        total *= kernels.inverse_lengths(tracks)[:, None]
        total += self._near(inner, tracks)
        part = inner  # its memory serves again
        for trait, variance, codes in zip(self.traits, variances, tracks.codes.T, strict=False):
            np.multiply(trait.owners[trait.rows(codes)], variance, out=part)
            total += part
        years, places = np.unique(tracks.year, return_inverse=True)
        total += (variances[-1] * kernels.near(years, self.examples.year))[places]
        return total

    def _near(self, inner: Matrix, tracks: Inputs) -> Matrix:
        """Turn inner products into what near sounds have in common."""
        narrow = 1 / self.knobs.reach**2
        # The variance goes into the exponent, which costs nothing.
        highest = np.float32(np.log(self.knobs.variances[0]))
        inner *= np.float32(narrow)
        inner += (highest - 0.5 * narrow * kernels.squares(tracks)).astype(np.float32)[:, None]
        inner -= (0.5 * narrow * kernels.squares(self.examples)).astype(np.float32)
        np.minimum(inner, highest, out=inner)
        near: Matrix = np.exp(inner, out=inner)
        return near


def posterior(
    comparison: BatchedCovariance, tracks: Inputs, pull: Floats64, inverse_root: Matrix
) -> tuple[Floats64, Floats64]:
    """Return by how much tracks are expected above the mean, and how much is explained, `[n]` each.

    `inverse_root`, `[m, m]` float32, is the lower triangular inverse of the root of the examples'
    covariance; Fortran's order spares a copy.
    """

    def some(rows: slice) -> tuple[Floats64, Floats64]:
        likeness = comparison.rows(tracks.take(rows))
        expected: Floats64 = likeness @ pull
        # Half the work of a full product, since half of the root is empty.
        seen = blas.strmm(1.0, inverse_root, likeness.T, lower=True, overwrite_b=True)
        return expected, np.einsum("ij,ij->j", seen, seen).astype(np.float64)

    expected, explained = zip(*parallel.each(some, len(tracks), ROWS), strict=True)
    return np.concatenate(expected), np.concatenate(explained)
