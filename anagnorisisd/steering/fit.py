"""How well tracks fit wishes, relative to the library, and the steering factor that follows.

    fit      place of the track among the tracks with a score, 0 (fits least) to 1 (fits best);
             1 or 0 for what a track has or has not, as a folder
    factor   = logistic((fit - 0.9) / 0.02) ^ strength, divided by that of the best fit
    unwanted = logistic((0.75 - fit) / 0.02) ^ strength

Only places count, never scores: a tag's probabilities cannot be compared between tags, and the
best-fitting tenth of a library should be picked whatever the library. Within that tenth the factor
is almost the same for all tracks, so that ratings decide there.

A wish's alternatives (several seeds, decades or folders) fit as well as the best of them. Wishes of
different kinds, and several tags, must all fit: the product of the fits is ranked again. If no
track fits all of them, the mean of the fits is ranked instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anagnorisisd.domain.pick import Floats
from anagnorisisd.domain.steering import SteeringFactors, TagWish, Wish

BEST_FITTING = 0.9
"""The fit above which tracks get most of the picks."""

UNWANTED_FROM = 0.75
"""The fit above which tracks with an unwanted tag are hardly picked."""

NO_TRACK_FITS_ALL = "no track fits all of the wishes; those that fit most of them count"

WIDTH = 0.02
"""How gradually the factor falls: within four widths of a boundary, from 0.98 to 0.02."""


@dataclass(frozen=True, slots=True)
class WishScores:
    """Scores, `[n]` with NaN where unknown, and what the listener should know about them.

    With `is_membership`, a score is 1 if the track fits and 0 if not.
    """

    scores: Floats
    problem: str = ""
    is_membership: bool = False

    @property
    def fit(self) -> Floats:
        """How well each track fits, `[n]`, 0 to 1."""
        return self.scores if self.is_membership else place(self.scores)


def place(scores: Floats) -> Floats:
    """Return the fit of each score, `[n]`, 0 to 1; NaN, for an unknown score, has the fit 0.

    The fit is the share of the known scores below it; equal scores share the middle of their
    places.
    """
    fit = np.zeros(len(scores))
    known = np.flatnonzero(~np.isnan(scores))
    if len(known):
        order = known[np.argsort(scores[known])]
        ascending = scores[order]
        # The positions at which each group of equal scores begins and ends.
        starts = np.append(0, 1 + np.flatnonzero(ascending[1:] != ascending[:-1]))
        ends = np.append(starts[1:], len(order))
        fit[order] = np.repeat((starts + ends) / (2 * len(order)), ends - starts)
    return fit


def combine(fits: Sequence[Floats]) -> Floats:
    """Return the fit to all of several wishes, `[n]`, from the fit to each.

    Tracks that do not fit one of the wishes at all get the mean of their fits less 1: they come
    only when no others are left, and then the best of them first.
    """
    if len(fits) == 1:
        return fits[0]
    each = np.stack(fits)
    product: Floats = np.prod(each, axis=0)
    mean: Floats = each.mean(axis=0)
    if not product.any():
        return place(mean)
    return np.where(product > 0, place(np.where(product > 0, product, np.nan)), mean - 1.0)


def distinguishes(scores: Floats) -> bool:
    """Return whether the known scores differ, so that some tracks fit better than others."""
    known = scores[~np.isnan(scores)]
    if not len(known):
        return False
    return bool(len(known) < len(scores) or known.min() < known.max())


def wanted_factor(fit: Floats, strength: float) -> Floats:
    """Return the factor for a fit to what is wanted, `[n]`, 1 for the best fit."""
    # In log space: the ratio of two tiny factors is exact, and none is rounded to 0.
    logarithm = _log_logistic((fit - BEST_FITTING) / WIDTH)
    factor: Floats = np.exp(strength * (logarithm - logarithm.max(initial=-np.inf)))
    return factor


def unwanted_factor(fit: Floats, strength: float) -> Floats:
    """Return the factor for how well tracks fit what is unwanted, `[n]`."""
    factor: Floats = np.exp(strength * _log_logistic((UNWANTED_FROM - fit) / WIDTH))
    return factor


def steering_factors(
    scored: Sequence[tuple[Wish, WishScores]], strength: float, count: int
) -> SteeringFactors:
    """Return the factors of `count` candidates from their scores for each wish.

    A wish whose scores do not distinguish any tracks has no effect.
    """
    problems = {str(wish): found.problem for wish, found in scored if found.problem}
    fits: dict[str, Floats] = {}
    wanted: dict[object, list[Floats]] = {}
    factor = np.ones(count)
    for wish, found in scored:
        if not distinguishes(found.scores):
            continue
        fitting = found.fit
        if isinstance(wish, TagWish) and wish.unwanted:
            fits[str(wish)] = 1 - fitting
            factor *= unwanted_factor(fitting, strength)
        else:
            last_wanted = str(wish)
            fits[last_wanted] = fitting
            # Alternatives are of the same kind; every tag counts by itself.
            group = wish if isinstance(wish, TagWish) else type(wish)
            wanted.setdefault(group, []).append(fitting)
    if wanted:
        best = [np.max(np.stack(alternatives), axis=0) for alternatives in wanted.values()]
        factor *= wanted_factor(combine(best), strength)
        if len(best) > 1 and not np.prod(np.stack(best), axis=0).any():
            problems.setdefault(last_wanted, NO_TRACK_FITS_ALL)
    return SteeringFactors(factor, fits, problems)


def _log_logistic(x: Floats) -> Floats:
    return -np.logaddexp(0.0, -x)
