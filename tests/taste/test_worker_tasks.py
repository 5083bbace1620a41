"""Suggestions of tracks to rate, and explanations of predictions."""

import numpy as np
import pytest

from anagnorisisd.domain.track import Tags
from anagnorisisd.taste.models import worker_tasks
from tests.support.examples import described, feature_stats_of, training_set, two_kinds


def test_suggestions_cover_all_kinds_of_tracks() -> None:
    rng = np.random.default_rng(0)
    kind = np.repeat(np.arange(4), 25)
    vectors = 10 * np.eye(4)[kind] + rng.normal(scale=0.1, size=(100, 4))

    tracks = described(vectors.astype(np.float32))

    suggested = worker_tasks.suggest(None, tracks, feature_stats_of(tracks), 4)

    assert {kind[int(track_id, 16)] for track_id in suggested} == {0, 1, 2, 3}


@pytest.mark.parametrize("ratings", [np.tile([2.0, 9.0], 6), np.full(12, 5.0)])
def test_track_unlike_the_rated_ones_is_suggested_first(ratings: np.ndarray) -> None:
    vectors, _ = two_kinds(12)
    examples = training_set(described(vectors), ratings)
    model = worker_tasks.train(examples, seed=0).blob
    unlike = np.array([[9, -9, 9, -9, 9, -9]] * 3, np.float32)

    tracks = described(np.vstack([vectors[:4], unlike]))
    suggested = worker_tasks.suggest(model, tracks, examples.feature_stats, 1)

    assert int(suggested[0], 16) >= 4


def test_suggestions_are_distinct_and_limited_by_the_tracks() -> None:
    same = described(np.ones((5, 3), np.float32))

    suggested = worker_tasks.suggest(None, same, feature_stats_of(same), 9)

    assert sorted(suggested) == sorted(same.track_ids)


def test_most_informative_track_is_correlated_with_others() -> None:
    covariance = np.eye(4)
    covariance[0, 1:3] = covariance[1:3, 0] = 0.6

    assert worker_tasks.select_informative(covariance, 0.5, 2) == [0, 3]


def test_largest_part_is_the_trait_that_decides() -> None:
    rng = np.random.default_rng(3)
    tags = [Tags(artist=f"Artist {row % 5}") for row in range(40)]
    liking = np.array([9.0, 8.0, 5.0, 2.0, 1.0])[np.arange(40) % 5]
    noise = rng.normal(size=(40, 5)).astype(np.float32)
    model = worker_tasks.train(training_set(described(noise, tags), liking), seed=0).blob

    parts = worker_tasks.parts(model, described(noise[:1], tags[:1]))

    assert max(parts, key=lambda part: parts[part]) == "artist"
    assert sum(parts.values()) == pytest.approx(1.0)


def test_mean_has_no_explanation() -> None:
    vectors, _ = two_kinds(12)
    model = worker_tasks.train(training_set(described(vectors), np.full(12, 5.0)), seed=0)

    assert worker_tasks.parts(model.blob, described(vectors[:1])) == {}
    assert worker_tasks.influences(model.blob, described(vectors[:1]), 3) == []
