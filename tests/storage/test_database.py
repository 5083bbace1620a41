"""One file, one thread: who may read it, what faults are said, and what survives them."""

import asyncio
import sqlite3
import stat
import threading
from pathlib import Path

import pytest
import sqlite_utils

from anagnorisisd.errors import StoreError
from anagnorisisd.storage.stores import FILE_NAME, Stores, open_stores
from tests.support.faults import damage_table
from tests.support.library import EPOCH, STAMP, add_rated, add_tracks


async def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    stores = await open_stores(tmp_path)
    (track,) = await add_rated(stores, {"a.mp3": 7.5})
    await stores.close()
    stores = await open_stores(tmp_path)
    assert (await stores.library.track(track, STAMP)).rating == 7.5
    await stores.close()


async def test_database_is_private(stores: Stores, tmp_path: Path) -> None:
    await add_tracks(stores, "a.mp3")
    directory = tmp_path / "state"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    rights = {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}
    assert rights == {f"{FILE_NAME}{end}": 0o600 for end in ("", "-wal", "-shm")}


@pytest.mark.parametrize(
    ("name", "value"),
    [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 2000)],
)
async def test_connection_is_set_for_safety(stores: Stores, name: str, value: object) -> None:
    found = await stores.database.write(lambda db: db.execute(f"PRAGMA {name}").fetchone()[0])
    assert found == value


async def test_failed_job_leaves_nothing(stores: Stores) -> None:
    def job(db: sqlite_utils.Database) -> None:
        db.execute("INSERT INTO settings VALUES ('half', 'done')")
        raise ValueError("in the middle")

    with pytest.raises(ValueError, match="in the middle"):
        await stores.database.write(job)
    assert await stores.queue.setting("half") is None


async def test_cancelled_caller_leaves_a_whole_transaction_or_none(stores: Stores) -> None:
    started, go_on = threading.Event(), threading.Event()

    def job(db: sqlite_utils.Database) -> None:
        db.execute("INSERT INTO settings VALUES ('first', 'yes')")
        started.set()
        go_on.wait()
        db.execute("INSERT INTO settings VALUES ('second', 'yes')")

    running = asyncio.create_task(stores.database.write(job))
    await asyncio.to_thread(started.wait)
    waiting = asyncio.create_task(stores.queue.put_setting("never", "begun"))
    await asyncio.sleep(0)
    for task in (running, waiting):
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    go_on.set()
    await stores.queue.put_setting("the line", "is empty")
    found = [await stores.queue.setting(name) for name in ("first", "second", "never")]
    assert found == ["yes", "yes", None]


async def test_close_lets_what_is_under_way_finish(tmp_path: Path) -> None:
    stores = await open_stores(tmp_path)
    started, go_on = threading.Event(), threading.Event()

    def job(db: sqlite_utils.Database) -> None:
        started.set()
        go_on.wait()
        db.execute("INSERT INTO settings VALUES ('done', 'yes')")

    running = asyncio.create_task(stores.database.write(job))
    await asyncio.to_thread(started.wait)
    closing = asyncio.create_task(stores.close())
    await asyncio.sleep(0)
    assert not closing.done()
    go_on.set()
    await closing
    await running
    stores = await open_stores(tmp_path)
    assert await stores.queue.setting("done") == "yes"
    await stores.close()


async def test_closed_database_raises_and_closes_once(tmp_path: Path) -> None:
    stores = await open_stores(tmp_path)
    await stores.close()
    await stores.close()
    with pytest.raises(StoreError, match=r"anagnorisis\.db is closed"):
        await stores.ratings.summary()


async def test_full_disk_is_reported_and_recovered_from(stores: Stores) -> None:
    (track,) = await add_rated(stores, {"a.mp3": 5})
    pages = await stores.database.read(lambda db: db.execute("PRAGMA page_count").fetchone()[0])

    async def allow(count: int) -> None:
        await stores.database.write(lambda db: db.execute(f"PRAGMA max_page_count = {count}"))

    await allow(pages)
    with pytest.raises(StoreError, match="disk is full; free some space"):
        await stores.ratings.rate(track, 6, at=EPOCH, source="long" * 100_000)
    assert await stores.ratings.summary() == (1, 5)
    await allow(pages * 100)
    await stores.ratings.rate(track, 7, at=EPOCH, source="test")
    assert [entry.value for entry in await stores.ratings.history(limit=10)] == [7, 5]


async def on_the_writer(stores: Stores, pragma: str) -> None:
    """Set something outside of any transaction, for it has to be set where none can begin."""
    database = stores.database
    assert database._db is not None
    await asyncio.wrap_future(database._thread.submit(database._db.execute, pragma))


async def test_read_only_database_still_answers(stores: Stores) -> None:
    (track,) = await add_rated(stores, {"a.mp3": 5})
    await on_the_writer(stores, "PRAGMA query_only = ON")
    with pytest.raises(StoreError, match="cannot be written; check owner and rights"):
        await stores.ratings.rate(track, 6, at=EPOCH, source="test")
    assert (await stores.library.track(track, STAMP)).rating == 5
    await on_the_writer(stores, "PRAGMA query_only = OFF")
    await stores.ratings.rate(track, 6, at=EPOCH, source="test")


async def test_lock_of_another_program_is_reported_and_recovered_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anagnorisisd.storage.write_queue.BUSY_TIMEOUT_SECONDS", 0.05)
    stores = await open_stores(tmp_path)
    (track,) = await add_rated(stores, {"a.mp3": 5})
    other = sqlite3.connect(tmp_path / FILE_NAME)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked by another program; close that program"):
        await stores.ratings.rate(track, 6, at=EPOCH, source="test")
    assert (await stores.library.track(track, STAMP)).rating == 5
    other.close()
    await stores.ratings.rate(track, 6, at=EPOCH, source="test")
    await stores.close()


async def test_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"My diary. " * 1000)
    with pytest.raises(StoreError, match=r"anagnorisis\.db is not a database; stop the daemon"):
        await open_stores(tmp_path)
    assert (tmp_path / FILE_NAME).read_bytes() == b"My diary. " * 1000


async def test_damaged_ratings_are_found_at_the_start(tmp_path: Path) -> None:
    stores = await open_stores(tmp_path)
    await add_rated(stores, {"a.mp3": 5})
    await stores.close()
    damage_table(tmp_path / FILE_NAME, "ratings")

    with pytest.raises(StoreError, match="is damaged; stop the daemon and restore a backup"):
        await open_stores(tmp_path)


@pytest.mark.parametrize("table", ["plays", "tracks", "files"])
async def test_other_damage_is_found_by_the_check(table: str, tmp_path: Path) -> None:
    stores = await open_stores(tmp_path)
    await add_rated(stores, {"a.mp3": 5})
    await stores.database.check()
    await stores.close()
    damage_table(tmp_path / FILE_NAME, table)
    stores = await open_stores(tmp_path)

    with pytest.raises(StoreError, match="is damaged; stop the daemon and restore a backup"):
        await stores.database.check()

    await stores.close()


async def test_directory_that_cannot_be_created_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be written; check owner and rights"):
        await open_stores(tmp_path / "file" / "state")


async def test_directory_at_the_path_of_the_database_is_reported(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).mkdir()
    with pytest.raises(StoreError, match="cannot be written"):
        await open_stores(tmp_path)
