"""A Gaussian process over sound and metadata.

The covariance of two tracks is a sum: so much for a like sound, so much for one that leans the
same way, for the same artist, album, folder, genre, and for near years. `likelihood` finds how
much each part counts.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from anagnorisisd.domain.evaluation import Floats64
from anagnorisisd.taste.models import covariance, hyperparameters
from anagnorisisd.taste.models.batched_covariance import BatchedCovariance, posterior
from anagnorisisd.taste.models.features import Examples, Inputs
from anagnorisisd.taste.models.hyperparameters import Hyperparameters
from anagnorisisd.taste.models.implicit_feedback import Evidence, evidence
from anagnorisisd.taste.models.kernels import Matrix
from anagnorisisd.taste.models.model_protocol import Settings, no_pulls, spread
from anagnorisisd.taste.models.prediction import Predictions, predictions

SEARCH_LIMIT = 500
"""The search looks at this many examples at most: more hardly move what it finds."""
FIT_LIMIT = 2000
"""A fit keeps this many examples at most: its cost grows with their cube."""


@dataclass(frozen=True, slots=True)
class FittedGaussianProcess:
    """The tracks learnt from, and what solving for their ratings gave.

    The first of them are the `rated` rows of `count` examples, the others were only heard.
    With `k` the covariances of a track with the examples, `k @ pull` is by how much the track is
    expected above the mean, and `|inverse_root @ k|^2` how much of its variance is explained.
    """

    inputs: Inputs
    rated: NDArray[np.intp]
    count: int
    knobs: Hyperparameters
    mean: float
    mean_variance: float
    pull: Floats64
    inverse_root: Matrix

    def predict(self, inputs: Inputs) -> Predictions:
        """Return the posterior of the rating of each track, the listener's noise included."""
        comparison = BatchedCovariance.to(self.inputs, self.knobs)
        above, explained = posterior(comparison, inputs, self.pull, self.inverse_root)
        # Rounding may explain a little more than there is.
        unexplained = np.maximum(self.knobs.variances.sum() - explained, 0.0)
        variance = unexplained + self.knobs.noise + self.mean_variance
        return predictions(self.mean + above, np.sqrt(variance))

    def unexplained(self, inputs: Inputs) -> Matrix:
        """Return what of the covariances of tracks with each other is left, `[n, n]`."""
        likeness = covariance.between(inputs, self.inputs, self.knobs)
        seen = likeness @ self.inverse_root.T
        left: Matrix = covariance.among(inputs, self.knobs) - seen @ seen.T
        return left

    def pulls(self, track: Inputs) -> Matrix:
        """Return by how much each example moved the prediction of one track, part by part."""
        parts = covariance.parts(track, self.inputs, self.knobs)
        pulls = no_pulls(self.count)
        pulls[:, self.rated] = (np.concatenate(list(parts)) * self.pull)[:, : len(self.rated)]
        return pulls

    def weights(self) -> Settings:
        """Return nothing: solving again is quick."""
        return {}


@dataclass(frozen=True, slots=True)
class GaussianProcess:
    """The Gaussian process on the ratings alone."""

    kind: str = "Gaussian process"

    def search(self, examples: Examples, rng: np.random.Generator) -> Settings:
        """Return the most likely settings."""
        scale = spread(examples.ratings)
        if len(examples) > SEARCH_LIMIT:
            examples = examples.take(rng.choice(len(examples), SEARCH_LIMIT, replace=False))
        return hyperparameters.maximum_a_posteriori(examples, scale).as_settings()

    def fit(self, settings: Settings, examples: Examples) -> FittedGaussianProcess:
        """Solve for the ratings of `examples`."""
        return solved(Hyperparameters.from_settings(settings), examples, None)

    def restore(
        self, settings: Settings, examples: Examples, weights: Settings
    ) -> FittedGaussianProcess:
        """Solve again."""
        return self.fit(settings, examples)


@dataclass(frozen=True, slots=True)
class GaussianProcessWithPlays(GaussianProcess):
    """The Gaussian process on ratings and, as far as they go with them, on plays and skips."""

    kind: str = "Gaussian process with plays"

    def fit(self, settings: Settings, examples: Examples) -> FittedGaussianProcess:
        """Solve for the ratings, and for those that heard tracks might have been given."""
        return solved(Hyperparameters.from_settings(settings), examples, evidence(examples))


def solved(
    knobs: Hyperparameters, examples: Examples, weak: Evidence | None
) -> FittedGaussianProcess:
    """Return the process that explains the ratings, and the weak evidence if there is any."""
    # Of too many ratings the newest count.
    rated = np.sort(np.argsort(examples.rated_at, kind="stable")[-FIT_LIMIT:])
    inputs, ratings = examples.inputs.take(rated), examples.ratings[rated]
    mean = float(ratings.mean())
    noise = np.full(len(ratings), knobs.noise)
    if weak is not None:
        inputs = inputs.joined(weak.inputs)
        ratings = np.concatenate([ratings, weak.ratings])
        noise = np.concatenate([noise, np.full(len(weak.ratings), knobs.noise + weak.doubt)])
    noisy = covariance.among(inputs, knobs) + np.diag(noise)
    root = linalg.cholesky(noisy, lower=True, overwrite_a=True, check_finite=False)
    pull = linalg.cho_solve((root, True), ratings - mean, check_finite=False)
    inverse_root = linalg.solve_triangular(
        root, np.eye(len(inputs)), lower=True, overwrite_b=True, check_finite=False
    )
    return FittedGaussianProcess(
        inputs=inputs,
        rated=rated,
        count=len(examples),
        knobs=knobs,
        mean=mean,
        mean_variance=spread(examples.ratings) / len(examples),
        pull=pull,
        inverse_root=inverse_root.astype(np.float32, order="F"),
    )
