"""The evaluator in a real worker process."""

import sys
from collections.abc import AsyncIterator
from dataclasses import replace

import numpy as np
import pytest

from anagnorisisd.domain.evaluator import TrackFeatures
from anagnorisisd.domain.track import Uri
from anagnorisisd.errors import PreconditionFailed, StoreError
from anagnorisisd.taste.evaluator import WorkerEvaluator
from anagnorisisd.taste.tag_support import TagEvidence
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
    learnt = await evaluator.refit(model.blob, training_set(described(vectors), ratings))
    mean, stddev = await evaluator.predict(learnt, described(vectors))
    metrics = await evaluator.compare(model.blob, examples, 1)
    influences = await evaluator.influences(learnt, described(vectors[:1]), 3)
    liked = (vectors[:, 0] > 0)[:, None]
    evidence = TagEvidence(["jazz"], np.where(liked, 2, -1).astype(np.float32), liked, np.ones(1))
    stated = await evaluator.tag_preferences(
        learnt, training_set(apart(described(vectors)), ratings), evidence
    )

    assert mean[ratings > 5].min() > mean[ratings < 5].max()
    assert np.isfinite(stddev).all()
    assert metrics.error_ratio < 1
    assert len(influences) == 3
    assert [(tag.name, tag.liked, tag.rated_tracks) for tag in stated] == [("jazz", True, 12)]
    assert tried == ["mean", "Gaussian process", "neighbours"]


def apart(tracks: TrackFeatures) -> TrackFeatures:
    """Return the tracks in a folder each, as of different artists."""
    return replace(tracks, uris=[Uri(f"{uri}/{uri}") for uri in tracks.uris])


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
