"""The nightly training: once for each night, also after sleep, a stop or a change of the clock."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from anagnorisisd.config import schema
from anagnorisisd.domain.evaluator import TrainedModel, TrainingSet
from anagnorisisd.errors import WorkerLost
from anagnorisisd.storage.stores import Stores
from anagnorisisd.taste.evaluator import ReportModel
from tests.fakes.clock import FakeClock
from tests.fakes.evaluator import InlineEvaluator
from tests.fakes.scheduler import HandScheduler
from tests.support.training import DAY, OTHER, STAMP, Bench, make_bench, running, trained
from tests.support.until import until_async


@pytest.fixture
async def bench(stores: Stores, clock: FakeClock) -> Bench:
    return await make_bench(stores, clock)


async def test_training_once_a_night_if_there_are_new_ratings(bench: Bench) -> None:
    await bench.embed(range(30))
    await bench.rate(range(10))
    trainings = []
    async with running(bench.training()):
        for night in range(4):
            if night == 1:
                await bench.rate(range(10, 12))
            # The machine sleeps through the night; the next look makes up for it.
            bench.clock.jump(DAY)
            morning = bench.clock.now()

            async def made_up_for(morning: float = morning) -> bool:
                return (await bench.stores.evaluators.last_training() or 0) >= morning

            await bench.until(made_up_for)
            await bench.clock.advance(600)
            trainings.append(bench.evaluator.trainings)

    assert trainings == [1, 2, 2, 2]


async def test_ratings_during_a_training_are_learnt_the_next_night(bench: Bench) -> None:
    training = bench.training()
    await bench.embed(range(30))
    await bench.rate(range(10))
    bench.evaluator.hold = asyncio.Event()
    follower = asyncio.create_task(trained(training))
    await bench.until(bench.evaluator.training)
    bench.clock.jump(60)
    await bench.rate(range(10, 12))
    bench.clock.jump(60)
    bench.evaluator.hold.set()
    await follower
    bench.clock.jump(DAY)

    async with running(training):

        async def again() -> bool:
            return bench.evaluator.trainings == 2

        await bench.until(again)


async def test_new_nightly_time_is_used(bench: Bench) -> None:
    training = bench.training(minimum_ratings=8, time="03:30", timezone="UTC")
    await bench.embed(range(30))
    await bench.rate(range(10))
    await trained(training)
    first = bench.clock.now()
    in_two_minutes = datetime.fromtimestamp(first + 120, UTC).strftime("%H:%M")

    async with running(training):
        training.reconfigure(schema.Training(time=in_two_minutes, timezone="UTC"))

        async def again() -> bool:
            return (await bench.stores.evaluators.last_training() or first) > first

        await bench.until(again)
    assert bench.clock.now() - first < 240


async def test_missed_nights_are_made_up_for_once(bench: Bench) -> None:
    await bench.embed(range(30))
    await bench.rate(range(10))
    await trained(bench.training())
    bench.clock.jump(60)
    await bench.rate(range(10, 12))
    bench.clock.jump(3 * DAY)

    for _ in range(2):  # the second start has nothing left to make up for
        scheduler = HandScheduler()
        async with running(bench.training(scheduler=scheduler)):
            await scheduler.check()
            assert bench.evaluator.trainings == 2

            bench.clock.jump(600)
            await bench.rate(range(12, 14))
            await scheduler.check()
            assert bench.evaluator.trainings == 2


@pytest.mark.parametrize(
    ("day", "changes"),
    [("2026-03-28", "02:30 does not exist"), ("2026-10-24", "02:30 comes twice")],
)
async def test_daylight_saving_change_trains_once(stores: Stores, day: str, changes: str) -> None:
    evening = datetime.fromisoformat(f"{day}T22:00").replace(tzinfo=ZoneInfo("Europe/Berlin"))
    bench = await make_bench(stores, FakeClock(evening.timestamp()))
    await bench.embed(range(30))
    await bench.rate(range(10))
    await trained(bench.training())
    scheduler = HandScheduler()
    trained_at = []
    async with running(bench.training(scheduler=scheduler, time="02:30")):
        for minutes in range(0, 600, 15):
            # With something new at any time, only the schedule keeps it from training again.
            await bench.rate(range(minutes % 20, minutes % 20 + 2))
            before = bench.evaluator.trainings
            await scheduler.check()
            if bench.evaluator.trainings > before:
                trained_at.append(minutes)
            bench.clock.jump(timedelta(minutes=15).total_seconds())

    assert trained_at == [270], changes


async def test_requested_training_at_night_is_not_repeated(
    bench: Bench,
) -> None:
    scheduler = HandScheduler()
    training = bench.training(scheduler=scheduler)
    await bench.embed(range(30))
    await bench.rate(range(10))
    await trained(training)
    bench.clock.jump(60)
    await bench.rate(range(10, 12))
    bench.evaluator.hold = asyncio.Event()
    async with running(training):
        asked = asyncio.create_task(trained(training))
        await until_async(under_way(bench))
        bench.clock.jump(DAY)
        night = asyncio.create_task(scheduler.check())
        # It follows the one under way; if it did not, it would hold a second one here.
        done, _ = await asyncio.wait({night}, timeout=0)
        assert not done
        bench.evaluator.hold.set()
        await asyncio.gather(asked, night)
        bench.clock.jump(600)
        await scheduler.check()

    assert bench.evaluator.trainings == 2


async def test_cancelled_training_is_repeated_at_the_next_start(
    bench: Bench,
) -> None:
    await bench.embed(range(30))
    await bench.rate(range(10))
    await trained(bench.training())
    bench.clock.jump(60)
    await bench.rate(range(10, 12))
    bench.evaluator.hold = asyncio.Event()
    bench.clock.jump(DAY)
    scheduler = HandScheduler()
    async with running(bench.training(scheduler=scheduler)):
        night = asyncio.create_task(scheduler.check())
        await until_async(under_way(bench))
    await asyncio.wait({night})
    current_model = await bench.stores.evaluators.current()
    assert current_model is not None
    assert current_model.version == 1
    bench.evaluator.hold = None

    scheduler = HandScheduler()
    async with running(bench.training(scheduler=scheduler)):
        await scheduler.check()

    assert len(await bench.stores.evaluators.versions(10)) == 2


def under_way(bench: Bench) -> Callable[[], Awaitable[bool]]:
    """Return whether a second training has begun."""

    async def so() -> bool:
        return bench.evaluator.trainings == 2

    return so


async def test_clock_set_back_skips_no_training(bench: Bench) -> None:
    training = bench.training()
    await bench.embed(range(30))
    await bench.rate(range(10))
    await trained(training)
    bench.clock.set_wall(-365 * DAY)
    await bench.rate(range(10, 12))
    before = bench.evaluator.trainings

    async def one_more() -> bool:
        return bench.evaluator.trainings > before

    async with running(training):
        await bench.until(one_more)


class Failing(InlineEvaluator):
    """Fails to train until a test ends that."""

    failing = True

    async def train(self, examples: TrainingSet, seed: int, report: ReportModel) -> TrainedModel:
        if self.failing:
            self.trainings += 1
            raise WorkerLost("the evaluator worker died during this task")
        return await super().train(examples, seed, report)


async def test_failed_training_is_repeated_without_new_ratings(
    bench: Bench,
) -> None:
    await bench.embed(range(30))
    await bench.rate(range(10))
    await trained(bench.training())
    await bench.rate(range(10, 12))
    bench.evaluator = failing = Failing()
    training = bench.training(scheduler=(scheduler := HandScheduler()))
    async with running(training):
        for nights in (1, 2, 3):
            bench.clock.jump(DAY)
            await scheduler.check()
            assert failing.trainings == nights
            assert (await training.status()).failures.count == nights
        failing.failing = False
        bench.clock.jump(DAY)
        await scheduler.check()

    assert len(await bench.stores.evaluators.versions(10)) == 2
    assert (await training.status()).failures.count == 0


async def test_imported_older_ratings_are_learnt(
    bench: Bench,
) -> None:
    training = bench.training(scheduler=(scheduler := HandScheduler()))
    await bench.embed(range(30))
    await bench.rate(range(10))
    await trained(training)
    long_ago = bench.clock.now() - 365 * DAY
    for row in range(10, 20):
        await bench.stores.ratings.rate(bench.tracks[row], 5.0, at=long_ago, source="import")
    async with running(training):
        bench.clock.jump(DAY)
        await scheduler.check()

    assert bench.evaluator.trainings == 2


@pytest.mark.slow
async def test_newly_embedded_rated_tracks_are_learnt(
    bench: Bench,
) -> None:
    training = bench.training(scheduler=(scheduler := HandScheduler()))
    await bench.embed(range(10))
    await bench.rate(range(30))
    await trained(training)
    await bench.embed(range(10, 30))
    async with running(training):
        bench.clock.jump(DAY)
        await scheduler.check()

    newest = (await bench.stores.evaluators.versions(1))[0]
    assert newest.rating_count == 30


async def test_no_training_during_a_change_of_the_embedder(bench: Bench) -> None:
    await bench.embed(range(30))
    await bench.rate(range(20))
    await trained(bench.training())
    await bench.rate(range(20, 22))
    await bench.embed(range(10), OTHER)
    scheduler = HandScheduler()
    async with running(bench.training(OTHER, scheduler=scheduler)):
        bench.clock.jump(DAY)
        await scheduler.check()

        assert bench.evaluator.trainings == 1
        current = await bench.stores.evaluators.current()
        assert current is not None
        assert current.stamp == STAMP
