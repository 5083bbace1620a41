"""Implicit feedback: pseudo-ratings from plays and skips.

Tracks that are both rated and played give the correlation `r` between the share of full plays and
the rating. An inverse regression turns the plays of an unrated track into a pseudo-rating with an
extra noise variance of `1 / r^2 - 1` times the variance of all ratings.
"""

from dataclasses import dataclass

import numpy as np

from anagnorisisd.domain.evaluator import Floats64
from anagnorisisd.taste.models.inputs import Examples, Inputs
from anagnorisisd.taste.models.model import regularized_variance

MIN_TRACKS = 15
"""Tracks both rated and played that are needed for a correlation."""
MIN_R_SQUARED = 0.05
"""The least share of the ratings' variance, `r^2`, that plays must explain."""
PRIOR_PLAYS = 2.0


def liking(full_plays: Floats64, skips: Floats64) -> Floats64:
    """Return the smoothed share of full plays minus skips, `[n]`, -1 to 1; 0 where never played."""
    return (full_plays - skips) / (full_plays + skips + PRIOR_PLAYS)


@dataclass(frozen=True, slots=True)
class PseudoRatings:
    """Pseudo-ratings of `n` played tracks, and their extra noise variance."""

    inputs: Inputs
    ratings: Floats64
    variance: float


def pseudo_ratings(examples: Examples) -> PseudoRatings | None:
    """Return pseudo-ratings; `None` where plays do not correlate with ratings."""
    feedback = examples.implicit_feedback
    both = examples.liking != 0
    if not len(feedback) or np.count_nonzero(both) < MIN_TRACKS:
        return None
    likings, ratings = examples.liking[both], examples.ratings[both]
    if not (likings.std() and ratings.std()):
        return None
    correlation = float(np.corrcoef(likings, ratings)[0, 1])
    # Adjusted coefficient of determination, to discount correlation by chance.
    explained = 1 - (1 - correlation**2) * (len(ratings) - 1) / (len(ratings) - 2)
    if correlation <= 0 or explained < MIN_R_SQUARED:
        return None
    slope = float(ratings.std() / (np.sqrt(explained) * likings.std()))
    estimates = ratings.mean() + slope * (feedback.liking - likings.mean())
    return PseudoRatings(
        feedback.inputs, estimates, regularized_variance(examples.ratings) * (1 / explained - 1)
    )
