"""Plays and skips are used only if they correlate with ratings."""

from dataclasses import replace

import numpy as np
import pytest

from anagnorisisd.domain.evaluator import ImplicitFeedback, TrainingSet
from anagnorisisd.taste.models import worker_tasks
from anagnorisisd.taste.models.implicit_feedback import liking, pseudo_ratings
from tests.support.examples import described, training_set

RATED, HEARD, NEW = 40, 300, 200


def listener(*, telling: bool) -> tuple[TrainingSet, TrainingSet]:
    """Return what is known of a listener, and rated tracks to judge by.

    The liking depends on the sound; whether a track is skipped depends on the liking, or not.
    """
    rng = np.random.default_rng(5)
    count = RATED + HEARD + NEW
    vectors = rng.normal(size=(count, 3)).astype(np.float32)
    taste = 2.5 * np.sin(1.5 * vectors[:, 0]) + 1.5 * np.cos(2 * vectors[:, 1])
    ratings = np.clip(5 + taste + rng.normal(size=count), 0, 10)
    chance = 1 / (1 + np.exp(-2 * taste)) if telling else np.full(count, 0.5)
    full = rng.binomial(6, chance).astype(np.float64)
    known, heard, new = np.split(np.arange(count), [RATED, RATED + HEARD])
    everything = described(vectors)
    examples = replace(
        training_set(everything.take(known.tolist()), ratings[known]),
        full_plays=full[known],
        skips=6 - full[known],
        implicit_feedback=ImplicitFeedback(
            everything.take(heard.tolist()), full[heard], 6 - full[heard]
        ),
    )
    return examples, training_set(everything.take(new.tolist()), ratings[new])


def error(model: bytes, judge: TrainingSet) -> float:
    mean, _ = worker_tasks.predict(model, judge.tracks)
    return float(np.abs(mean - judge.ratings).mean())


@pytest.mark.slow
def test_correlated_plays_reduce_the_error() -> None:
    examples, judge = listener(telling=True)

    with_plays = worker_tasks.train(examples, seed=0)
    without = worker_tasks.train(replace(examples, implicit_feedback=None), seed=0)

    assert with_plays.model == "Gaussian process with plays"
    assert with_plays.notes["implicit_feedback"].startswith("used; held-out error")
    assert with_plays.metrics.mean_absolute_error < without.metrics.mean_absolute_error
    assert error(with_plays.blob, judge) < 0.96 * error(without.blob, judge)


@pytest.mark.slow
def test_uncorrelated_plays_are_not_used() -> None:
    examples, _ = listener(telling=False)

    model = worker_tasks.train(examples, seed=0)

    assert model.model != "Gaussian process with plays"
    assert model.notes["implicit_feedback"].startswith("not used")


@pytest.mark.slow
def test_influences_are_rated_tracks_only() -> None:
    examples, judge = listener(telling=True)
    model = worker_tasks.train(examples, seed=0)

    found = worker_tasks.influences(model.blob, judge.tracks.take([0]), 5)

    assert {track for track, _ in found} <= set(examples.tracks.track_ids)


def test_refit_keeps_the_plays() -> None:
    examples, judge = listener(telling=True)
    model = worker_tasks.train(examples, seed=0)

    again = worker_tasks.refit(model.blob, examples)
    forgotten = worker_tasks.refit(model.blob, replace(examples, implicit_feedback=None))

    assert again == model.blob
    assert error(forgotten, judge) > error(again, judge)


def test_liking_of_plays_and_skips() -> None:
    found = liking(np.array([0.0, 3.0, 0.0]), np.array([0.0, 0.0, 3.0]))

    np.testing.assert_allclose(found, [0.0, 0.6, -0.6])


def test_negatively_correlated_plays_are_not_used() -> None:
    examples, _ = listener(telling=True)
    turned = replace(examples, ratings=10 - examples.ratings)

    assert pseudo_ratings(worker_tasks.examples(turned)) is None
