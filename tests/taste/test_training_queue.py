"""Requests for trainings, interleaved with ratings and ends of trainings."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anagnorisisd.domain.evaluator import (
    Evidence,
    TrainingOutcome,
    TrainingProgress,
    TrainingResult,
)
from anagnorisisd.taste.trainer import ReportProgress
from anagnorisisd.taste.training_queue import TrainingQueue


class Listener:
    """Rates and asks; a training ends when told to, with the number of ratings it learnt from."""

    def __init__(self) -> None:
        self.ratings = 0
        self.begun = 0
        self.under_way = 0
        self.errors: list[Exception] = []
        self.end = asyncio.Semaphore(0)
        self.queue = TrainingQueue(
            evidence=self.evidence,
            train=self.train,
            failed=self.failed,
            training_lock=asyncio.Lock(),
        )

    async def evidence(self) -> Evidence:
        await asyncio.sleep(0)
        return Evidence(self.ratings, 0)

    async def train(self, report: ReportProgress, evidence: Evidence) -> TrainingResult:
        self.begun += 1
        self.under_way += 1
        assert self.under_way == 1
        seen = self.ratings
        assert seen >= evidence.newest_rating
        await self.end.acquire()
        self.under_way -= 1
        return TrainingResult(TrainingOutcome.NOT_PROMOTED, str(seen))

    async def failed(self, error: Exception) -> None:
        self.errors.append(error)

    async def ask(self) -> tuple[int, int]:
        """Return how many ratings there were before, and how many were learnt from."""
        before = self.ratings
        said: list[TrainingProgress] = []
        followed = await self.queue.request()
        async for progress in followed.follow():
            said.append(progress)
        return before, int(said[-1].message)


async def settle() -> None:
    for _ in range(12):
        await asyncio.sleep(0)


@given(st.lists(st.sampled_from(["rate", "ask", "end", "settle"]), max_size=40))
def test_each_request_gets_all_earlier_ratings(steps: list[str]) -> None:
    async def listen() -> None:
        listener = Listener()
        asked = []
        for step in steps:
            if step == "rate":
                listener.ratings += 1
            elif step == "ask":
                asked.append(asyncio.create_task(listener.ask()))
                await asyncio.sleep(0)
            elif step == "end":
                listener.end.release()
            else:
                await settle()
        for _ in range(len(asked) + 1):
            listener.end.release()
        for before, learnt in await asyncio.gather(*asked):
            assert learnt >= before
        await settle()
        assert not listener.queue.busy
        assert listener.begun <= len(asked)
        assert listener.errors == []

    asyncio.run(listen())


async def test_waiting_requests_share_one_training() -> None:
    listener = Listener()
    asked = [asyncio.create_task(listener.ask())]
    await settle()
    for _ in range(5):
        listener.ratings += 1
        asked.append(asyncio.create_task(listener.ask()))
        await settle()
    for _ in range(2):
        listener.end.release()

    assert [learnt for _, learnt in await asyncio.gather(*asked)] == [0, 5, 5, 5, 5, 5]
    assert listener.begun == 2


async def test_whoever_follows_sees_the_training_that_ends_last() -> None:
    listener = Listener()
    assert listener.queue.newest is None
    asked = [asyncio.create_task(listener.ask())]
    await settle()
    first = listener.queue.newest
    assert first is not None
    listener.ratings += 1
    asked.append(asyncio.create_task(listener.ask()))
    await settle()
    second = listener.queue.newest
    assert second is not None
    assert second is not first
    for _ in range(2):
        listener.end.release()

    assert [progress.message async for progress in first.follow()][-1] == "0"
    assert [progress.message async for progress in second.follow()][-1] == "1"
    await asyncio.gather(*asked)
    assert listener.queue.newest is None
    assert listener.begun == 2


async def test_close_ends_waiting_requests() -> None:
    listener = Listener()
    asked = [asyncio.create_task(listener.ask())]
    await settle()
    listener.ratings += 1
    asked.append(asyncio.create_task(listener.ask()))
    await settle()

    await listener.queue.close()

    for task in asked:
        with pytest.raises(Exception, match="stopping"):
            await task
    assert listener.errors == []
    assert not listener.queue.busy
