"""Copies of the database: made while it is in use, put back, and kept before it is changed."""

import asyncio
import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import aclosing, closing, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import sqlite_utils

from anagnorisisd.errors import LimitReached, StoreError, StoreFull
from anagnorisisd.storage import backups, migrations
from anagnorisisd.storage.backups import BACKUPS_KEPT, BackupStream, back_up, restore
from anagnorisisd.storage.stores import FILE_NAME, Stores, open_stores
from tests.support.faults import damage_table, fill, small_disk
from tests.support.library import EPOCH, STAMP, add_rated, add_tracks, track_id
from tests.support.until import until, until_async


async def rating(directory: Path, name: str = "a.mp3") -> float | None:
    """Return a track's rating in the database of a directory."""
    stores = await open_stores(directory)
    try:
        return (await stores.library.track(track_id(name), STAMP)).rating
    finally:
        await stores.close()


async def rated(directory: Path, value: float) -> Path:
    """Make a database in which a track has that rating, and return its path."""
    stores = await open_stores(directory)
    await add_rated(stores, {"a.mp3": value})
    await stores.close()
    return directory / FILE_NAME


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class TestBackingUp:
    async def test_a_backup_of_a_database_in_use_is_one_whole_private_file(
        self, stores: Stores, tmp_path: Path
    ) -> None:
        await add_rated(stores, {"a.mp3": 7.5})

        back_up(tmp_path / "state" / FILE_NAME, tmp_path / "copy.db")

        assert names(tmp_path) == ["copy.db", "state"]
        assert stat.S_IMODE((tmp_path / "copy.db").stat().st_mode) == 0o600
        with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
            assert copy.execute("SELECT rating FROM tracks").fetchall() == [(7.5,)]
            assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)

    async def test_writes_during_a_backup(self, stores: Stores, tmp_path: Path) -> None:
        (track,) = await add_tracks(stores, "a.mp3")
        copying = threading.Thread(
            target=back_up, args=(tmp_path / "state" / FILE_NAME, tmp_path / "copy.db")
        )
        copying.start()
        given = 0
        while copying.is_alive() or not given:
            given += 1
            await stores.ratings.rate(track, 5, at=EPOCH, source="test")
        copying.join()

        with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
            assert copy.execute("SELECT count(*) FROM ratings").fetchone()[0] <= given

    async def test_the_backup_before_stays_when_a_new_one_fails(self, tmp_path: Path) -> None:
        database = await rated(tmp_path / "state", 3)
        back_up(database, tmp_path / "copy.db")
        before = (tmp_path / "copy.db").read_bytes()
        damage_table(database, "ratings")

        with pytest.raises(StoreError, match="is damaged"):
            back_up(database, tmp_path / "copy.db")

        assert (tmp_path / "copy.db").read_bytes() == before
        assert names(tmp_path) == ["copy.db", "state"]

    async def test_full_disk_is_reported_and_the_partial_file_removed(self, tmp_path: Path) -> None:
        database = await rated(tmp_path / "state", 3)
        with small_disk(tmp_path / "disk", "64k") as disk:
            with pytest.raises(StoreError, match=r"disk/copy\.db.* the disk is full"):
                back_up(database, disk / "copy.db")
            assert names(disk) == []

    @pytest.mark.parametrize(
        ("target", "reason"),
        [("state", "is a folder"), (f"state/{FILE_NAME}", "is the database itself")],
    )
    async def test_invalid_backup_targets(self, tmp_path: Path, target: str, reason: str) -> None:
        database = await rated(tmp_path / "state", 3)

        with pytest.raises(StoreError, match=reason):
            back_up(database, tmp_path / target)

        assert await rating(tmp_path / "state") == 3

    def test_missing_database_is_reported(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match=r"anagnorisis\.db does not exist"):
            back_up(tmp_path / FILE_NAME, tmp_path / "copy.db")


class TestRestoring:
    async def test_a_backup_takes_the_place_and_what_was_there_is_kept(
        self, tmp_path: Path
    ) -> None:
        database = await rated(tmp_path / "state", 3)
        back_up(database, tmp_path / "copy.db")
        await rated(tmp_path / "state", 9)

        kept = restore(tmp_path / "copy.db", database)

        assert await rating(tmp_path / "state") == 3
        assert kept is not None
        (tmp_path / "again").mkdir()
        restore(kept, tmp_path / "again" / FILE_NAME)
        assert await rating(tmp_path / "again") == 9

    async def test_changes_that_were_only_in_the_log_are_kept_too(self, tmp_path: Path) -> None:
        database = await rated(tmp_path / "state", 3)
        back_up(database, tmp_path / "copy.db")
        with killed_in_the_middle(database):
            kept = restore(tmp_path / "copy.db", database)

        assert kept is not None
        with closing(sqlite3.connect(kept)) as connection:
            assert connection.execute("SELECT value FROM settings").fetchall() == [("only there",)]
        stores = await open_stores(tmp_path / "state")
        assert await stores.queue.setting("log") is None
        await stores.close()

    async def test_there_need_not_be_anything_to_replace(self, tmp_path: Path) -> None:
        back_up(await rated(tmp_path / "old", 4), tmp_path / "copy.db")

        assert restore(tmp_path / "copy.db", tmp_path / "new" / FILE_NAME) is None

        assert await rating(tmp_path / "new") == 4

    async def test_failed_restore_changes_nothing(self, tmp_path: Path) -> None:
        database = await rated(tmp_path / "state", 3)
        (tmp_path / "text.db").write_text("My diary. " * 1000)
        with closing(sqlite3.connect(tmp_path / "other.db")) as other:
            other.execute("CREATE TABLE recipes (name TEXT)")
        with closing(sqlite3.connect(tmp_path / "tracks.db")) as other:
            other.execute("CREATE TABLE tracks (id INTEGER PRIMARY KEY, name TEXT)")
        back_up(database, tmp_path / "partial.db")
        with closing(sqlite3.connect(tmp_path / "partial.db")) as partial:
            partial.execute("DROP TABLE plays")
        back_up(database, tmp_path / "newer.db")
        with closing(sqlite3.connect(tmp_path / "newer.db")) as newer:
            newer.execute(
                "INSERT INTO _sqlite_migrations (migration_set, name, applied_at)"
                " VALUES ('anagnorisisd', 'from_the_future', '2099-01-01')"
            )
            newer.commit()

        before = names(database.parent)
        for name, reason in (
            ("absent.db", "does not exist"),
            ("text.db", "is not a database"),
            ("other.db", "is not a backup of anagnorisisd"),
            ("tracks.db", "is not a backup of anagnorisisd"),
            ("partial.db", "is not a backup of anagnorisisd, it has no .*plays"),
            ("newer.db", "was written by a newer version"),
        ):
            with pytest.raises(StoreError, match=reason):
                restore(tmp_path / name, database)

        assert names(database.parent) == before
        assert await rating(tmp_path / "state") == 3


@contextmanager
def killed_in_the_middle(database: Path) -> Iterator[None]:
    """Leave a change in the log of the database alone, as a killed daemon does."""
    connection = sqlite3.connect(database)
    connection.execute("INSERT INTO settings VALUES ('log', 'only there')")
    connection.commit()
    yield
    connection.close()


class TestBeforeMigrations:
    async def test_the_database_is_kept_as_it_was(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await rated(tmp_path, 6)

        def later_step(db: sqlite_utils.Database) -> None:
            db.execute("CREATE TABLE later (value INTEGER)")

        with monkeypatch.context() as newer_version:
            newer_version.setattr(migrations, "STEPS", (*migrations.STEPS, later_step))
            await (await open_stores(tmp_path)).close()
        (kept,) = (tmp_path / "backups").iterdir()

        assert kept.name.endswith("-before-later_step.db")
        restore(kept, tmp_path / FILE_NAME)
        assert await rating(tmp_path) == 6, "and the version before can read it again"

    async def test_only_the_newest_stay(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await rated(tmp_path, 6)
        (tmp_path / "backups").mkdir()
        for year in range(2000, 2010):
            (tmp_path / "backups" / f"anagnorisis-{year}0101T000000-before-x.db").touch()

        def later_step(db: sqlite_utils.Database) -> None:
            db.execute("CREATE TABLE later (value INTEGER)")

        monkeypatch.setattr(migrations, "STEPS", (*migrations.STEPS, later_step))
        await (await open_stores(tmp_path)).close()

        kept = names(tmp_path / "backups")
        assert len(kept) == BACKUPS_KEPT
        assert kept[0].startswith("anagnorisis-2006")
        assert kept[-1].endswith("later_step.db")

    async def test_a_new_database_needs_none(self, tmp_path: Path) -> None:
        await (await open_stores(tmp_path)).close()

        assert not (tmp_path / "backups").exists()


async def test_damage_names_the_newest_backup_and_the_command(tmp_path: Path) -> None:
    database = await rated(tmp_path, 6)
    for day in (1, 3, 2):
        back_up(database, tmp_path / "copy.db")
        (tmp_path / "backups").mkdir(exist_ok=True)
        (tmp_path / "copy.db").rename(
            tmp_path / "backups" / f"anagnorisis-2026010{day}T000000-before-x.db"
        )
    damage_table(database, "ratings")

    with pytest.raises(StoreError) as refused:
        await open_stores(tmp_path)

    newest = tmp_path / "backups" / "anagnorisis-20260103T000000-before-x.db"
    assert f"`anagnorisisd restore {newest}`" in str(refused.value)
    restore(newest, database)
    assert await rating(tmp_path) == 6


async def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as other:
        other.execute("CREATE TABLE tracks (name TEXT)")
    before = (tmp_path / FILE_NAME).read_bytes()

    with pytest.raises(StoreError, match="is not a database of anagnorisisd"):
        await open_stores(tmp_path)

    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("tracks",)]
    assert len((tmp_path / FILE_NAME).read_bytes()) == len(before)


class TestCopies:
    @pytest.fixture
    async def copies(self, stores: Stores) -> BackupStream:
        await stores.database.write(lambda db: db.execute("CREATE TABLE large (content BLOB)"))
        await stores.database.write(
            lambda db: db.execute("INSERT INTO large VALUES (zeroblob(3000000))")
        )
        return BackupStream(stores.database.path)

    async def test_there_is_one_at_a_time(self, copies: BackupStream, tmp_path: Path) -> None:
        before = names(tmp_path / "state")
        async with aclosing(copies.chunks()) as first:
            await anext(first)
            with pytest.raises(LimitReached, match="another copy of the database is being sent"):
                await anext(copies.chunks())
            assert names(tmp_path / "state") == before

        async with aclosing(copies.chunks()) as second:
            assert sum([len(piece) async for piece in second]) > 3_000_000

    async def test_one_that_is_not_taken_makes_room(
        self, copies: BackupStream, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("anagnorisisd.storage.backups.STALL_TIMEOUT_SECONDS", 0.05)
        async with aclosing(copies.chunks()) as stalled:
            await anext(stalled)

            async def another() -> bool:
                try:
                    async with aclosing(copies.chunks()) as pieces:
                        return bool(await anext(pieces))
                except LimitReached:
                    return False

            await until_async(another)
            with pytest.raises(LimitReached, match="client read nothing"):
                await anext(stalled)

    async def test_one_that_is_given_up_while_it_is_made_leaves_nothing(
        self, copies: BackupStream, tmp_path: Path
    ) -> None:
        before = names(tmp_path / "state")
        asked = asyncio.create_task(anext(copies.chunks()))
        await asyncio.sleep(0)
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)

        async def ended() -> bool:
            try:
                return len([piece async for piece in copies.chunks()]) > 0
            except LimitReached:
                return False

        await until_async(ended)
        assert names(tmp_path / "state") == before

    async def test_one_that_is_given_up_at_the_end_of_the_daemon_leaves_no_open_file(
        self, copies: BackupStream, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        copied = backups.copied

        def lived() -> None:
            made, given_up = threading.Event(), threading.Event()

            def copied_until_given_up(*arguments: Any) -> Path:
                part = copied(*arguments)
                made.set()
                assert given_up.wait(60)
                return part

            async def life() -> None:
                asked = asyncio.create_task(anext(copies.chunks()))
                await until(made.is_set)
                asked.cancel()  # the loop cancels all that is left, and waits for its threads
                await asyncio.wait({asked})
                given_up.set()

            monkeypatch.setattr(backups, "copied", copied_until_given_up)
            asyncio.run(life())

        for _ in range(5):
            await asyncio.to_thread(lived)

        held = {file.path for file in psutil.Process().open_files()}
        assert not [path for path in held if ".part" in path]

    async def test_a_full_disk_names_the_database_and_not_the_copy(self, tmp_path: Path) -> None:
        with small_disk(tmp_path / "disk", "6m") as disk:
            stores = await open_stores(disk)
            await add_rated(stores, {"a.mp3": 3})
            filler = fill(disk)
            with pytest.raises(StoreFull) as refused:
                await anext(BackupStream(stores.database.path).chunks())
            assert str(refused.value).startswith(
                f"a copy of {disk / FILE_NAME} beside it cannot grow, the disk is full"
            )
            filler.unlink()
            await stores.close()
