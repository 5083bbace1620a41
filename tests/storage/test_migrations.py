"""Databases of every earlier version are migrated; those of later versions are refused.

`tests/fixtures/databases/N.sql` is a database after the first N steps, filled by hand: two tracks,
"a" rated 7 and then 8 and played in full, "b" unrated and missing. The first, the last and those
with data that a later step converts are kept; the versions between are made by the steps
themselves. A change of the schema is a new step and a new dump; a released step is never edited.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from unicodedata import normalize

import pytest
import sqlite_utils

from anagnorisisd.domain.evaluator import EvaluatorStatus, Metrics
from anagnorisisd.domain.play import PlayOutcome
from anagnorisisd.domain.track import PostponedRead, TrackState
from anagnorisisd.errors import StoreError
from anagnorisisd.storage import migrations
from anagnorisisd.storage.health import inspect
from anagnorisisd.storage.schema import album_code
from anagnorisisd.storage.stores import FILE_NAME, open_stores
from tests.support.library import STAMP, track_id

DUMPS = sorted(
    (Path(__file__).parents[1] / "fixtures" / "databases").glob("*.sql"),
    key=lambda dump: int(dump.stem),
)
VERSIONS = range(1, len(migrations.STEPS) + 1)


def load(dump: Path, directory: Path) -> None:
    """Make a database of a dump."""
    connection = sqlite3.connect(directory / FILE_NAME)
    connection.executescript(dump.read_text())
    connection.close()


def load_version(version: int, directory: Path) -> None:
    """Make a database as the first `version` steps leave it."""
    dump = max(
        (dump for dump in DUMPS if int(dump.stem) <= version), key=lambda dump: int(dump.stem)
    )
    load(dump, directory)
    database = sqlite_utils.Database(directory / FILE_NAME)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(migrations, "STEPS", migrations.STEPS[:version])
        migrations.migrate(database)
    database.close()


def schema(file: Path) -> Sequence[tuple[str, str]]:
    """Return the tables, indexes and triggers of a database, as text without layout."""
    connection = sqlite3.connect(file)
    found = connection.execute(
        "SELECT name, sql FROM sqlite_schema WHERE sql NOT NULL ORDER BY name"
    )
    result = [(name, " ".join(sql.split())) for name, sql in found]
    connection.close()
    return result


def test_first_and_last_version_are_kept() -> None:
    assert [int(dump.stem) for dump in (DUMPS[0], DUMPS[-1])] == [1, len(migrations.STEPS)]


@pytest.mark.parametrize("version", VERSIONS)
async def test_every_earlier_version_is_migrated(version: int, tmp_path: Path) -> None:
    load_version(version, tmp_path)
    stores = await open_stores(tmp_path)
    a = await stores.library.track(track_id("a"), STAMP)
    b = await stores.library.track(track_id("b"), STAMP)
    assert (a.rating, a.play_count, a.state) == (8, 1, TrackState.EMBEDDED)
    assert (b.rating, b.state) == (None, TrackState.MISSING)
    history = await stores.ratings.history(limit=10)
    assert [entry.value for entry in history] == [8, 7]
    assert (await stores.ratings.undo(at=0.0, source="test")).rating.value == 7
    evaluator = await stores.evaluators.current()
    assert evaluator is not None
    assert evaluator.stamp == STAMP
    await stores.close()


@pytest.mark.parametrize("version", VERSIONS)
async def test_schema_is_the_same_from_every_version(version: int, tmp_path: Path) -> None:
    for directory in (tmp_path / "old", tmp_path / "new"):
        directory.mkdir()
    load_version(version, tmp_path / "old")
    for directory in (tmp_path / "old", tmp_path / "new"):
        await (await open_stores(directory)).close()
    assert schema(tmp_path / "old" / FILE_NAME) == schema(tmp_path / "new" / FILE_NAME)


async def test_stored_values_are_converted_to_standard_names(tmp_path: Path) -> None:
    load_version(8, tmp_path)
    stores = await open_stores(tmp_path)
    rejected, current = await stores.evaluators.versions(10)
    postponed = await stores.library.postponed_reads()
    recent = await stores.plays.recent(10)
    await stores.close()

    assert (rejected.status, rejected.model) == (EvaluatorStatus.NOT_PROMOTED, "mean")
    assert rejected.promotion_reason == "worse"
    assert rejected.metrics == Metrics(1.7, 1.6, 0.1, 0.6, 0.9, {"mean": 1.6})
    assert rejected.notes == {"implicit_feedback": "not used"}
    assert current.status is EvaluatorStatus.CURRENT
    assert current.metrics == Metrics(1.2, 1.6, 0.4, 0.68, 0.95, {"mean": 1.6, "neighbours": 1.4})
    assert current.notes == {"length_scale": "1.0"}
    assert postponed == {(b"d", 1000, 1): PostponedRead("hung", 1750086400.0)}
    assert [play.outcome for play in recent] == [PlayOutcome.FULL]
    connection = sqlite3.connect(tmp_path / FILE_NAME)
    outcomes = connection.execute("SELECT outcome FROM replacements ORDER BY id").fetchall()
    trainings = connection.execute("SELECT outcome FROM trainings ORDER BY id").fetchall()
    broken = connection.execute("PRAGMA foreign_key_check").fetchall()
    connection.close()
    assert [outcome for (outcome,) in outcomes] == ["transferred", "uncertain", "moved", "undone"]
    assert [outcome for (outcome,) in trainings] == ["promoted", "not_promoted"]
    assert not broken


@pytest.mark.parametrize("version", VERSIONS)
def test_a_database_is_inspected_before_its_migration(version: int, tmp_path: Path) -> None:
    load_version(version, tmp_path)

    found = inspect(tmp_path / FILE_NAME)

    assert found is not None
    assert (found.damage, found.to_migrate) == (None, len(migrations.STEPS) - version)
    assert (found.rated, found.evaluator) == (1, 1)


async def test_old_names_are_found_in_both_unicode_forms(tmp_path: Path) -> None:
    load(DUMPS[0], tmp_path)
    connection = sqlite3.connect(tmp_path / FILE_NAME)
    connection.execute("UPDATE files SET searched = ?", [normalize("NFD", "jóga")])
    connection.commit()
    connection.close()

    stores = await open_stores(tmp_path)
    found = await stores.library.tracks(STAMP, text=normalize("NFC", "Jóga"), limit=9)
    await stores.close()

    assert len(found) == 2


async def test_discs_that_were_scanned_before_are_one_album(tmp_path: Path) -> None:
    load_version(15, tmp_path)
    connection = sqlite3.connect(tmp_path / FILE_NAME)
    connection.execute("DELETE FROM files WHERE id > 1")
    connection.execute("UPDATE files SET album = 'Opus [CD 2]', album_artist = NULL")
    connection.commit()
    connection.close()

    await (await open_stores(tmp_path)).close()

    connection = sqlite3.connect(tmp_path / FILE_NAME)
    codes = connection.execute("SELECT album_code FROM files").fetchall()
    connection.close()
    assert codes == [(album_code("Opus", None),)]


async def test_released_steps_make_what_they_made(tmp_path: Path) -> None:
    load(DUMPS[-1], tmp_path)
    before = schema(tmp_path / FILE_NAME)
    await (await open_stores(tmp_path / "new")).close()
    assert schema(tmp_path / "new" / FILE_NAME) == before


async def test_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    load(DUMPS[-1], tmp_path)
    connection = sqlite3.connect(tmp_path / FILE_NAME)
    connection.execute(
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at)"
        " VALUES ('anagnorisisd', 'from_the_future', '2099-01-01')"
    )
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match=r"newer version of anagnorisisd \(from_the_future\)"):
        await open_stores(tmp_path)


async def test_step_that_fails_leaves_the_version_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await (await open_stores(tmp_path)).close()
    before = schema(tmp_path / FILE_NAME)

    def broken_step(db: sqlite_utils.Database) -> None:
        db.execute("CREATE TABLE half (done INTEGER)")
        db.execute("SELECT * FROM nowhere")

    monkeypatch.setattr(migrations, "STEPS", (*migrations.STEPS, broken_step))
    with pytest.raises(StoreError, match="no such table: nowhere"):
        await open_stores(tmp_path)
    monkeypatch.undo()
    assert schema(tmp_path / FILE_NAME) == before
    await (await open_stores(tmp_path)).close()
