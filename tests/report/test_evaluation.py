"""The evaluation of the current evaluator on held-out ratings."""

from functools import partial

import numpy as np
import pytest

from anagnorisis.v1.evaluator_pb2 import GetEvaluationResponse
from anagnorisisd.domain.embedding import EmbedderStamp
from anagnorisisd.domain.evaluator import EvaluatorStatus, TrainingSet
from anagnorisisd.errors import NoEvaluator, PreconditionFailed
from anagnorisisd.report import held_out_evaluation
from anagnorisisd.report.evaluation_service import EvaluationService, Review, evaluate_in_worker
from anagnorisisd.rpc.conversion import evaluation_message
from anagnorisisd.storage.stores import Stores
from anagnorisisd.taste.models import worker_tasks
from anagnorisisd.workers.pool import WorkerPool
from anagnorisisd.workers.readable_paths import ReadablePaths
from tests.support.examples import two_kinds
from tests.support.library import EPOCH, add_rated, add_vectors

pytestmark = pytest.mark.slow

STAMP = EmbedderStamp("test", "1", 6)
RATED = 28


async def evaluate_inline(model: bytes, training: TrainingSet) -> Review | None:
    return held_out_evaluation.evaluate(model, training)


async def train(stores: Stores) -> None:
    """Train an evaluator on all ratings, and make it the current one."""
    examples = await stores.embeddings.training_set(STAMP)
    model = worker_tasks.train(examples, seed=0)
    await stores.evaluators.add(
        model,
        STAMP,
        rating_count=len(examples),
        status=EvaluatorStatus.CURRENT,
        promotion_reason="test",
        at=EPOCH,
    )


async def rate(stores: Stores, count: int, first: int = 0) -> dict[str, float]:
    """Add rated and embedded tracks of two kinds; return their ratings by id."""
    vectors, ratings = two_kinds(count, seed=first)
    names = [f"{first + number}.ogg" for number in range(count)]
    tracks = await add_rated(stores, dict(zip(names, ratings.tolist(), strict=True)))
    await add_vectors(stores, dict(zip(tracks, vectors, strict=True)), STAMP)
    return dict(zip(map(str, tracks), ratings.tolist(), strict=True))


def service(stores: Stores, stamp: EmbedderStamp = STAMP) -> EvaluationService:
    return EvaluationService(stores.embeddings, stores.evaluators, stamp, evaluate_inline)


async def evaluated(service: EvaluationService) -> GetEvaluationResponse:
    return evaluation_message(await service.current())


async def test_each_rated_track_is_predicted_once_without_its_rating(stores: Stores) -> None:
    ratings = await rate(stores, RATED)
    await train(stores)

    answer = await evaluated(service(stores))

    assert answer.version == 1
    assert {each.track_id: each.rating for each in answer.predictions} == ratings
    assert len(answer.predictions) == RATED
    errors = [abs(each.predicted_rating - each.rating) for each in answer.predictions]
    assert 0.1 < np.mean(errors) < 2, "the two kinds differ by seven points"
    assert all(each.predicted_stddev > 0 for each in answer.predictions)


async def test_curves(stores: Stores) -> None:
    await rate(stores, RATED)
    await train(stores)

    answer = await evaluated(service(stores))

    nominal = [point.nominal_share for point in answer.calibration]
    observed = [point.observed_share for point in answer.calibration]
    assert len(nominal) == 19
    assert nominal == sorted(nominal)
    assert observed == sorted(observed)
    assert 0 <= observed[0] <= observed[-1] <= 1
    curves = {curve.model: curve.points for curve in answer.learning_curves}
    assert set(curves) == {"Gaussian process", "neighbours", "mean"}
    assert [point.rating_count for point in curves["mean"]] == [10]
    assert curves["Gaussian process"][0].mean_absolute_error < curves["mean"][0].mean_absolute_error


async def test_it_is_computed_once_for_each_version(stores: Stores) -> None:
    await rate(stores, RATED)
    await train(stores)
    evaluations = service(stores)
    first = await evaluations.current()

    await rate(stores, 2, first=100)
    same = await evaluations.current()
    await train(stores)
    second = await evaluations.current()

    assert same is first
    assert (second.version, len(second.track_ids)) == (2, RATED + 2)


async def test_a_confined_worker_computes_the_same(stores: Stores) -> None:
    await rate(stores, RATED)
    await train(stores)
    pool = WorkerPool(name="report", size=1, idle_seconds=30, readable_paths=ReadablePaths(None))
    in_worker = EvaluationService(
        stores.embeddings, stores.evaluators, STAMP, partial(evaluate_in_worker, pool)
    )
    try:
        found = await evaluated(in_worker)
    finally:
        await pool.close()

    inline = await evaluated(service(stores))
    assert [each.track_id for each in found.predictions] == [
        each.track_id for each in inline.predictions
    ]
    np.testing.assert_allclose(
        [each.predicted_rating for each in found.predictions],
        [each.predicted_rating for each in inline.predictions],
        atol=1e-6,
    )


async def test_why_there_is_none(stores: Stores) -> None:
    with pytest.raises(NoEvaluator):
        await service(stores).current()
    await rate(stores, 12)
    await train(stores)

    with pytest.raises(PreconditionFailed, match="20 rated and embedded tracks"):
        await service(stores).current()
    with pytest.raises(PreconditionFailed, match="test-1"):
        await service(stores, EmbedderStamp("other", "1", 6)).current()
