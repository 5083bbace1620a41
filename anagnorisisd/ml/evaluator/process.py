"""A Gaussian process over sound and metadata.

The covariance of two tracks is a sum: so much for a like sound, so much for the same artist, the
same album, folder, genre, and for near years. `likelihood` finds how much each part counts.
"""

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from anagnorisisd.domain.evaluation import Floats64
from anagnorisisd.ml.evaluator import covariance, likelihood
from anagnorisisd.ml.evaluator.candidate import Opinion, Settings, opinion, spread
from anagnorisisd.ml.evaluator.inputs import Examples, Inputs
from anagnorisisd.ml.evaluator.kernels import Matrix
from anagnorisisd.ml.evaluator.likelihood import Knobs

SEARCH_LIMIT = 500
"""The search looks at this many examples at most: more hardly move what it finds."""
FIT_LIMIT = 2500
"""A fit keeps this many examples at most: its cost grows with their cube."""
PREDICT_ROWS = 2048


@dataclass(frozen=True, slots=True)
class FittedProcess:
    """The examples, and what solving for their ratings gave.

    With `k` the covariances of a track with the examples, `k @ pull` is by how much the track is
    expected above the mean, and `|inverse_root @ k|^2` how much of its variance is explained.
    """

    examples: Examples
    knobs: Knobs
    mean: float
    mean_variance: float
    pull: Floats64
    inverse_root: Matrix

    def predict(self, inputs: Inputs) -> Opinion:
        """Return the posterior of the rating of each track, the listener's noise included."""
        mean = np.empty(len(inputs))
        explained = np.empty(len(inputs))
        for start in range(0, len(inputs), PREDICT_ROWS):
            rows = np.arange(start, min(start + PREDICT_ROWS, len(inputs)))
            likeness = covariance.between(inputs.take(rows), self.examples.inputs, self.knobs)
            mean[rows] = likeness @ self.pull
            seen = likeness @ self.inverse_root.T
            explained[rows] = np.einsum("ij,ij->i", seen, seen)
        # Rounding may explain a little more than there is.
        unexplained = np.maximum(self.knobs.variances.sum() - explained, 0.0)
        variance = unexplained + self.knobs.noise + self.mean_variance
        return opinion(self.mean + mean, np.sqrt(variance))

    def unexplained(self, inputs: Inputs) -> Matrix:
        """Return what of the covariances of tracks with each other is left, `[n, n]`."""
        likeness = covariance.between(inputs, self.examples.inputs, self.knobs)
        seen = likeness @ self.inverse_root.T
        left: Matrix = covariance.among(inputs, self.knobs) - seen @ seen.T
        return left

    def pulls(self, track: Inputs) -> Matrix:
        """Return by how much each example moved the prediction of one track, part by part."""
        parts = covariance.parts(track, self.examples.inputs, self.knobs)
        return np.concatenate(list(parts)) * self.pull

    def weights(self) -> Settings:
        """Return nothing: solving again is quick."""
        return {}


@dataclass(frozen=True, slots=True)
class Process:
    """The Gaussian process; with more than `FIT_LIMIT` examples it keeps the newest."""

    kind: str = "process"

    def search(self, examples: Examples, rng: np.random.Generator) -> Settings:
        """Return the most likely settings."""
        scale = spread(examples.ratings)
        if len(examples) > SEARCH_LIMIT:
            examples = examples.take(rng.choice(len(examples), SEARCH_LIMIT, replace=False))
        return likelihood.most_likely(examples, scale).as_settings()

    def fit(self, settings: Settings, examples: Examples) -> FittedProcess:
        """Solve for the ratings of `examples`."""
        if len(examples) > FIT_LIMIT:
            examples = examples.take(np.argsort(examples.rated_at, kind="stable")[-FIT_LIMIT:])
        knobs = Knobs.from_settings(settings)
        mean = float(examples.ratings.mean())
        noisy = covariance.among(examples.inputs, knobs) + knobs.noise * np.eye(len(examples))
        root = linalg.cholesky(noisy, lower=True, overwrite_a=True, check_finite=False)
        pull = linalg.cho_solve((root, True), examples.ratings - mean, check_finite=False)
        inverse_root = linalg.solve_triangular(
            root, np.eye(len(examples)), lower=True, overwrite_b=True, check_finite=False
        )
        return FittedProcess(
            examples=examples,
            knobs=knobs,
            mean=mean,
            mean_variance=spread(examples.ratings) / len(examples),
            pull=pull,
            inverse_root=inverse_root.astype(np.float32),
        )

    def restore(self, settings: Settings, examples: Examples, weights: Settings) -> FittedProcess:
        """Solve again."""
        return self.fit(settings, examples)
