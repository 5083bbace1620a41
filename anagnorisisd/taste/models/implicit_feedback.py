"""What plays and skips say about a rating, if they say anything.

On tracks that are both rated and heard one sees how far the share of full plays goes with the
rating. Read backwards, that turns the plays of an unrated track into a rating that might have
been given, and into how doubtful it is: with the correlation `r`, a doubt of `1 / r^2 - 1` times
the variance of all ratings.
"""

from dataclasses import dataclass

import numpy as np

from anagnorisisd.domain.evaluation import Floats64
from anagnorisisd.taste.models.features import Examples, Inputs
from anagnorisisd.taste.models.model_protocol import spread

FEWEST = 15
"""Fewer tracks that are both rated and heard prove nothing."""
WEAKEST = 0.05
"""The least share of the ratings' variance, `r^2`, that plays must explain."""
SUPPOSED_PLAYS = 2.0


def liking(full_plays: Floats64, skips: Floats64) -> Floats64:
    """Return how plays speak for tracks, `[n]`: from -1, all skipped, to 1; 0 where unheard."""
    return (full_plays - skips) / (full_plays + skips + SUPPOSED_PLAYS)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Ratings that `n` heard tracks might have been given, and the variance of the doubt."""

    inputs: Inputs
    ratings: Floats64
    doubt: float


def evidence(examples: Examples) -> Evidence | None:
    """Return what the heard tracks say; `None` where plays do not go with ratings."""
    heard = examples.heard
    known = examples.liking != 0
    if not len(heard) or np.count_nonzero(known) < FEWEST:
        return None
    likings, ratings = examples.liking[known], examples.ratings[known]
    if not (likings.std() and ratings.std()):
        return None
    correlation = float(np.corrcoef(likings, ratings)[0, 1])
    # A correlation found by chance is taken off (the adjusted coefficient of determination).
    explained = 1 - (1 - correlation**2) * (len(ratings) - 1) / (len(ratings) - 2)
    if correlation <= 0 or explained < WEAKEST:
        return None
    slope = float(ratings.std() / (np.sqrt(explained) * likings.std()))
    guesses = ratings.mean() + slope * (heard.liking - likings.mean())
    return Evidence(heard.inputs, guesses, spread(examples.ratings) * (1 / explained - 1))
