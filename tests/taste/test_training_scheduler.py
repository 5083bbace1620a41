"""When the evaluator learns, over a real database, and what remains after a stop or a failure."""

import asyncio
import math
from datetime import time
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from anagnorisisd.config import schema
from anagnorisisd.domain.evaluator import (
    EvaluatorStatus,
    Metrics,
    TrainedModel,
    TrainingOutcome,
    TrainingPhase,
    TrainingSet,
)
from anagnorisisd.domain.play import PlayOutcome
from anagnorisisd.errors import InvalidValue, PreconditionFailed, WorkerLost
from anagnorisisd.events import (
    EvaluatorPromoted,
    Event,
    PredictionsUpdated,
    TracksEmbedded,
)
from anagnorisisd.runtime import daily_schedule
from anagnorisisd.storage.stores import Stores
from anagnorisisd.taste.evaluator import ReportModel
from tests.fakes.clock import FakeClock
from tests.fakes.evaluator import InlineEvaluator
from tests.fakes.scheduler import HandScheduler
from tests.support.library import play
from tests.support.training import (
    DAY,
    OTHER,
    STAMP,
    Bench,
    liked_above_disliked,
    make_bench,
    running,
    trained,
)

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
async def bench(stores: Stores, clock: FakeClock) -> Bench:
    return await make_bench(stores, clock)


async def test_too_few_ratings_are_reported(bench: Bench) -> None:
    training = bench.training()
    await bench.embed(range(30))
    await bench.rate(range(5))

    _, result = await trained(training)

    assert result.outcome is TrainingOutcome.TOO_FEW_RATINGS
    assert result.reason.startswith("3 more rated and embedded tracks are needed")
    status = await training.status()
    assert (status.examples, status.needed, status.evaluator) == (5, 3, None)
    assert status.last_training_at == bench.clock.now()


async def test_training_predicts_all_tracks_and_reports_progress(
    bench: Bench,
) -> None:
    await bench.embed(range(28))
    await bench.rate(range(12))

    progress, result = await trained(bench.training())

    assert result.outcome is TrainingOutcome.PROMOTED
    assert result.version is not None
    assert result.version.metrics.error_ratio < 0.6
    predicted = await bench.predicted()
    assert set(predicted) == set(range(28))
    assert liked_above_disliked(predicted)
    phases = [each.phase for each in progress]
    assert list(dict.fromkeys(phases)) == list(TrainingPhase)
    fractions = [each.fraction for each in progress]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


async def test_second_caller_shares_the_training(
    bench: Bench,
) -> None:
    training = bench.training()
    await bench.embed(range(30))
    await bench.rate(range(12))
    bench.evaluator.hold = asyncio.Event()
    leaving = training.train()
    await anext(leaving)
    await leaving.aclose()  # type: ignore[attr-defined]

    followers = [asyncio.create_task(trained(training)) for _ in range(2)]
    await bench.clock.advance(0)
    bench.evaluator.hold.set()
    results = [result for _, result in await asyncio.gather(*followers)]

    assert results[0] == results[1]
    assert bench.evaluator.trainings == 1
    assert len(await bench.stores.evaluators.versions(10)) == 1


async def test_request_during_a_training_includes_earlier_ratings(
    bench: Bench,
) -> None:
    training = bench.training()
    await bench.embed(range(30))
    await bench.rate(range(10), turned=True)
    bench.evaluator.hold = asyncio.Event()
    first = asyncio.create_task(trained(training))
    await bench.until(bench.evaluator.training)
    await bench.rate(range(20))

    later = [asyncio.create_task(trained(training)) for _ in range(3)]
    await bench.clock.advance(0)
    bench.evaluator.hold.set()
    (_, early), *shared = await asyncio.gather(first, *later)

    assert early.version is not None
    assert early.version.rating_count == 10
    for _, result in shared:
        assert result == shared[0][1]
        assert result.version is not None
        assert result.version.rating_count == 20
    assert bench.evaluator.trainings == 2
    assert liked_above_disliked(await bench.predicted())


async def test_request_during_a_training_includes_new_embeddings(
    bench: Bench,
) -> None:
    training = bench.training()
    await bench.embed(range(10))
    await bench.rate(range(20))
    bench.evaluator.hold = asyncio.Event()
    first = asyncio.create_task(trained(training))
    await bench.until(bench.evaluator.training)
    await bench.embed(range(10, 20))

    later = asyncio.create_task(trained(training))
    await bench.clock.advance(0)
    bench.evaluator.hold.set()
    await first
    _, result = await later

    assert result.version is not None
    assert result.version.rating_count == 20


async def test_first_training_starts_with_enough_ratings(bench: Bench) -> None:
    async with running(bench.training()):
        await bench.embed(range(30))
        await bench.rate(range(7))
        await bench.clock.advance(10)
        assert await bench.stores.evaluators.current() is None

        await bench.rate(range(7, 8))

        async def all_predicted() -> bool:
            return len(await bench.predicted()) == 30

        await bench.until(all_predicted)
        assert liked_above_disliked(await bench.predicted())


async def test_new_tracks_and_ratings_are_learnt_without_a_training(bench: Bench) -> None:
    await bench.embed(range(20))
    await bench.rate(range(10))
    training = bench.training()
    await trained(training)
    with bench.events.subscribe() as news:
        async with running(training):
            await bench.embed(range(20, 30))

            async def all_predicted() -> bool:
                return len(await bench.predicted()) == 30

            await bench.until(all_predicted)
            await bench.rate(range(12), turned=True)

            async def turned() -> bool:
                predicted = await bench.predicted()
                return liked_above_disliked({row + 1: mean for row, mean in predicted.items()})

            await bench.until(turned)
            published: list[Event] = [(await news.next()).event for _ in range(2)]

    assert any(isinstance(event, TracksEmbedded | PredictionsUpdated) for event in published)
    assert bench.evaluator.trainings == 1


async def test_ratings_while_stopped_are_learnt_at_the_next_start(
    bench: Bench,
) -> None:
    await bench.embed(range(20))
    await bench.rate(range(10))
    await trained(bench.training())
    await bench.rate(range(12), turned=True)
    await bench.embed(range(20, 30))

    async with running(bench.training()):

        async def made_up_for() -> bool:
            predicted = await bench.predicted()
            return len(predicted) == 30 and liked_above_disliked(
                {row + 1: mean for row, mean in predicted.items()}
            )

        await bench.until(made_up_for)
    assert bench.evaluator.trainings == 1


async def test_start_without_changes_predicts_nothing(bench: Bench) -> None:
    await bench.embed(range(30))
    await bench.rate(range(10))
    await trained(bench.training())
    with bench.events.subscribe() as news:
        async with running(bench.training()):

            async def learnt() -> bool:
                return bench.evaluator.refits == 1

            await bench.until(learnt)
            await bench.clock.advance(5)
        bench.events.publish(EvaluatorPromoted(99))

        assert (await news.next()).event == EvaluatorPromoted(99)


class Worse(InlineEvaluator):
    """Trains evaluators that do badly on held-out ratings from the second on."""

    async def train(self, examples: TrainingSet, seed: int, report: ReportModel) -> TrainedModel:
        model = await super().train(examples, seed, report)
        return model if self.trainings == 1 else TrainedModel("mean", b"worse", model.metrics, {})

    async def compare(self, old: bytes, examples: TrainingSet, seed: int) -> Metrics:
        error = 9.0 if old == b"worse" else 1.0
        return Metrics(error, 2.0, 0.0, 0.7, 0.9, {})


async def test_worse_evaluator_is_not_promoted(bench: Bench) -> None:
    bench.evaluator = Worse()
    training = bench.training()
    await bench.embed(range(30))
    await bench.rate(range(10))
    await trained(training)
    await bench.rate(range(12), turned=True)

    _, result = await trained(training)

    assert result.outcome is TrainingOutcome.NOT_PROMOTED
    assert result.reason == "worse: mean absolute error 9.000 (current evaluator 1.000)"
    current = await bench.stores.evaluators.current()
    assert current is not None
    assert current.version == 1
    versions = await bench.stores.evaluators.versions(10)
    assert [version.status for version in versions] == [
        EvaluatorStatus.NOT_PROMOTED,
        EvaluatorStatus.CURRENT,
    ]
    assert liked_above_disliked({row + 1: mean for row, mean in (await bench.predicted()).items()})


@pytest.mark.parametrize("seed", range(3))
async def test_training_never_increases_the_error(bench: Bench, seed: int) -> None:
    rng = np.random.default_rng(seed)
    training = bench.training()
    await bench.embed(range(30))
    await bench.rate(range(10))
    await trained(training)
    for _ in range(3):
        for row in rng.choice(30, 8, replace=False):
            await bench.ratings.rate(bench.tracks[row], float(rng.integers(11)), source="test")
        before = await current_model(bench)

        await trained(training)

        examples = await bench.stores.embeddings.training_set(STAMP)
        count = len(examples)
        old = await bench.evaluator.compare(before, examples, count)
        new = await bench.evaluator.compare(await current_model(bench), examples, count)
        assert new.mean_absolute_error <= old.mean_absolute_error


async def current_model(bench: Bench) -> bytes:
    current = await bench.stores.evaluators.current()
    assert current is not None
    return await bench.stores.evaluators.blob(current.version)


async def test_stop_during_a_training_keeps_the_evaluator(bench: Bench) -> None:
    training = bench.training()
    await bench.embed(range(30))
    await bench.rate(range(10))
    await trained(training)
    before = await bench.predicted()
    last = await bench.stores.evaluators.last_training()
    bench.evaluator.hold = asyncio.Event()
    bench.clock.jump(60)

    async with running(training):
        follower = asyncio.create_task(trained(training))
        await bench.clock.advance(1)
    with pytest.raises(PreconditionFailed, match="stopping"):
        await follower

    current = await bench.stores.evaluators.current()
    assert current is not None
    assert current.version == 1
    assert await bench.predicted() == before
    # It did not end, so it is made up for.
    assert await bench.stores.evaluators.last_training() == last


class Dying(InlineEvaluator):
    """Its worker dies while it trains, unless a test has it live."""

    alive = False

    async def train(self, examples: TrainingSet, seed: int, report: ReportModel) -> TrainedModel:
        if self.alive:
            return await super().train(examples, seed, report)
        self.trainings += 1
        raise WorkerLost("the evaluator worker died during this task")


async def test_worker_death_fails_the_training(
    bench: Bench,
) -> None:
    bench.evaluator = Dying()
    training = bench.training()
    await bench.embed(range(30))
    await bench.rate(range(10))

    with pytest.raises(WorkerLost):
        await trained(training)

    assert await bench.stores.evaluators.last_training() == bench.clock.now()
    assert not (await training.status()).training


async def failed_times(bench: Bench, count: int) -> None:
    """Wait until so many trainings have failed, and that is on record."""

    async def so() -> bool:
        return (await bench.stores.evaluators.failures()).count >= count

    await bench.until(so)


async def test_failed_first_training_is_not_retried_at_each_embedding(
    bench: Bench,
) -> None:
    bench.evaluator = Dying()
    await bench.rate(range(10))
    scheduler = HandScheduler()
    async with running(bench.training(scheduler=scheduler)):
        await bench.embed(range(10))
        await failed_times(bench, 1)
        for row in range(10, 30):
            await bench.embed(range(row, row + 1))
            await bench.clock.advance(5)

        assert bench.evaluator.trainings == 1


async def test_failed_replacement_is_not_retried_at_each_rating(
    bench: Bench,
) -> None:
    await bench.embed(range(30))
    await bench.rate(range(10))
    await trained(bench.training())
    await bench.stores.evaluators.update_blob(1, b"damaged")
    bench.evaluator = Dying()
    async with running(bench.training(scheduler=HandScheduler())):
        await failed_times(bench, 1)
        for row in range(10, 20):
            await bench.rate(range(row, row + 1))
            await bench.clock.advance(5)

        assert bench.evaluator.trainings == 1


async def test_failed_trainings_are_retried_at_growing_intervals(
    bench: Bench,
) -> None:
    bench.evaluator = dying = Dying()
    training = bench.training(scheduler=(scheduler := HandScheduler()), time="03:30")
    await bench.embed(range(30))
    await bench.rate(range(10))
    tried_at = []
    async with running(training):
        await failed_times(bench, 1)
        began = bench.clock.now()
        for _ in range(2 * 24 * 60):
            bench.clock.jump(60)
            before = dying.trainings
            await scheduler.check()
            if dying.trainings > before:
                tried_at.append(round((bench.clock.now() - began) / 60))
        status = await training.status()
        dying.alive = True
        bench.clock.jump(DAY)
        await scheduler.check()

    # It was 17:06 in Berlin, so the night comes after some 624 minutes, and again a day later.
    night = math.ceil((daily_schedule.next_due(began, time(3, 30), BERLIN) - began) / 60)
    assert tried_at == [10, 30, 70, 150, 310, night, night + 640, night + 1440]
    assert status.failures.count == dying.trainings - 1
    assert "worker died" in status.failures.reason
    assert status.next_training_at > bench.clock.now() - DAY
    after = await training.status()
    assert after.failures.count == 0
    assert after.evaluator is not None


async def test_requested_training_starts_despite_failures(bench: Bench) -> None:
    bench.evaluator = dying = Dying()
    training = bench.training()
    await bench.embed(range(30))
    await bench.rate(range(10))
    with pytest.raises(WorkerLost):
        await trained(training)
    dying.alive = True

    _, result = await trained(training)

    assert result.outcome is TrainingOutcome.PROMOTED
    assert (await training.status()).failures.count == 0


async def test_failed_refit_is_repeated(bench: Bench) -> None:
    class Once(InlineEvaluator):
        async def refit(self, model: bytes, examples: TrainingSet) -> bytes:
            if not self.refits:
                self.refits += 1
                raise WorkerLost("the evaluator worker died during this task")
            return await super().refit(model, examples)

    await bench.embed(range(30))
    await bench.rate(range(10))
    await trained(bench.training())
    await bench.rate(range(12), turned=True)
    bench.evaluator = Once()
    training = bench.training()

    life = asyncio.create_task(training.run())
    await bench.until(lambda: has_learnt(bench, 1))
    await asyncio.wait({life})
    assert isinstance(life.exception(), ExceptionGroup)
    async with running(training):

        async def turned() -> bool:
            predicted = await bench.predicted()
            return liked_above_disliked({row + 1: mean for row, mean in predicted.items()})

        await bench.until(turned)


async def has_learnt(bench: Bench, times: int) -> bool:
    return bench.evaluator.refits >= times


async def test_new_embedder_gets_an_evaluator_when_most_tracks_are_embedded(
    bench: Bench,
) -> None:
    await bench.embed(range(30))
    await bench.rate(range(20))
    await trained(bench.training())
    before = await bench.predicted()

    async with running(bench.training(OTHER)):
        await bench.embed(range(10), OTHER)
        await bench.clock.advance(30)
        current = await bench.stores.evaluators.current()
        assert current is not None
        assert current.stamp == STAMP
        assert await bench.predicted() == before

        await bench.embed(range(10, 25), OTHER)

        async def taken_over() -> bool:
            current = await bench.stores.evaluators.current()
            return current is not None and current.stamp == OTHER

        await bench.until(taken_over)
    # What the new embedder has not reached keeps its old prediction.
    after = await bench.predicted()
    assert {row: after[row] for row in range(25, 30)} == {row: before[row] for row in range(25, 30)}


async def test_rollback_makes_an_earlier_version_current(bench: Bench) -> None:
    training = bench.training()
    await bench.embed(range(30))
    await bench.rate(range(10))
    await trained(training)
    await bench.rate(range(16))
    _, result = await trained(training)
    assert result.outcome is TrainingOutcome.PROMOTED

    current = await training.rollback(1)

    assert (current.version, current.status) == (1, EvaluatorStatus.CURRENT)
    assert await bench.stores.evaluators.unpredicted(1, STAMP, 100) == []
    with pytest.raises(InvalidValue, match="there is no evaluator 7"):
        await training.rollback(7)
    with pytest.raises(PreconditionFailed, match="made for the embedder test-1"):
        await bench.training(OTHER).rollback(2)


async def test_influences_are_rated_tracks(bench: Bench) -> None:
    training = bench.training()
    await bench.embed(range(29))
    assert await training.explanations.influences(bench.tracks[20]) == []
    await bench.rate(range(12))
    await trained(training)

    found = await training.explanations.influences(bench.tracks[20])

    rated = {bench.tracks[row] for row in range(12)}
    assert found
    assert {track for track, _ in found} <= rated
    assert await training.explanations.influences(bench.tracks[29]) == []


async def test_unreadable_model_is_replaced_by_a_requested_training(bench: Bench) -> None:
    training = bench.training()
    await bench.embed(range(30))
    await bench.rate(range(10))
    await trained(training)
    await bench.stores.evaluators.update_blob(1, b"damaged")

    _, result = await trained(training)

    assert result.outcome is TrainingOutcome.PROMOTED
    assert liked_above_disliked(await bench.predicted())


async def test_unreadable_model_is_replaced_at_the_start(bench: Bench) -> None:
    await bench.embed(range(30))
    await bench.rate(range(10))
    await trained(bench.training())
    await bench.stores.evaluators.update_blob(1, b"of another version")

    async with running(bench.training()):

        async def replaced() -> bool:
            current = await bench.stores.evaluators.current()
            return current is not None and current.version == 2

        await bench.until(replaced)


async def test_parts_are_shares_of_the_traits(bench: Bench) -> None:
    training = bench.training()
    await bench.embed(range(29))
    assert await training.explanations.parts(bench.tracks[20]) == {}
    await bench.rate(range(12))
    await trained(training)

    parts = await training.explanations.parts(bench.tracks[20])

    assert set(parts) <= {"audio", "artist", "album", "folder", "parent_folder", "genre", "year"}
    assert sum(parts.values()) == pytest.approx(1.0)


async def test_suggestions_are_unrated_tracks(
    bench: Bench,
) -> None:
    training = bench.training()
    with pytest.raises(PreconditionFailed, match="no unrated track"):
        await training.explanations.suggest(4, seed=1)
    await bench.embed(range(30))
    await bench.rate(range(12))

    before = await training.explanations.suggest(4, seed=1)
    await trained(training)
    after = await training.explanations.suggest(40, seed=1)

    unrated = set(bench.tracks[12:])
    assert len(set(before)) == 4
    assert set(before) <= unrated
    assert set(after) == unrated


async def test_old_models_are_deleted_but_not_their_metrics(bench: Bench) -> None:
    training = bench.training()
    metrics = Metrics(1.0, 2.0, 0.5, 0.7, 0.9, {})
    for version in range(25):
        await bench.stores.evaluators.add(
            TrainedModel("mean", b"model", metrics, {}),
            STAMP,
            rating_count=10,
            status=EvaluatorStatus.CURRENT if version == 2 else EvaluatorStatus.NOT_PROMOTED,
            promotion_reason="",
            at=bench.clock.now(),
        )

    blobs = [await bench.stores.evaluators.blob(version) for version in range(1, 26)]

    assert [bool(blob) for blob in blobs] == [False, False, True, False, False, *[True] * 20]
    versions = await bench.stores.evaluators.versions(100)
    assert [version.metrics for version in versions] == [metrics] * 25
    with pytest.raises(PreconditionFailed, match="no longer kept"):
        await training.rollback(1)


async def test_implicit_feedback_is_of_the_last_played_tracks(bench: Bench) -> None:
    await bench.embed(range(10))
    await bench.rate(range(2))
    for row, outcome in enumerate(
        [PlayOutcome.FULL, PlayOutcome.SKIP, PlayOutcome.SKIP, PlayOutcome.FULL]
    ):
        bench.clock.jump(60)
        at = bench.clock.now()
        await bench.stores.plays.append(play(bench.tracks[row], outcome, ended_at=at))
    await bench.stores.plays.append(play(bench.tracks[20]))

    heard = await bench.stores.embeddings.implicit_feedback(STAMP, 10)
    newest = await bench.stores.embeddings.implicit_feedback(STAMP, 1)

    assert heard.tracks.track_ids == [bench.tracks[3], bench.tracks[2]]
    assert heard.full_plays.tolist() == [1.0, 0.0]
    assert heard.skips.tolist() == [0.0, 1.0]
    assert newest.tracks.track_ids == [bench.tracks[3]]


async def test_reconfigure_applies_at_once(bench: Bench) -> None:
    training = bench.training(minimum_ratings=20, time="03:30", timezone="UTC")
    await bench.embed(range(30))
    await bench.rate(range(10))
    before = await training.status()
    async with running(training):
        await bench.clock.advance(5)
        assert await bench.stores.evaluators.current() is None

        training.reconfigure(schema.Training(minimum_ratings=10, time="04:30", timezone="UTC"))

        await bench.until(lambda: has_evaluator(bench))
    after = await training.status()
    assert (before.needed, after.needed) == (10, 0)
    assert after.next_training_at - before.next_training_at == 3600


async def has_evaluator(bench: Bench) -> bool:
    return await bench.stores.evaluators.current() is not None
