"""The candidates compete in cross-validation, and the best honest one is fitted on everything.

At a few dozen ratings the luck of the splits is larger than the differences between candidates.
So the process, which did best for every simulated listener (`bench/taste.py`), stays unless a
rival is better by more than the standard error of the difference (`significance`); but whatever
does not beat the mean rating gives way to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from anagnorisisd.domain.evaluation import Floats64, Metrics
from anagnorisisd.errors import PreconditionFailed
from anagnorisisd.taste.models import cross_validation, metrics
from anagnorisisd.taste.models.features import Examples
from anagnorisisd.taste.models.gaussian_process import GaussianProcess, GaussianProcessWithPlays
from anagnorisisd.taste.models.implicit_feedback import evidence
from anagnorisisd.taste.models.knn import KNN
from anagnorisisd.taste.models.mean import Mean
from anagnorisisd.taste.models.mlp import MLP
from anagnorisisd.taste.models.model_protocol import FittedModel, Model, Settings
from anagnorisisd.taste.models.prediction import Predictions
from anagnorisisd.taste.models.significance import standard_error

MEAN, FAVOURITE, LISTENING = Mean(), GaussianProcess(), GaussianProcessWithPlays()
RIVALS: tuple[Model, ...] = (KNN(), MLP(), LISTENING)
CANDIDATES: tuple[Model, ...] = (MEAN, FAVOURITE, *RIVALS)

FEWEST = 2
"""With fewer ratings nothing can be held out."""
FEWEST_FOR_PERCEPTRON = 30
"""With fewer, the tenth on which it chooses its epoch is hardly more than a single rating."""


@dataclass(frozen=True, slots=True)
class SelectedModel:
    """The candidate that did best, fitted on all examples, and how all of them did."""

    candidate: Model
    settings: Settings
    fitted: FittedModel
    metrics: Metrics
    notes: Mapping[str, str]


def named(kind: str) -> Model:
    """Return the candidate of that kind."""
    return next(candidate for candidate in CANDIDATES if candidate.kind == kind)


def entrants(examples: Examples) -> tuple[Model, ...]:
    """Return the candidates for which `examples` are enough.

    Raises:
        PreconditionFailed: there are too few examples to hold any out.
    """
    _require(examples)
    lacking: set[type] = set()
    if len(examples) < FEWEST_FOR_PERCEPTRON:
        lacking.add(MLP)
    if evidence(examples) is None:
        lacking.add(GaussianProcessWithPlays)
    return tuple(each for each in CANDIDATES if type(each) not in lacking)


def compete(examples: Examples, seed: int) -> SelectedModel:
    """Let all candidates compete on the same splits.

    Raises:
        PreconditionFailed: there are too few examples to hold any out.
    """
    candidates = entrants(examples)
    opinions = {each.kind: cross_validation.held_out(each, examples, seed) for each in candidates}
    return conclude(examples, seed, opinions)


def conclude(examples: Examples, seed: int, opinions: Mapping[str, Predictions]) -> SelectedModel:
    """Return the winner, given what each kind said of the examples held out with `seed`."""
    ratings = cross_validation.held_out_ratings(examples, seed)
    errors = {kind: metrics.error(opinion, ratings) for kind, opinion in opinions.items()}
    apart = {kind: np.abs(opinion.mean - ratings) for kind, opinion in opinions.items()}
    best = named(best_of(apart, len(examples)))
    settings = best.search(examples, np.random.default_rng([seed, 2]))
    return SelectedModel(
        candidate=best,
        settings=settings,
        fitted=best.fit(settings, examples),
        metrics=metrics.metrics(opinions[best.kind], ratings, errors["mean"], errors),
        notes={"plays": _on_plays(errors, best)},
    )


def best_of(apart: Mapping[str, Floats64], count: int) -> str:
    """Return the kind that wins, given each one's absolute errors on `count` ratings held out.

    They are `[repeats x count]`, in the order of `validation.splits`.
    """
    best, held = FAVOURITE.kind, cross_validation.held_counts(count)
    for kind in (rival.kind for rival in RIVALS if rival.kind in apart):
        gain = apart[best] - apart[kind]
        if gain.mean() > standard_error(gain, held, count):
            best = kind
    return best if apart[best].mean() <= apart[MEAN.kind].mean() else MEAN.kind


def retry(kind: str, settings: Settings, examples: Examples, seed: int) -> Metrics:
    """Return how a candidate with settings of old does on the splits of `seed`.

    Raises:
        PreconditionFailed: there are too few examples to hold any out.
    """
    _require(examples)
    ratings = cross_validation.held_out_ratings(examples, seed)
    mean = cross_validation.held_out(MEAN, examples, seed)
    opinion: Predictions = cross_validation.held_out(named(kind), examples, seed, settings)
    errors = {"mean": metrics.error(mean, ratings), kind: metrics.error(opinion, ratings)}
    return metrics.metrics(opinion, ratings, errors["mean"], errors)


def _on_plays(errors: Mapping[str, float], best: Model) -> str:
    """Say whether plays and skips help to predict ratings."""
    without, with_plays = errors[FAVOURITE.kind], errors.get(LISTENING.kind)
    if with_plays is None:
        return "not used: they do not go with the ratings, or are too few to tell"
    verdict = "used" if best is LISTENING else "not used: no clear gain"
    return f"{verdict}; held-out error {with_plays:.3f} with, {without:.3f} points without"


def _require(examples: Examples) -> None:
    if len(examples) < FEWEST:
        raise PreconditionFailed(
            f"{FEWEST} rated and embedded tracks are needed to train, there is {len(examples)}"
        )
