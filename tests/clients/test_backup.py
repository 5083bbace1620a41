"""`anagnorisis backup`: all that is known comes over the wire and can be put back."""

import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlite_utils

from anagnorisis.v1 import daemon_pb2
from anagnorisisd.storage.backups import CHUNK_BYTES, BackupStream, restore
from anagnorisisd.storage.stores import FILE_NAME, Stores, open_stores
from tests.fakes.clock import FakeClock
from tests.support.faults import damage_table
from tests.support.library import STAMP, add_rated, track_id
from tests.support.rpc import House, Line, Outcome, command, serving
from tests.support.until import until


@pytest.fixture
async def line(stores: Stores, clock: FakeClock, tmp_path: Path) -> AsyncIterator[Line]:
    """A server over a database in which a track is rated 7.5, on `tmp_path/sock`."""
    await add_rated(stores, {"a.mp3": 7.5})
    async with serving(House.build(stores, clock), tmp_path / "sock") as line:
        yield line


async def backed_up(folder: Path, file: str = "kept.db") -> Outcome:
    return await command("anagnorisis", "backup", str(folder / file), socket=folder / "sock")


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def test_a_backup_is_private_whole_and_can_be_restored(line: Line, tmp_path: Path) -> None:
    done = await backed_up(tmp_path)

    assert (done.code, done.err) == (0, "")
    assert done.out == f"backup written to {tmp_path}/kept.db\n"
    assert stat.S_IMODE((tmp_path / "kept.db").stat().st_mode) == 0o600
    restore(tmp_path / "kept.db", tmp_path / "new" / FILE_NAME)
    stores = await open_stores(tmp_path / "new")
    assert (await stores.library.track(track_id("a.mp3"), STAMP)).rating == 7.5
    await stores.close()


async def test_backup_is_streamed_in_chunks_without_temporary_files(
    line: Line, stores: Stores, tmp_path: Path
) -> None:
    def grow(db: sqlite_utils.Database) -> None:
        db.execute("INSERT INTO settings VALUES ('large', ?)", ["x" * 3 * CHUNK_BYTES])

    before = names(tmp_path / "state")
    await stores.database.write(grow)

    answers = [
        answer async for answer in line.daemon.CreateBackup(daemon_pb2.CreateBackupRequest())
    ]

    assert len(answers) > 3
    await until(lambda: names(tmp_path / "state") == before)


async def test_a_caller_who_leaves_leaves_nothing_behind(line: Line, tmp_path: Path) -> None:
    before = names(tmp_path / "state")
    call = line.daemon.CreateBackup(daemon_pb2.CreateBackupRequest())
    await anext(aiter(call))

    call.cancel()

    await until(lambda: names(tmp_path / "state") == before)


async def test_the_file_before_stays_when_there_is_no_copy(
    line: Line, stores: Stores, tmp_path: Path
) -> None:
    await backed_up(tmp_path)
    before = (tmp_path / "kept.db").read_bytes()
    await stores.database.read(lambda db: db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
    damage_table(tmp_path / "state" / FILE_NAME, "ratings")

    done = await backed_up(tmp_path)

    assert done.code == 1
    assert "is damaged and was not copied" in done.err
    assert (tmp_path / "kept.db").read_bytes() == before
    # `.ock` is the socket behind the relay.
    assert names(tmp_path) == {"kept.db", "sock", ".ock", "sock.lock", "state"}


async def test_a_file_that_cannot_be_written_is_said(line: Line, tmp_path: Path) -> None:
    done = await backed_up(tmp_path, "nowhere/kept.db")

    assert done.code == 1
    assert done.err.endswith("nowhere/kept.db cannot be written: No such file or directory\n")


def test_copies_of_a_killed_daemon_are_removed(tmp_path: Path) -> None:
    for name in (FILE_NAME, f"{FILE_NAME}.0123abcd.part", "other.part"):
        (tmp_path / name).touch()

    BackupStream(tmp_path / FILE_NAME)

    assert names(tmp_path) == {FILE_NAME, "other.part"}
