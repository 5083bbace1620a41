"""Who stands in line for the database shares a commit, and nothing else."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlite_utils

from anagnorisisd.errors import StoreError
from anagnorisisd.storage.stores import FILE_NAME, Stores

PUT = "INSERT INTO settings VALUES (?, 'yes')"


class Refused(Exception):
    """What a job raises."""


@asynccontextmanager
async def busy(stores: Stores) -> AsyncIterator[None]:
    """Keep the writer busy meanwhile, so that everybody else has to stand in line."""
    started, go_on = threading.Event(), threading.Event()

    def job(db: sqlite_utils.Database) -> None:
        started.set()
        go_on.wait()

    holding = asyncio.create_task(stores.database.write_parts([job]))
    await asyncio.to_thread(started.wait)
    try:
        yield
        await asyncio.sleep(0)  # Tasks made meanwhile join the line at their first step.
    finally:
        go_on.set()
        await holding


async def together(stores: Stores, *asked: Awaitable[Any]) -> list[Any]:
    """Ask for everything while the thread is busy; return results and errors."""
    async with busy(stores):
        everything = asyncio.gather(*asked, return_exceptions=True)
    return await everything


async def stored(stores: Stores) -> list[str]:
    names = await stores.database.read(
        lambda db: db.execute("SELECT name FROM settings ORDER BY name").fetchall()
    )
    return [name for (name,) in names]


def fail(db: sqlite_utils.Database) -> None:
    db.execute(PUT, ["half"])
    raise Refused


def lose(db: sqlite_utils.Database) -> None:
    """Fail as SQLite does on some disks: what others wrote in the transaction is gone, too."""
    db.conn.execute("ROLLBACK")
    raise Refused


async def test_writes_in_line_share_one_commit(stores: Stores) -> None:
    said: list[str] = []
    await stores.database.write(lambda db: db.conn.set_trace_callback(said.append))
    said.clear()

    await together(stores, *(stores.queue.put_setting(str(count), "yes") for count in range(5)))

    # One more is that of who kept the thread busy.
    assert said.count("COMMIT") == 1 + 1
    assert await stored(stores) == ["0", "1", "2", "3", "4"]


async def test_failing_write_undoes_only_itself(stores: Stores) -> None:
    first, failed, last = await together(
        stores,
        stores.queue.put_setting("first", "yes"),
        stores.database.write(fail),
        stores.queue.put_setting("last", "yes"),
    )

    assert (first, type(failed), last) == (None, Refused, None)
    assert await stored(stores) == ["first", "last"]


async def test_failed_commit_fails_every_write_of_the_group(stores: Stores) -> None:
    table = "CREATE TABLE c (p TEXT REFERENCES settings (name) DEFERRABLE INITIALLY DEFERRED)"
    await stores.database.write(lambda db: db.execute(table))

    answers = await together(
        stores,
        stores.queue.put_setting("innocent", "yes"),
        stores.database.write(lambda db: db.execute("INSERT INTO c VALUES ('nobody')")),
    )

    assert [type(answer) for answer in answers] == [StoreError, StoreError]
    assert await stored(stores) == []


async def test_rolled_back_transaction_fails_its_writes(stores: Stores) -> None:
    before, lost, after = await together(
        stores,
        stores.queue.put_setting("before", "yes"),
        stores.database.write(lose),
        stores.queue.put_setting("after", "yes"),
    )

    assert (type(before), type(lost), after) == (Refused, Refused, None)
    assert await stored(stores) == ["after"]


async def test_read_waits_for_no_write(stores: Stores) -> None:
    await stores.queue.put_setting("before", "yes")

    async with busy(stores):
        writing = asyncio.create_task(stores.queue.put_setting("meanwhile", "yes"))
        assert await stored(stores) == ["before"]
    await writing

    assert await stored(stores) == ["before", "meanwhile"]


async def test_reader_cannot_write(stores: Stores) -> None:
    with pytest.raises(StoreError):
        await stores.database.read(lambda db: db.execute(PUT, ["sneaked in"]))


async def test_everybody_goes_before_what_comes_in_bulk(stores: Stores) -> None:
    served: list[str] = []
    rating: list[asyncio.Task[Any]] = []
    loop = asyncio.get_running_loop()

    def part(name: str) -> Callable[[sqlite_utils.Database], None]:
        def job(db: sqlite_utils.Database) -> None:
            served.append(name)
            if name == "part 1":  # A rating comes while it is being written.
                asyncio.run_coroutine_threadsafe(rate("rating 2"), loop).result()

        return job

    async def rate(name: str) -> None:
        rating.append(asyncio.create_task(stores.database.write(lambda db: served.append(name))))
        await asyncio.sleep(0)

    async with busy(stores):
        large = asyncio.create_task(
            stores.database.write_parts([part("part 1"), part("part 2"), part("part 3")])
        )
        await asyncio.sleep(0)
        await rate("rating 1")
    await large
    await asyncio.gather(*rating)

    assert served == ["rating 1", "part 1", "rating 2", "part 2", "part 3"]


async def test_bulk_write_is_not_starved_by_ratings(stores: Stores) -> None:
    loop = asyncio.get_running_loop()
    raters: list[asyncio.Task[Any]] = []
    large: list[asyncio.Task[Any]] = []

    async def rate() -> None:
        if not large or not large[0].done():
            raters.append(asyncio.create_task(stores.database.write(rate_again)))
            await asyncio.sleep(0)

    def rate_again(db: sqlite_utils.Database) -> None:
        # The next one stands in line before this one is done, so that the lane is never empty.
        asyncio.run_coroutine_threadsafe(rate(), loop).result()

    await rate()
    parts = [lambda db: db.execute(PUT, ["a"]), lambda db: db.execute(PUT, ["b"])]
    large.append(asyncio.create_task(stores.database.write_parts(parts)))
    async with asyncio.timeout(60):
        await large[0]
    for rater in raters:
        await rater

    assert await stored(stores) == ["a", "b"]


async def test_part_that_fails_undoes_only_itself(stores: Stores) -> None:
    put = partial(stores.database.write_parts, [lambda db: db.execute(PUT, ["a"]), fail])

    with pytest.raises(Refused):
        await put()
    await stores.queue.put_setting("b", "yes")

    assert await stored(stores) == ["a", "b"]


async def test_log_is_copied_into_the_file_while_it_is_written(
    stores: Stores, tmp_path: Path
) -> None:
    log = tmp_path / "state" / f"{FILE_NAME}-wal"

    for _ in range(60):
        await stores.queue.put_setting("large", "x" * 1_000_000)

    assert log.stat().st_size < 50_000_000


async def test_cancelled_write_leaves_the_queue(stores: Stores) -> None:
    async with busy(stores):
        leaving = asyncio.create_task(stores.queue.put_setting("left", "yes"))
        staying = asyncio.create_task(stores.queue.put_setting("stayed", "yes"))
        await asyncio.sleep(0)
        leaving.cancel()
    await staying

    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert await stored(stores) == ["stayed"]
