"""The weight of a track: how likely it is to be picked, before guards.

    rating_factor  = (max(0.1, R) / 10)²      R: rating, else predicted rating, else the mean
    skip_factor    = sigmoid((5 + full plays - skips) / 5)
    recency_factor = place by last play / number of tracks
    weight         = rating_factor x skip_factor x recency_factor
                     [x steering_factor] [x flow_factor]
    flow_factor    = e^(2 x flow x (min(z, 3) - 3))
                     z: similarity to the track before, standardised over all candidates

The steering factor counts only while the listener steers the picks, the flow factor only with
`picks.flow`. All functions work on whole columns, one row per track.
"""

from dataclasses import dataclass, replace
from random import Random

import numpy as np

from anagnorisisd.domain.evaluator import Vectors
from anagnorisisd.domain.pick import Candidates, Floats
from anagnorisisd.domain.rating import HIGHEST, LOWEST
from anagnorisisd.domain.steering import SteeringFactors

MIN_RATING = 0.1
"""Lower ratings count as this one, so that a track rated 0 is still picked now and then."""

MIN_SKIP_FACTOR = 1e-280
"""Reached after 3,200 skips. A weight of 0 would no longer depend on the other factors."""

MAX_TABLE_SIZE = 10_000
"""Up to so many different play-skip balances, the sigmoid is computed once for each of them."""

FLOW_STEEPNESS = 2.0
MAX_SIMILARITY_Z = 3.0
"""Above so many standard deviations from the mean, more similarity no longer counts: a second
version of a song would always follow the first."""


@dataclass(frozen=True, slots=True)
class Factors:
    """The factors of the weight, `[n]` each.

    `weight` is their product and `cumulative_weight` its cumulative sum; `all_positive` is true
    when no weight is 0.
    """

    rating: Floats
    rating_factor: Floats
    skip_factor: Floats
    recency_factor: Floats
    weight: Floats
    cumulative_weight: Floats
    all_positive: bool


@dataclass(frozen=True, slots=True)
class WeightedCandidates:
    """Candidates and the factors of their weights.

    `sound` has the vectors that `flow` compares, `[n, k]`; `None` where picks do not flow.
    """

    candidates: Candidates
    factors: Factors
    steering: SteeringFactors | None = None
    sound: Vectors | None = None

    def rating_source(self, row: int) -> str:
        """Return where the effective rating of a row comes from: rating, predicted or mean."""
        if not np.isnan(self.candidates.rating[row]):
            return "rating"
        return "mean" if np.isnan(self.candidates.predicted_mean[row]) else "predicted"


def weigh(candidates: Candidates, steering: SteeringFactors | None = None) -> WeightedCandidates:
    """Compute every candidate's weight."""
    rating = effective_rating(candidates)
    rating_factor = (np.maximum(MIN_RATING, rating) / HIGHEST) ** 2
    skip_factor = skip(candidates.full_plays, candidates.skips)
    recency_factor = recency(candidates.last_played_at)
    weight = rating_factor * skip_factor * recency_factor
    if steering is not None:
        weight *= steering.factor
    factors = Factors(
        rating=rating,
        rating_factor=rating_factor,
        skip_factor=skip_factor,
        recency_factor=recency_factor,
        weight=weight,
        cumulative_weight=np.cumsum(weight),
        all_positive=bool((weight > 0).all()),
    )
    return WeightedCandidates(candidates, factors, steering)


def without_steering(weighted: WeightedCandidates) -> WeightedCandidates:
    """Return the candidates with the steering factor 1; how well they fit the wishes is kept."""
    steering = weighted.steering
    if steering is None:
        return weighted
    return weigh(weighted.candidates, replace(steering, factor=np.ones(len(weighted.candidates))))


def sample_predictions(
    weighted: WeightedCandidates, explore: float, rng: Random
) -> WeightedCandidates:
    """Replace each predicted rating by a sample of its distribution, and weigh again.

    `explore` scales the standard deviation: 0 keeps the mean, 1 is full Thompson sampling.
    """
    if explore <= 0:
        return weighted
    candidates = weighted.candidates
    # numpy.random takes 7 MB of memory, so it is loaded only when a listener explores.
    normal = np.random.default_rng(rng.getrandbits(64)).standard_normal(len(candidates))
    sampled = candidates.predicted_mean + normal * candidates.predicted_stddev * explore
    explored = replace(candidates, predicted_mean=np.clip(sampled, LOWEST, HIGHEST))
    return replace(weigh(explored, weighted.steering), sound=weighted.sound)


def effective_rating(candidates: Candidates) -> Floats:
    """Return the rating, else the predicted rating, else the mean of the listener's ratings."""
    unrated = np.where(
        np.isnan(candidates.predicted_mean), candidates.mean_rating, candidates.predicted_mean
    )
    return np.where(np.isnan(candidates.rating), unrated, candidates.rating)


def recency(last_played_at: Floats) -> Floats:
    """Return place / n, `[n]`; the most recently played track has place 1.

    Tracks played at the same time share the largest place of their group. Those never played
    (`-inf`) come last, so that each has the factor 1.
    """
    count = len(last_played_at)
    if not count:
        return np.empty(0)
    played = np.flatnonzero(np.isfinite(last_played_at))
    factor = np.ones(count)
    if len(played):
        times = last_played_at[played]
        oldest_first = np.argsort(times)
        differs = np.diff(times[oldest_first], prepend=-np.inf) > 0
        # The position of the first track of each group of equal times.
        first = np.maximum.accumulate(np.where(differs, np.arange(len(times)), 0))
        factor[played[oldest_first]] = (len(times) - first) / count
    return factor


def skip(full_plays: Floats, skips: Floats) -> Floats:
    """Return sigmoid((5 + full plays - skips) / 5), `[n]`, at least `MIN_SKIP_FACTOR`."""
    balance = full_plays - skips
    if not len(balance):
        return np.empty(0)
    lowest, highest = balance.min(), balance.max()
    if highest - lowest > MAX_TABLE_SIZE:
        return _sigmoid((5.0 + balance) / 5.0)
    # Few different balances occur: looking them up in a table is faster than the exponential.
    table = _sigmoid((5.0 + np.arange(lowest, highest + 1)) / 5.0)
    factor: Floats = table[(balance - lowest).astype(np.intp)]
    return factor


def flow_factor(vectors: Vectors, previous: Vectors, flow: float) -> Floats | None:
    """Return the factor of each candidate, `[n]`, above 0, after the track of vector `previous`.

    `vectors` are `[n, k]` and `previous` is `[k]`, of length 1 or 0 where unknown. A track of
    average similarity has the factor 0.002 at full flow and one at z = 3 or more has 1. Tracks
    without a vector count as average. `None` if similarities are unknown or all alike: then all
    have the factor 1.
    """
    if not previous.any():
        return None
    similarity = vectors @ previous
    known = similarity != 0  # Where a vector is unknown, it is exactly 0.
    if not known.any():
        return None
    mean, deviation = similarity[known].mean(), similarity[known].std()
    if not deviation > 0:
        return None
    z = np.where(known, (similarity - mean) / deviation, np.float32(0))
    exponent = FLOW_STEEPNESS * flow * (np.minimum(z, MAX_SIMILARITY_Z) - MAX_SIMILARITY_Z)
    # In single precision: it is several times as fast, and is only a factor.
    return np.asarray(np.exp(exponent, dtype=np.float32), np.float64)


def _sigmoid(x: Floats) -> Floats:
    # Computed in log space, where nothing overflows.
    return np.maximum(np.exp(-np.logaddexp(0.0, -x)), MIN_SKIP_FACTOR)
