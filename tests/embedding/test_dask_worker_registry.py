"""Which worker gets the next track."""

import asyncio

from anagnorisisd.embedding.dask.worker_registry import WorkerRegistry


async def test_tracks_go_to_whoever_has_the_least_to_do_for_its_size() -> None:
    workers = WorkerRegistry()
    workers.add("small", 2)
    workers.add("large", 4)

    taken = [(await workers.acquire()).address for _ in range(6)]

    assert workers.slots == 6
    assert taken.count("large") == 4
    assert taken[:2] == ["small", "large"]


async def test_wait_for_a_free_slot() -> None:
    workers = WorkerRegistry()
    workers.add("one", 1)
    first = await workers.acquire()
    waiting = [asyncio.create_task(workers.acquire()) for _ in range(2)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)

    workers.release(first)
    workers.add("other", 1)

    assert {(await task).address for task in waiting} == {"one", "other"}


async def test_others_come_first_but_a_lone_one_is_asked_again() -> None:
    workers = WorkerRegistry()
    workers.add("bad", 2)
    assert (await workers.acquire(["bad"])).address == "bad"

    workers.add("good", 1)
    assert (await workers.acquire(["bad"])).address == "good"
    waiting = asyncio.create_task(workers.acquire(["bad"]))
    await asyncio.sleep(0)

    assert not waiting.done(), "it waits for the good one, although the bad one is free"
    waiting.cancel()


async def test_removed_worker_is_marked_as_gone() -> None:
    workers = WorkerRegistry()
    workers.add("one", 1)
    workers.add("other", 1)
    taken = [await workers.acquire() for _ in range(2)]

    workers.keep_only(["other"])

    assert {worker.address: worker.gone.is_set() for worker in taken} == {
        "one": True,
        "other": False,
    }
    assert len(workers) == workers.slots == 1
    for worker in taken:
        workers.release(worker)
    assert (await workers.acquire()).address == "other"
