"""What the models learn, and that unusual input does not break them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anagnorisisd.domain.evaluator import FeatureStats, TrainingSet
from anagnorisisd.domain.track import Tags
from anagnorisisd.errors import PreconditionFailed, StoreError
from anagnorisisd.taste.models import model_selection, serialization, worker_tasks
from anagnorisisd.taste.models.model import FittedModel, Settings
from anagnorisisd.taste.trainer import promotion
from tests.support.examples import described, feature_stats_of, training_set, two_kinds


def assert_sane(examples: TrainingSet) -> None:
    """Train, predict what was rated and something strange; everything is a possible rating."""
    model = worker_tasks.train(examples, seed=1)
    dimension = examples.tracks.vectors.shape[1]
    strange = np.vstack([np.zeros(dimension), np.full(dimension, 1e30), np.full(dimension, np.nan)])
    for tracks in (examples.tracks, described(strange.astype(np.float32))):
        mean, stddev = worker_tasks.predict(model.blob, tracks)
        assert np.isfinite(mean).all()
        assert ((mean >= 0) & (mean <= 10)).all()
        assert np.isfinite(stddev).all()
        assert (stddev > 0).all()
    assert np.isfinite(list(model.metrics.model_errors.values())).all()
    assert model.metrics.mean_absolute_error <= model.metrics.baseline_error


def fit(kind: str, examples: TrainingSet) -> tuple[Settings, FittedModel]:
    candidate, learnt = model_selection.model_of_kind(kind), worker_tasks.examples(examples)
    found = candidate.search(learnt, np.random.default_rng(0))
    return found, candidate.fit(found, learnt)


def saved_as(kind: str, examples: TrainingSet) -> bytes:
    return worker_tasks.dump(kind, *fit(kind, examples), examples)


def test_liked_kind_is_predicted_higher() -> None:
    vectors, ratings = two_kinds(40)
    model = worker_tasks.train(training_set(described(vectors[:16]), ratings[:16]), seed=0)

    mean, _ = worker_tasks.predict(model.blob, described(vectors[16:]))

    liked = ratings[16:] > 5
    assert mean[liked].min() > mean[~liked].max() + 3
    assert model.metrics.error_ratio < 0.6
    assert model.metrics.rank_correlation > 0.6


def test_artist_is_learnt_where_the_audio_is_noise() -> None:
    rng = np.random.default_rng(3)
    artists = [f"Artist {row % 6}" for row in range(60)]
    liking = np.array([9, 8, 6, 4, 2, 1])[np.arange(60) % 6].astype(np.float64)
    tags = [Tags(artist=artist) for artist in artists]
    examples = training_set(described(rng.normal(size=(60, 5)).astype(np.float32), tags), liking)
    model = worker_tasks.train(examples, seed=0)

    mean, _ = worker_tasks.predict(
        model.blob,
        described(
            np.zeros((3, 5), np.float32),
            [Tags(artist="ARTIST 0 "), Tags(artist="Artist 5"), Tags(artist="Somebody else")],
        ),
    )

    assert mean[0] > 7
    assert mean[1] < 3
    assert 4 < mean[2] < 6


def test_folder_is_learnt_where_tags_are_missing() -> None:
    rng = np.random.default_rng(3)
    uris = [f"{'good' if row % 2 else 'bad'}/{row}.ogg" for row in range(40)]
    ratings = np.where(np.arange(40) % 2, 8.0, 3.0)
    examples = training_set(
        described(rng.normal(size=(40, 5)).astype(np.float32), uris=uris), ratings
    )
    model = worker_tasks.train(examples, seed=0)

    mean, _ = worker_tasks.predict(
        model.blob, described(np.zeros((2, 5), np.float32), uris=["good/new.ogg", "bad/new.ogg"])
    )

    assert mean[0] > mean[1] + 2


@pytest.mark.parametrize("relevant_first", [True, False])
def test_segment_that_the_ratings_follow_is_not_drowned_by_a_longer_one(
    relevant_first: bool,
) -> None:
    rng = np.random.default_rng(4)
    relevant, other = rng.normal(size=(200, 8)), rng.normal(size=(200, 300))
    parts = [relevant, other] if relevant_first else [other, relevant]
    tracks = described(np.hstack(parts).astype(np.float32))
    ratings = np.clip(np.round(6 + relevant @ [1, 1, -1, 0, 0, 0, 0, 0]), 0, 10)
    stats = feature_stats_of(tracks, tuple(part.shape[1] for part in parts))
    rated, held = tracks.take(range(60)), tracks.take(range(60, 200))

    model = saved_as("Gaussian process", training_set(rated, ratings[:60], stats))

    mean, _ = worker_tasks.predict(model, held)
    # Learnt from the concatenation as one segment, the correlation is 0.36.
    assert np.corrcoef(mean, ratings[60:])[0, 1] > 0.9


def test_stddev_grows_with_distance_from_rated_tracks() -> None:
    vectors, ratings = two_kinds(40)
    model = saved_as("Gaussian process", training_set(described(vectors), ratings))
    nowhere = np.array([[3, -3, 3, -3, 3, -3]], dtype=np.float32)

    _, unsure = worker_tasks.predict(model, described(nowhere))
    _, sure = worker_tasks.predict(model, described(vectors))

    assert unsure[0] > sure.max()


def test_refit_to_other_ratings_changes_predictions() -> None:
    vectors, ratings = two_kinds(30)
    old = worker_tasks.train(training_set(described(vectors[:20]), ratings[:20]), seed=0).blob
    turned = np.where(ratings > 5, 2.0, 9.0)

    new = worker_tasks.refit(old, training_set(described(vectors), turned))

    mean, _ = worker_tasks.predict(new, described(vectors))
    assert mean[ratings > 5].max() < mean[ratings < 5].min()


def test_refit_to_the_same_ratings_changes_nothing() -> None:
    vectors, ratings = two_kinds(24)
    examples = training_set(described(vectors), ratings)
    model = worker_tasks.train(examples, seed=0).blob

    assert worker_tasks.refit(model, examples) == model


def test_same_seed_gives_the_same_evaluator() -> None:
    vectors, ratings = two_kinds(24)
    examples = training_set(described(vectors), ratings)

    assert worker_tasks.train(examples, seed=5) == worker_tasks.train(examples, seed=5)


def test_single_rating_is_refused() -> None:
    with pytest.raises(PreconditionFailed, match="2 rated and embedded tracks are needed"):
        worker_tasks.train(training_set(described(np.ones((1, 3), np.float32)), [7.0]), seed=0)


def test_refit_to_a_single_rating() -> None:
    vectors, ratings = two_kinds(12)
    model = worker_tasks.train(training_set(described(vectors), ratings), seed=0).blob

    model = worker_tasks.refit(model, training_set(described(vectors[:1]), ratings[:1]))

    mean, stddev = worker_tasks.predict(model, described(vectors))
    assert np.isfinite(mean).all()
    assert np.isfinite(stddev).all()


@pytest.mark.parametrize("count", [2, 3, 5, 11, 24])
def test_constant_and_extreme_ratings(count: int) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(count, 4)).astype(np.float32)

    assert_sane(training_set(described(vectors), np.full(count, 10.0)))
    assert_sane(training_set(described(vectors), np.where(np.arange(count) % 2, 0.0, 10.0)))


@pytest.mark.parametrize("count", [2, 24])
def test_constant_and_huge_vectors(count: int) -> None:
    ratings = (np.arange(count) % 11).astype(np.float64)
    ones = np.ones((count, 4), np.float32)
    huge = np.random.default_rng(0).normal(size=(count, 4)).astype(np.float32) * 1e18

    assert_sane(training_set(described(ones), ratings))
    assert_sane(training_set(described(huge), ratings))
    one_dimension = training_set(described(ratings[:, None].astype(np.float32)), ratings)
    assert_sane(one_dimension)
    none_in_library = FeatureStats(np.zeros(4, np.float32), np.zeros(4, np.float32), 0)
    assert_sane(training_set(described(ones), ratings, none_in_library))


def test_duplicates_with_different_ratings_get_their_mean() -> None:
    vectors = np.repeat(np.random.default_rng(0).normal(size=(10, 4)), 2, axis=0)
    examples = training_set(described(vectors.astype(np.float32)), np.tile([2.0, 8.0], 10))

    assert_sane(examples)
    mean, _ = worker_tasks.predict(worker_tasks.train(examples, seed=0).blob, examples.tracks)
    assert np.abs(mean - 5).max() < 1


tags = st.builds(
    Tags,
    artist=st.sampled_from([None, "A", "a ", "B", "\udcff", ""]),
    album=st.sampled_from([None, "One", "Two"]),
    genre=st.sampled_from([None, "rock; pop", ";", "jazz"]),
    year=st.sampled_from([None, 0, 1970, 99999]),
)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.data(), st.integers(2, 12), st.integers(1, 5))
def test_predictions_are_within_the_range_of_ratings(
    data: st.DataObject, count: int, dimension: int
) -> None:
    ratings = data.draw(st.lists(st.floats(0, 10), min_size=count, max_size=count))
    numbers = st.sampled_from([0.0, 1.0, -1.0, 1e-30, 1e30, 0.5])
    vectors = np.array(
        data.draw(st.lists(numbers, min_size=count * dimension, max_size=count * dimension)),
        dtype=np.float32,
    ).reshape(count, dimension)
    described_tags = data.draw(st.lists(tags, min_size=count, max_size=count))
    uris = data.draw(st.lists(st.text(min_size=1), min_size=count, max_size=count))

    with np.errstate(over="ignore"):
        examples = training_set(described(vectors, described_tags, uris), ratings)
    assert_sane(examples)


@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 16), st.integers(2, 24), st.floats(0, 4))
def test_promotion_never_increases_the_error(
    seed: int, before: int, now: int, noise: float
) -> None:
    vectors, ratings = two_kinds(now, seed)
    ratings = np.clip(ratings + np.random.default_rng(seed).normal(scale=noise, size=now), 0, 10)
    examples = training_set(described(vectors), ratings)
    few = examples.tracks.take(range(min(before, now)))
    old = worker_tasks.train(training_set(few, ratings[: len(few)]), seed)
    new = worker_tasks.train(examples, seed)

    promoted, _ = promotion(
        worker_tasks.compare(new.blob, examples, seed),
        worker_tasks.compare(old.blob, examples, seed),
    )

    current = new if promoted else old
    error_after = worker_tasks.compare(current.blob, examples, seed).mean_absolute_error
    assert error_after <= worker_tasks.compare(old.blob, examples, seed).mean_absolute_error


def test_perceptron_needs_a_minimum_of_ratings() -> None:
    vectors, ratings = two_kinds(30)

    few = worker_tasks.train(training_set(described(vectors[:29]), ratings[:29]), seed=0)
    enough = worker_tasks.train(training_set(described(vectors), ratings), seed=0)

    assert set(few.metrics.model_errors) == {"mean", "neighbours", "Gaussian process"}
    assert set(enough.metrics.model_errors) == {
        "mean",
        "neighbours",
        "Gaussian process",
        "perceptron",
    }


@pytest.mark.parametrize("kind", ["mean", "neighbours", "Gaussian process", "perceptron"])
def test_model_is_the_same_after_saving(kind: str) -> None:
    vectors, ratings = two_kinds(20)
    examples = training_set(described(vectors), ratings)
    fitted = fit(kind, examples)[1]
    learnt = worker_tasks.examples(examples)

    mean, stddev = worker_tasks.predict(saved_as(kind, examples), examples.tracks)
    expected = fitted.predict(learnt.inputs)
    np.testing.assert_array_equal(mean, expected.mean)
    np.testing.assert_array_equal(stddev, expected.stddev)


def test_influences_are_similar_tracks() -> None:
    vectors, ratings = two_kinds(24)
    model = worker_tasks.train(training_set(described(vectors), ratings), seed=0)

    found = worker_tasks.influences(model.blob, described(vectors[:1]), 5)

    shares = [share for _, share in found]
    assert shares == sorted(shares, reverse=True)
    assert 0 < sum(shares) <= 1
    assert len(found) == 5
    # The first few are of the track's own kind, whose rows are even.
    assert all(int(track_id, 16) % 2 == 0 for track_id, _ in found[:3])


@pytest.mark.parametrize("damage", [b"", b"not an archive", None])
def test_damaged_model_is_refused(damage: bytes | None) -> None:
    vectors, ratings = two_kinds(12)
    model = worker_tasks.train(training_set(described(vectors), ratings), seed=0).blob
    broken = model[: len(model) // 2] if damage is None else damage

    with pytest.raises(StoreError, match="train it anew"):
        worker_tasks.predict(broken, described(vectors))


def test_model_of_an_older_format_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, ratings = two_kinds(12)
    monkeypatch.setattr(serialization, "VERSION", serialization.VERSION - 1)
    model = worker_tasks.train(training_set(described(vectors), ratings), seed=0).blob
    monkeypatch.undo()

    with pytest.raises(StoreError, match="train it anew"):
        worker_tasks.predict(model, described(vectors))
