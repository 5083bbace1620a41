"""The weight of a track: how readily it is picked.

    rating_factor  = (max(0.1, R) / 10)²      R: rating, else predicted rating, else the mean
    skip_factor    = sigmoid((5 + full plays - skips) / 5)
    recency_factor = place by last play / number of tracks
    weight         = rating_factor x skip_factor x recency_factor

Everything works on whole columns: one row a track, no loop over tracks.
"""

import numpy as np

from anagnorisisd.domain.pick import Candidates, Factors, Floats
from anagnorisisd.domain.rating import HIGHEST

LEAST_RATING = 0.1
"""A rating of 0 still leaves a track a chance of one in ten thousand of the best."""

MOST_DIFFERENCES = 10_000
"""Between full plays and skips; beyond that a table of them is of no use."""


def factors(candidates: Candidates) -> Factors:
    """Return the factors of every candidate's weight; they are worked out once."""
    if not candidates.worked_out:
        candidates.worked_out.append(_factors(candidates))
    return candidates.worked_out[0]


def _factors(candidates: Candidates) -> Factors:
    rating = effective_rating(candidates)
    rating_factor = (np.maximum(LEAST_RATING, rating) / HIGHEST) ** 2
    skip_factor = skip(candidates.full_plays, candidates.skips)
    recency_factor = recency(candidates.last_played_at)
    weight = rating_factor * skip_factor * recency_factor
    return Factors(
        rating=rating,
        rating_factor=rating_factor,
        skip_factor=skip_factor,
        recency_factor=recency_factor,
        weight=weight,
        edges=np.cumsum(weight),
        positive=bool((weight > 0).all()),
    )


def effective_rating(candidates: Candidates) -> Floats:
    """Return the rating, else the predicted rating, else the mean of the listener's ratings."""
    guess = np.where(
        np.isnan(candidates.predicted_mean), candidates.mean_rating, candidates.predicted_mean
    )
    return np.where(np.isnan(candidates.rating), guess, candidates.rating)


def recency(last_played_at: Floats) -> Floats:
    """Return place / n, where the most recently played track has place 1.

    Tracks that tie share the largest place of their group; those never played (`-inf`) come
    last, so that they all have the factor 1.
    """
    count = len(last_played_at)
    if not count:
        return np.empty(0)
    played = np.flatnonzero(np.isfinite(last_played_at))
    factor = np.ones(count)
    if len(played):
        times = last_played_at[played]
        oldest_first = np.argsort(times)
        begins = np.diff(times[oldest_first], prepend=-np.inf) > 0
        # Those that tie are in the place of the first of them, the oldest.
        first = np.maximum.accumulate(np.where(begins, np.arange(len(times)), 0))
        factor[played[oldest_first]] = (len(times) - first) / count
    return factor


def skip(full_plays: Floats, skips: Floats) -> Floats:
    """Return sigmoid((5 + full plays - skips) / 5); worked out once for each difference."""
    differences = full_plays - skips
    if not len(differences):
        return np.empty(0)
    lowest, highest = differences.min(), differences.max()
    if highest - lowest > MOST_DIFFERENCES:
        return _sigmoid((5.0 + differences) / 5.0)
    of_each = _sigmoid((5.0 + np.arange(lowest, highest + 1)) / 5.0)
    factor: Floats = of_each[(differences - lowest).astype(np.intp)]
    return factor


def _sigmoid(x: Floats) -> Floats:
    # By the logarithm: no overflow at either end, and no zero where it is only small.
    return np.exp(-np.logaddexp(0.0, -x))
