"""The state directory: its marker, and files that are replaced while the database is open."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from anagnorisisd.errors import StoreDamaged, StoreLost
from anagnorisisd.storage.state_directory import StateMarker
from anagnorisisd.storage.stores import FILE_NAME, Stores, open_stores
from tests.support.library import EPOCH, add_rated, track_id


def test_a_first_start_is_none_that_lost_anything(tmp_path: Path) -> None:
    marker = StateMarker(tmp_path / "state", tmp_path / "cache")

    marker.check(tmp_path / "state" / FILE_NAME)

    assert marker.found() is None


def test_marker_is_in_the_cache_if_the_parent_is_not_writable(tmp_path: Path) -> None:
    state = Path("/proc/anagnorisis/state")  # nobody can make a folder there
    marker = StateMarker(state, tmp_path / "cache")
    marker.write()
    marker.write()

    (found,) = (tmp_path / "cache").iterdir()
    assert marker.found() == found
    with pytest.raises(StoreLost, match=f"is missing, .* remove {found} to start anew"):
        marker.check(state / FILE_NAME)


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    marker = StateMarker(tmp_path / "state", tmp_path / "cache")
    marker.paths[0].symlink_to(tmp_path / "elsewhere")

    marker.write()

    assert not (tmp_path / "elsewhere").exists()
    assert marker.found() == marker.paths[1]


def test_each_state_directory_has_its_own_in_the_cache(tmp_path: Path) -> None:
    StateMarker(Path("/proc/anagnorisis/one"), tmp_path).write()

    assert StateMarker(Path("/proc/anagnorisis/two"), tmp_path).found() is None


def test_unwritable_marker_does_not_stop_the_start() -> None:
    marker = StateMarker(Path("/proc/anagnorisis/state"), Path("/proc/anagnorisis/cache"))

    marker.write()

    assert marker.found() is None


def test_missing_state_directory_is_reported_until_the_marker_is_removed(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    marker = StateMarker(state, tmp_path / "cache")
    marker.write()
    shutil.rmtree(state)
    found = marker.found()
    assert found is not None
    assert str(state) in found.read_text(), "it explains itself"

    with pytest.raises(StoreLost, match=f"is missing, .* remove {found} to start anew"):
        marker.check(state / FILE_NAME)

    found.unlink()
    marker.check(state / FILE_NAME)


async def test_newest_backup_is_named_if_the_database_is_missing(tmp_path: Path) -> None:
    state = tmp_path / "state"
    await (await open_stores(state)).close()
    backup = state / "backups" / "anagnorisis-20260101T000000-before-x.db"
    backup.parent.mkdir()
    (state / FILE_NAME).rename(backup)

    with pytest.raises(StoreLost, match=f"`anagnorisisd restore {backup}`"):
        StateMarker(state, tmp_path / "cache").check(state / FILE_NAME)


async def test_empty_database_keeps_its_write_ahead_log(stores: Stores, tmp_path: Path) -> None:
    await add_rated(stores, {"a.mp3": 8})
    killed = tmp_path / "killed"
    shutil.copytree(tmp_path / "state", killed)  # as a kill would leave it
    log = killed / f"{FILE_NAME}-wal"
    before = log.read_bytes()
    assert before
    os.truncate(killed / FILE_NAME, 0)

    with pytest.raises(StoreLost, match="is empty"):
        StateMarker(killed, tmp_path / "cache").check(killed / FILE_NAME)

    assert log.read_bytes() == before, "SQLite would have removed it"


async def rate(stores: Stores, value: float) -> None:
    await stores.ratings.rate(track_id("a.mp3"), value, at=EPOCH, source="test")


@pytest.mark.parametrize("lost", [FILE_NAME, f"{FILE_NAME}-wal"])
async def test_write_fails_after_a_file_of_the_database_was_removed(
    stores: Stores, tmp_path: Path, lost: str
) -> None:
    await add_rated(stores, {"a.mp3": 8})
    (tmp_path / "state" / lost).unlink()

    with pytest.raises(StoreLost, match=f"{lost} is no longer the file that the daemon opened"):
        await rate(stores, 3)


async def test_write_fails_after_the_state_directory_was_moved(
    stores: Stores, tmp_path: Path
) -> None:
    await add_rated(stores, {"a.mp3": 8})
    (tmp_path / "state").rename(tmp_path / "elsewhere")

    with pytest.raises(StoreLost):
        await rate(stores, 3)

    with closing(sqlite3.connect(tmp_path / "elsewhere" / FILE_NAME)) as connection:
        assert connection.execute("SELECT value FROM ratings").fetchall() == [(8,)]


@pytest.mark.parametrize("size", [0, 4096])
async def test_write_fails_after_the_database_was_truncated(
    stores: Stores, tmp_path: Path, size: int
) -> None:
    await add_rated(stores, {"a.mp3": 8})
    database = tmp_path / "state" / FILE_NAME
    with closing(sqlite3.connect(database)) as other:
        other.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    await rate(stores, 5)  # its commit finds the pages of the checkpoint in the file
    os.truncate(database, size)

    with pytest.raises(StoreDamaged, match="restore"):
        await rate(stores, 3)


async def test_write_after_another_program_vacuumed_the_database(
    stores: Stores, tmp_path: Path
) -> None:
    await add_rated(stores, {"a.mp3": 5})
    database = tmp_path / "state" / FILE_NAME
    with closing(sqlite3.connect(database)) as other:
        other.execute("CREATE TABLE large (content BLOB)")
        other.execute("INSERT INTO large VALUES (zeroblob(2000000))")
        other.commit()
        other.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        await rate(stores, 8)
        size = database.stat().st_size
        other.execute("DROP TABLE large")
        other.commit()
        other.execute("VACUUM")
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        assert database.stat().st_size < size

    await rate(stores, 3)

    assert (await stores.ratings.current())[track_id("a.mp3")].value == 3
