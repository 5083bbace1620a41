"""Which worker gets the next track."""

import asyncio

from anagnorisisd.embedding.dask.worker_registry import WorkerRegistry


async def test_tracks_go_to_whoever_has_the_least_to_do_for_its_size() -> None:
    members = WorkerRegistry()
    members.admit("small", 2)
    members.admit("large", 4)

    taken = [(await members.take()).address for _ in range(6)]

    assert members.places == 6
    assert taken.count("large") == 4
    assert taken[:2] == ["small", "large"]


async def test_who_is_full_is_waited_for() -> None:
    members = WorkerRegistry()
    members.admit("one", 1)
    first = await members.take()
    waiting = [asyncio.create_task(members.take()) for _ in range(2)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)

    members.leave(first)
    members.admit("other", 1)

    assert {(await task).address for task in waiting} == {"one", "other"}


async def test_others_come_first_but_a_lone_one_is_asked_again() -> None:
    members = WorkerRegistry()
    members.admit("bad", 2)
    assert (await members.take(["bad"])).address == "bad"

    members.admit("good", 1)
    assert (await members.take(["bad"])).address == "good"
    waiting = asyncio.create_task(members.take(["bad"]))
    await asyncio.sleep(0)

    assert not waiting.done(), "it waits for the good one, although the bad one is free"
    waiting.cancel()


async def test_who_leaves_is_known_to_those_who_wait_for_its_answer() -> None:
    members = WorkerRegistry()
    members.admit("one", 1)
    members.admit("other", 1)
    taken = [await members.take() for _ in range(2)]

    members.keep(["other"])

    assert {member.address: member.gone.is_set() for member in taken} == {
        "one": True,
        "other": False,
    }
    assert len(members) == members.places == 1
    for member in taken:
        members.leave(member)
    assert (await members.take()).address == "other"
