"""The evaluator in a real worker process."""

import sys
from collections.abc import AsyncIterator

import numpy as np
import pytest

from anagnorisisd.errors import PreconditionFailed, StoreError
from anagnorisisd.taste.evaluator import WorkerEvaluator
from anagnorisisd.workers.pool import WorkerPool
from anagnorisisd.workers.readable_paths import ReadablePaths
from tests.support.examples import described, training_set, two_kinds

pytestmark = pytest.mark.slow


@pytest.fixture
async def evaluator() -> AsyncIterator[WorkerEvaluator]:
    pool = WorkerPool(name="evaluator", size=1, idle_seconds=30, readable_paths=ReadablePaths(None))
    yield WorkerEvaluator(pool)
    await pool.close()


async def test_arguments_and_results_pass_through_the_worker(evaluator: WorkerEvaluator) -> None:
    vectors, ratings = two_kinds(24)
    examples = training_set(described(vectors[:12]), ratings[:12])

    tried: list[str] = []
    model = await evaluator.train(examples, 1, lambda kind, share: tried.append(kind))
    learnt = await evaluator.learn(model.blob, training_set(described(vectors), ratings))
    mean, stddev = await evaluator.predict(learnt, described(vectors))
    metrics = await evaluator.compare(model.blob, examples, 1)
    influences = await evaluator.influences(learnt, described(vectors[:1]), 3)

    assert mean[ratings > 5].min() > mean[ratings < 5].max()
    assert np.isfinite(stddev).all()
    assert metrics.error_ratio < 1
    assert len(influences) == 3
    assert tried == ["mean", "Gaussian process", "neighbours"]


async def test_exceptions_keep_their_type(evaluator: WorkerEvaluator) -> None:
    vectors, ratings = two_kinds(2)

    with pytest.raises(PreconditionFailed, match="rated and embedded tracks are needed"):
        await evaluator.train(
            training_set(described(vectors[:1]), ratings[:1]), 1, lambda kind, share: None
        )
    with pytest.raises(StoreError, match="train it anew"):
        await evaluator.predict(b"", described(vectors))


def test_tasks_do_not_import_torch() -> None:
    before = "torch" in sys.modules

    import anagnorisisd.taste.models.worker_tasks  # noqa: F401

    assert ("torch" in sys.modules) is before
