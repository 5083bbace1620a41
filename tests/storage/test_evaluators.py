"""Evaluator versions and their predicted ratings."""

import numpy as np
import pytest

from anagnorisisd.domain.evaluator import EvaluatorStatus, Evidence, Failures, TagPreference
from anagnorisisd.domain.track import Prediction, Uri
from anagnorisisd.errors import InvalidValue, StoreError
from anagnorisisd.storage.stores import Stores
from tests.support.library import (
    EPOCH,
    STAMP,
    add_evaluator,
    add_tracks,
    add_vectors,
    predict,
    vector,
)


async def test_version_comes_back_as_it_was(stores: Stores) -> None:
    added = await add_evaluator(stores, blob=b"\x00\xff model")
    assert added.version == 1
    assert await stores.evaluators.current() == added
    assert await stores.evaluators.versions(10) == [added]
    assert await stores.evaluators.blob(1) == b"\x00\xff model"
    assert added.metrics.model_errors == {"mean": 1.6, "neighbours": 1.4}
    assert added.notes == {"implicit_feedback": "not used"}
    assert (added.stamp, added.trained_at, added.rating_count) == (STAMP, EPOCH, 20)


async def test_tag_preferences_are_stored_with_their_version(stores: Stores) -> None:
    first, second = await add_evaluator(stores), await add_evaluator(stores)
    jazz = TagPreference("jazz", 1.25, 2.0, 9)

    updated = await stores.evaluators.put_tag_preferences(second.version, [jazz])

    assert list(updated.tag_preferences) == [jazz]
    assert await stores.evaluators.current() == updated
    assert list((await stores.evaluators.version(first.version)).tag_preferences) == []
    with pytest.raises(InvalidValue, match="no evaluator 7"):
        await stores.evaluators.put_tag_preferences(7, [jazz])


async def test_predicted_means_are_those_of_the_version(stores: Stores) -> None:
    a, b = await add_tracks(stores, "a", "b")
    await predict(stores, {a: 6.0, b: 7.0})
    await predict(stores, {b: 3.0})

    versions = [each.version for each in await stores.evaluators.versions(10)]
    found = [await stores.evaluators.predicted_means(version) for version in versions]

    assert found == [{b: 3.0}, {a: 6.0}]


async def test_there_is_none_at_first(stores: Stores) -> None:
    assert await stores.evaluators.current() is None
    assert await stores.evaluators.versions(10) == []
    assert await stores.evaluators.last_training() is None


async def test_one_version_is_in_charge(stores: Stores) -> None:
    for status in (EvaluatorStatus.CURRENT, EvaluatorStatus.CURRENT, EvaluatorStatus.NOT_PROMOTED):
        await add_evaluator(stores, status)
    found = await stores.evaluators.versions(10)
    assert [(each.version, each.status) for each in found] == [
        (3, EvaluatorStatus.NOT_PROMOTED),
        (2, EvaluatorStatus.CURRENT),
        (1, EvaluatorStatus.RETIRED),
    ]


async def test_earlier_version_can_be_put_in_charge(stores: Stores) -> None:
    await add_evaluator(stores)
    await add_evaluator(stores)
    again = await stores.evaluators.make_current(1)
    assert (again.version, again.status) == (1, EvaluatorStatus.CURRENT)
    assert await stores.evaluators.current() == again
    assert await stores.evaluators.make_current(1) == again


async def test_version_that_is_not_there_is_refused(stores: Stores) -> None:
    added = await add_evaluator(stores)
    with pytest.raises(InvalidValue, match="no evaluator 7"):
        await stores.evaluators.make_current(7)
    with pytest.raises(InvalidValue, match="no evaluator 7"):
        await stores.evaluators.blob(7)
    with pytest.raises(InvalidValue, match="no evaluator 7"):
        await stores.evaluators.update_blob(7, b"")
    assert await stores.evaluators.current() == added


async def test_model_that_learnt_replaces_its_blob(stores: Stores) -> None:
    added = await add_evaluator(stores, blob=b"before")
    await stores.evaluators.update_blob(added.version, b"after")
    assert await stores.evaluators.blob(added.version) == b"after"


async def test_predictions_replace_those_of_the_same_tracks(stores: Stores) -> None:
    a, b = await add_tracks(stores, "a", "b")
    await predict(stores, {a: 6.0, b: 7.0})
    await predict(stores, {b: 3.0}, stddev=0.5)
    shown = [(await stores.library.track(track, STAMP)).prediction for track in (a, b)]
    assert shown == [Prediction(6.0, 1.0), Prediction(3.0, 0.5)]


async def test_unpredicted_are_present_tracks_with_a_vector_and_no_opinion(stores: Stores) -> None:
    predicted, new, _, gone = await add_tracks(stores, "predicted", "new", "no vector", "gone")
    await add_vectors(stores, {track: vector(1, 2, 3, 4) for track in (predicted, new, gone)})
    await stores.library.mark_missing([Uri("gone")], EPOCH)
    await predict(stores, {predicted: 5.0})
    assert await stores.evaluators.unpredicted(1, STAMP, 10) == [new]
    await add_evaluator(stores)
    assert set(await stores.evaluators.unpredicted(2, STAMP, 10)) == {predicted, new}
    assert len(await stores.evaluators.unpredicted(2, STAMP, 1)) == 1


async def test_prediction_that_is_no_number_is_refused_with_its_batch(stores: Stores) -> None:
    a, b = await add_tracks(stores, "a", "b")
    version = (await add_evaluator(stores)).version
    with pytest.raises(StoreError):
        await stores.evaluators.put_predictions(
            version, [a, b], np.array([5.0, np.nan]), np.array([1.0, 1.0])
        )
    assert (await stores.library.track(a, STAMP)).prediction is None


async def test_failures_count_from_the_last_training_that_did_not_fail(stores: Stores) -> None:
    evidence = Evidence(newest_rating=7, examples=5)
    assert await stores.evaluators.failures() == Failures()
    assert await stores.evaluators.last_evidence() is None
    await stores.evaluators.record_failure(EPOCH, "no memory")
    await stores.evaluators.record_training(EPOCH + 1, "promoted", evidence)
    assert await stores.evaluators.failures() == Failures()
    for moment in (2, 3):
        await stores.evaluators.record_failure(EPOCH + moment, f"failed: {moment}")
    assert await stores.evaluators.failures() == Failures(2, EPOCH + 3, "failed: 3")
    assert await stores.evaluators.last_evidence() == evidence


async def test_trainings_are_remembered(stores: Stores) -> None:
    await stores.evaluators.record_training(EPOCH, "promoted")
    await stores.evaluators.record_training(EPOCH + 1, "kept")
    assert await stores.evaluators.last_training() == EPOCH + 1
