"""Files of every earlier version are brought up to date; those of later ones are refused.

`tests/fixtures/databases/N.sql` is what the first N steps made, filled by hand: two tracks, "a"
rated 7 and then 8 and played in full, "b" unrated and missing. A change of the schema comes as a
new step and a new dump; a released step is never edited.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from unicodedata import normalize

import pytest
import sqlite_utils

from anagnorisisd.domain.track import TrackState
from anagnorisisd.errors import StoreError
from anagnorisisd.storage import migrations
from anagnorisisd.storage.stores import FILE_NAME, open_stores
from tests.support.library import STAMP, track_id

DUMPS = sorted(
    (Path(__file__).parents[1] / "fixtures" / "databases").glob("*.sql"),
    key=lambda dump: int(dump.stem),
)


def load(dump: Path, directory: Path) -> None:
    """Make a database of a dump."""
    connection = sqlite3.connect(directory / FILE_NAME)
    connection.executescript(dump.read_text())
    connection.close()


def schema(file: Path) -> Sequence[tuple[str, str]]:
    """Return the tables, indexes and triggers of a database, as text without layout."""
    connection = sqlite3.connect(file)
    found = connection.execute(
        "SELECT name, sql FROM sqlite_schema WHERE sql NOT NULL ORDER BY name"
    )
    result = [(name, " ".join(sql.split())) for name, sql in found]
    connection.close()
    return result


def test_there_is_a_dump_of_every_version() -> None:
    assert [int(dump.stem) for dump in DUMPS] == [*range(1, len(migrations.STEPS) + 1)]


@pytest.mark.parametrize("dump", DUMPS, ids=lambda dump: dump.stem)
async def test_every_earlier_version_is_brought_up_to_date(dump: Path, tmp_path: Path) -> None:
    load(dump, tmp_path)
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


@pytest.mark.parametrize("dump", DUMPS, ids=lambda dump: dump.stem)
async def test_schema_is_the_same_whatever_the_way(dump: Path, tmp_path: Path) -> None:
    for directory in (tmp_path / "old", tmp_path / "new"):
        directory.mkdir()
    load(dump, tmp_path / "old")
    for directory in (tmp_path / "old", tmp_path / "new"):
        await (await open_stores(directory)).close()
    assert schema(tmp_path / "old" / FILE_NAME) == schema(tmp_path / "new" / FILE_NAME)


async def test_what_was_stored_before_is_found_in_either_form_of_unicode(tmp_path: Path) -> None:
    load(DUMPS[0], tmp_path)
    connection = sqlite3.connect(tmp_path / FILE_NAME)
    connection.execute("UPDATE files SET searched = ?", [normalize("NFD", "jóga")])
    connection.commit()
    connection.close()

    stores = await open_stores(tmp_path)
    found = await stores.library.tracks(STAMP, text=normalize("NFC", "Jóga"), limit=9)
    await stores.close()

    assert len(found) == 2


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
