"""Projection of embeddings to the plane by principal components, for maps of the library.

Vectors are standardised as for the evaluator. The axes are fitted to a sample of the library; the
same axes then place every track.
"""

import numpy as np

from anagnorisisd.domain.evaluator import FeatureStats, Vectors
from anagnorisisd.taste.models.inputs import standardise

AXES = 2


def fit(vectors: Vectors, stats: FeatureStats) -> Vectors:
    """Return the directions of the largest variance of `vectors`, `[n, d]`, as `[d, 2]`.

    Their signs do not depend on the linear algebra library. Runs in a worker process.
    """
    standardised = standardise(vectors, stats).astype(np.float64)
    standardised -= standardised.mean(axis=0) if len(vectors) else 0.0
    _, directions = np.linalg.eigh(standardised.T @ standardised)
    axes = directions[:, ::-1][:, :AXES]
    largest = np.abs(axes).argmax(axis=0)
    axes = axes * np.sign(axes[largest, np.arange(axes.shape[1])])
    return np.pad(axes, ((0, 0), (0, AXES - axes.shape[1]))).astype(np.float32)


def project(vectors: Vectors, stats: FeatureStats, axes: Vectors) -> Vectors:
    """Return the positions of `vectors`, `[n, d]`, on the axes, `[n, 2]`."""
    return np.asarray(standardise(vectors, stats) @ axes, np.float32)
