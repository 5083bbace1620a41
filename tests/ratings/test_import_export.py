"""Taking ratings and plays out and in: nothing is lost, doubled or overruled."""

import json
import sqlite3
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import mutagen
import pytest

from anagnorisis import history_file
from anagnorisisd.domain.play import PlayOutcome
from anagnorisisd.domain.track import Uri
from anagnorisisd.events import Events
from anagnorisisd.ratings import import_export
from anagnorisisd.ratings.import_export import ImportExport, PlayEntry, RatingEntry
from anagnorisisd.ratings.service import RatingService
from anagnorisisd.storage.stores import Stores, open_stores
from tests.fakes.clock import FakeClock
from tests.support import media
from tests.support.library import EPOCH, STAMP, add_tracks, play, track_id
from tests.support.rpc import House, Outcome, command, serving

HOUR = 3600.0
A, B = track_id("a.ogg"), track_id("b.ogg")


def comment(path: Path, name: str, value: str | bytes) -> None:
    """Write one tag into a file."""
    file: Any = mutagen.File(path)
    file[name] = [value]
    file.save()


@pytest.fixture
def music(tmp_path: Path) -> Path:
    folder = tmp_path / "music"
    folder.mkdir()
    return folder


@pytest.fixture
async def house(
    stores: Stores, clock: FakeClock, tmp_path: Path, music: Path
) -> AsyncIterator[House]:
    house = House.build(stores, clock, music)
    await add_tracks(stores, "a.ogg", "b.ogg")
    house.player.database = {Uri("a.ogg"): 200.0, Uri("b.ogg"): 200.0}
    async with serving(house, tmp_path / "sock"):
        yield house


async def run(tmp_path: Path, *words: str | Path) -> Outcome:
    return await command("anagnorisis", *map(str, words), socket=tmp_path / "sock")


async def lived(house: House) -> None:
    """Give the house a history: two ratings, one of them cleared, and three plays."""
    for at, track, value in ((-3, A, 8.5), (-2, B, 3.0), (-1, B, None)):
        await house.stores.ratings.rate(track, value, at=EPOCH + at * HOUR, source="test")
    for at, track, outcome in (
        (-3, A, PlayOutcome.FULL),
        (-2, B, PlayOutcome.SKIP),
        (-1, A, PlayOutcome.FULL),
    ):
        await house.stores.plays.append(play(track, outcome, ended_at=EPOCH + at * HOUR + 0.25))


async def histories(stores: Stores) -> tuple[list[object], list[object]]:
    ratings = [
        (entry.track_id, entry.value, entry.rated_at, entry.source)
        for entry in await stores.ratings.history(limit=100)
    ]
    plays = [
        (play.track_id, play.outcome, play.ended_at, play.heard_seconds, play.duration_seconds)
        for play in await stores.plays.between(0, EPOCH)
    ]
    return list(ratings), list(plays)


@pytest.mark.parametrize("name", ["history.jsonl", "history.csv"])
async def test_export_is_imported_once(
    house: House, tmp_path: Path, clock: FakeClock, name: str
) -> None:
    await lived(house)
    exported = await run(tmp_path, "export", tmp_path / name)
    assert exported.out == f"6 entries written to {tmp_path / name}\n"
    other_stores = await open_stores(tmp_path / "other")
    other = House.build(other_stores, clock)
    await add_tracks(other_stores, "a.ogg", "b.ogg")

    try:
        async with serving(other, tmp_path / "other.sock"):
            place = ("--socket", tmp_path / "other.sock")
            dry = await run(tmp_path, "import", tmp_path / name, "--dry-run", *place)
            untouched = await histories(other_stores)
            taken = await run(tmp_path, "import", tmp_path / name, *place)
            again = await run(tmp_path, "import", tmp_path / name, *place)

        assert dry.out == "6 would be imported, 0 known already, 0 rejected\n"
        assert untouched == ([], [])
        assert taken.out == "6 imported, 0 known already, 0 rejected\n"
        assert again.out == "0 imported, 6 known already, 0 rejected\n"
        assert await histories(other_stores) == await histories(house.stores)
        track = await other_stores.library.track(A, STAMP)
        assert (track.rating, track.play_count) == (8.5, 2)
    finally:
        await other_stores.close()


async def test_export_reads_the_history_in_pages(
    house: House, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_export, "PAGE_ENTRIES", 2)
    await lived(house)
    for outcome in (PlayOutcome.SKIP, PlayOutcome.FULL):  # two plays that ended at one time
        await house.stores.plays.append(play(B, outcome, ended_at=EPOCH - HOUR + 0.25))
    events = Events(clock)
    exporting = ImportExport(
        library=house.stores.library,
        history=house.stores.ratings,
        plays=house.stores.plays,
        ratings=RatingService(house.stores.ratings, events, clock),
        clock=clock,
        stamp=STAMP,
    ).export()

    entries = [await anext(exporting)]
    # Given while the first page is sent, it is on a later one.
    await house.stores.ratings.rate(B, 9.0, at=EPOCH, source="test")
    entries += [entry async for entry in exporting]

    ratings = [entry for entry in entries if isinstance(entry.content, RatingEntry)]
    plays = [entry.content for entry in entries if isinstance(entry.content, PlayEntry)]
    assert [(entry.track_id, entry.content) for entry in ratings] == [
        (track, RatingEntry(value)) for track, value in ((A, 8.5), (B, 3.0), (B, None), (B, 9.0))
    ]
    assert [content.outcome for content in plays] == [
        PlayOutcome.FULL, PlayOutcome.SKIP, PlayOutcome.FULL, PlayOutcome.SKIP, PlayOutcome.FULL,
    ]  # fmt: skip
    assert {entry.uri for entry in entries} == {Uri("a.ogg"), Uri("b.ogg")}


async def test_export_to_the_terminal(house: House, tmp_path: Path) -> None:
    await lived(house)

    lines = [json.loads(line) for line in (await run(tmp_path, "export")).out.splitlines()]

    assert lines[0] == {
        "type": "rating", "track_id": A, "uri": "a.ogg", "timestamp": "2025-06-15T12:06:40.000Z",
        "value": 8.5, "source": "test",
    }  # fmt: skip
    assert lines[2]["value"] is None
    assert lines[-1]["outcome"] == "full"


async def test_files_of_earlier_versions_are_imported(house: House, tmp_path: Path) -> None:
    records = [
        {"kind": "rating", "uri": "b.ogg", "value": 7, "at": "2025-01-01T00:00:00Z"},
        {"kind": "play", "uri": "b.ogg", "verdict": "skip", "at": "2025-01-02T00:00:00Z"},
    ]
    (tmp_path / "old.jsonl").write_text("\n".join(map(json.dumps, records)))
    (tmp_path / "old.csv").write_text(
        "kind,track_id,uri,at,value,source,verdict,heard_seconds,duration_seconds\n"
        "play,,b.ogg,2025-01-03T00:00:00Z,,,full,180,180\n"
    )

    as_json = await run(tmp_path, "import", tmp_path / "old.jsonl")
    as_csv = await run(tmp_path, "import", tmp_path / "old.csv")

    assert as_json.out == "2 imported, 0 known already, 0 rejected\n"
    assert as_csv.out == "1 imported, 0 known already, 0 rejected\n"
    track = await house.stores.library.track(B, STAMP)
    assert (track.rating, track.play_count, track.skip_count) == (7, 1, 1)


async def test_rejected_entries_are_listed_with_reasons(house: House, tmp_path: Path) -> None:
    await house.stores.ratings.rate(A, 5, at=EPOCH - HOUR, source="test")
    records = [
        {"type": "rating", "uri": "gone.ogg", "value": 5, "timestamp": "2025-01-01T00:00:00Z"},
        {"type": "rating", "uri": "a.ogg", "value": 5, "timestamp": "2025-01-01T00:00:00Z"},
        {"type": "rating", "uri": "a.ogg", "value": 7},
        {"type": "rating", "uri": "b.ogg", "value": 11, "timestamp": "2025-01-01T00:00:00Z"},
        {"type": "rating", "uri": "b.ogg", "value": 5, "timestamp": "2999-01-01T00:00:00Z"},
        {"type": "play", "uri": "b.ogg", "outcome": "full"},
    ]
    (tmp_path / "r.jsonl").write_text("\n".join(map(json.dumps, records)))

    done = await run(tmp_path, "import", tmp_path / "r.jsonl")

    assert done.out.splitlines() == [
        "rejected: line 1: gone.ogg: the library has no track at 'gone.ogg'",
        "rejected: line 2: a.ogg: it is older than the rating here",
        "rejected: line 3: a.ogg: the track has a rating already",
        "rejected: line 4: b.ogg: rating: 11 is not between 0 and 10",
        "rejected: line 5: b.ogg: its time is not in the past",
        "rejected: line 6: b.ogg: a play needs the time at which it ended",
        "0 imported, 0 known already, 6 rejected",
    ]
    assert len(await house.stores.ratings.history(limit=10)) == 1


GOOD = '{"type": "rating", "uri": "a.ogg", "value": 7, "timestamp": "2025-01-01T00:00:00Z"}'
GOOD_ROW = "rating,a.ogg,2025-01-01T00:00:00Z,7"
HEADER = "type,uri,timestamp,value,source,heard_seconds,outcome"


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("null", "is not an object with fields: None"),
        ("nonsense", "is not JSON: Expecting value at column 1"),
        ("[1]", "is not an object with fields: a list"),
        ('{"type": "dance"}', "type is 'dance', not rating or play"),
        ('{"type": ["rating"]}', "type is a list, not rating or play"),
        ('{"type": "rating", "value": "high"}', "value is 'high', not a number"),
        ('{"type": "rating", "value": true}', "value is True, not a number"),
        ('{"type": "rating", "uri": "a.ogg", "value": %s}' % (2**70), "is not between 0 and 10"),
        ('{"type": "rating", "value": 1%s}' % ("0" * 400), "value is a number beyond 64 bits"),
        ('{"type": "rating", "value": 1%s}' % ("0" * 5000), "Exceeds the limit"),
        ('{"type": "rating", "uri": 5}', "uri is 5, not text"),
        ('{"type": "rating", "uri": "\\udce9"}', "uri has half a character"),
        ('{"type": "rating", "timestamp": "yesterday"}', "timestamp is 'yesterday', not a time"),
        ('{"type": "rating", "timestamp": "0001-01-01T00:00:00+14:00"}', "not a time"),
        ('{"type": "rating", "timestamp": "9999-12-31T23:59:59-14:00"}', "not a time"),
        ('{"type": "rating", "uri": "x\\u0000", "value": 1}', "a path has 1 to 4096 bytes"),
        ('{"type": "rating", "uri": "a.ogg", "value": 1, "source": "%s"}' % ("s" * 99), "source"),
        ('{"type": "play", "outcome": "unspecified"}', "outcome is 'unspecified', not full"),
        ("[" * 30_000, "is nested too deeply"),
        ("x" * 70_000, "is longer than 65536 bytes"),
        (b"\xff\xfe\xfd", "is not UTF-8 text: byte 1"),
    ],
)
async def test_invalid_line_rejects_only_itself(
    house: House, tmp_path: Path, line: str | bytes, complaint: str
) -> None:
    broken = line.encode() if isinstance(line, str) else line
    (tmp_path / "x.jsonl").write_bytes(b"\n" + broken + b"\n" + GOOD.encode())

    done = await run(tmp_path, "import", tmp_path / "x.jsonl")

    refused, summary = done.out.splitlines()
    assert refused.startswith("rejected: line 2: ")
    assert complaint in refused
    assert summary == "1 imported, 0 known already, 1 rejected"
    assert [entry.value for entry in await house.stores.ratings.history(limit=10)] == [7]
    assert done.err in {"", f"anagnorisis: {tmp_path}/x.jsonl: 1 entry could not be read\n"}
    assert done.code == (1 if done.err else 0)


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ("play,a.ogg,2025-01-01T00:00:00Z\n", "outcome is"),
        ('rating,"a.ogg,,\n', "is no row of a table"),
        ('rating,"a"b,,\n', "is no row of a table"),
        (f"rating,{'a' * 140_000},,\n", "is longer than 65536 bytes"),
        (f'rating,"{"a" * 60_000}\n{"a" * 60_000}\n",,\n', "is no row of a table"),
        ("rating,a\rb,,\n", "is no row of a table"),
    ],
)
async def test_invalid_row_rejects_only_itself(
    house: House, tmp_path: Path, rows: str, complaint: str
) -> None:
    (tmp_path / "x.csv").write_text(f"{HEADER}\n{rows}{GOOD_ROW}\n", newline="")

    done = await run(tmp_path, "import", tmp_path / "x.csv")

    refused, *_, summary = done.out.splitlines()
    assert refused.startswith("rejected: line 2: ")
    assert complaint in refused
    assert summary.startswith("1 imported, 0 known already, ")
    assert done.code == 1


@pytest.mark.parametrize("start", ["", "\ufeff", "sep=;\n", "\ufeffsep=;\r\n"])
async def test_csv_as_saved_by_spreadsheets(house: House, tmp_path: Path, start: str) -> None:
    text = f"{start}Kind;uri;at;value\r\nrating;a.ogg;2025-01-01T00:00:00Z;7,5\r\n;;;\r\n"
    (tmp_path / "x.CSV").write_text(text, encoding="utf-8", newline="")

    done = await run(tmp_path, "import", tmp_path / "x.CSV")

    assert done.out == "1 imported, 0 known already, 0 rejected\n"
    assert [entry.value for entry in await house.stores.ratings.history(limit=10)] == [7.5]


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("x.csv", b"title,artist\na,b\n", "line 1: has no column `type`"),
        ("x.csv", b"", "line 1: has no column `type`"),
        ("x.jsonl", "{}".encode("utf-16"), "it is UTF-16 text; save it as UTF-8"),
        ("x.db", b"no database", "not a project.db of Anagnorisis: "),
    ],
)
async def test_file_of_another_format_changes_nothing(
    house: House, tmp_path: Path, name: str, content: bytes, complaint: str
) -> None:
    (tmp_path / name).write_bytes(content)

    done = await run(tmp_path, "import", tmp_path / name)

    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"anagnorisis: {tmp_path / name}: {complaint}")
    assert done.err.count("\n") == 1
    assert not await house.stores.ratings.history(limit=10)


async def test_endless_file_is_refused(house: House, tmp_path: Path) -> None:
    done = await run(tmp_path, "import", "/dev/zero")

    assert (done.code, done.out) == (2, "")
    assert done.err == "anagnorisis: /dev/zero: line 1: does not end within 67108864 bytes\n"


async def test_long_paths_are_split_into_requests(house: House, tmp_path: Path) -> None:
    entry = {"type": "rating", "value": 5}
    lines = [json.dumps({**entry, "uri": f"{n}{'x' * 4000}"}) for n in range(600)]
    (tmp_path / "x.jsonl").write_text("\n".join([*lines, GOOD]))

    done = await run(tmp_path, "import", tmp_path / "x.jsonl")

    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[-1] == "1 imported, 0 known already, 600 rejected"


async def test_spreadsheet_formulas_are_escaped(
    stores: Stores, clock: FakeClock, tmp_path: Path
) -> None:
    uris = ["=1+1.ogg", "+x.ogg", "-x.ogg", "@x.ogg", "'=x.ogg", "'x.ogg", "\tx.ogg", "a\n=b.ogg"]
    await add_tracks(stores, *uris)
    house = House.build(stores, clock)
    for uri in uris:
        await stores.ratings.rate(track_id(uri), 5, at=EPOCH - HOUR, source="=source")
    async with serving(house, tmp_path / "sock"):
        await run(tmp_path, "export", tmp_path / "x.csv")
        again = await run(tmp_path, "import", tmp_path / "x.csv")

    text = (tmp_path / "x.csv").read_text()
    assert ",'=1+1.ogg," in text
    assert ",''=x.ogg," in text
    assert ",'x.ogg," in text
    assert not any(f",{start}" in text for start in "=+-@\t")
    assert again.out == "0 imported, 8 known already, 0 rejected\n"
    with (tmp_path / "x.csv").open("rb") as file:
        entries = [found.entry for found in history_file.read(file, as_csv=True)]
    assert sorted(entry.uri for entry in entries if entry) == sorted(uris)
    assert {entry.source for entry in entries if entry} == {"=source"}


async def test_missing_file_is_named(house: House, tmp_path: Path) -> None:
    taken = await run(tmp_path, "import", tmp_path / "no.jsonl")
    written = await run(tmp_path, "export", tmp_path / "no" / "x.csv")

    assert taken.code == 2
    assert written.code == 1
    assert "No such file or directory" in taken.err
    assert "No such file or directory" in written.err


async def test_import_of_the_original_projects_database(house: House, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "project.db") as database:
        database.execute(
            "CREATE TABLE music_library (id INTEGER, file_path TEXT, user_rating FLOAT, "
            "user_rating_date DATETIME, full_play_count INTEGER, skip_count INTEGER, "
            "last_played DATETIME)"
        )
        database.executemany(
            "INSERT INTO music_library VALUES (1, ?, ?, ?, ?, ?, ?)",
            [
                ("a.ogg", 9.0, "2025-01-02 03:04:05.500000", 2, 1, "2025-02-03 04:05:06"),
                ("b.ogg", None, None, 1, None, None),
                ("gone.ogg", 4.0, None, 0, 0, None),
            ],
        )
    database.close()

    dry = await run(tmp_path, "import", tmp_path / "project.db", "--dry-run")
    done = await run(tmp_path, "import", tmp_path / "project.db")
    again = await run(tmp_path, "import", tmp_path / "project.db")

    assert dry.out.splitlines()[-1] == "4 would be imported, 0 known already, 2 rejected"
    assert done.out.splitlines() == [
        "rejected: row 3: gone.ogg: the library has no track at 'gone.ogg'",
        "rejected: row 2: b.ogg: a play needs the time at which it ended",
        "4 imported, 0 known already, 2 rejected",
    ]
    assert again.out.splitlines()[-1] == "0 imported, 4 known already, 2 rejected"
    track = await house.stores.library.track(A, STAMP)
    assert (track.rating, track.play_count, track.skip_count) == (9, 2, 1)
    assert track.last_played_at == time.mktime((2025, 2, 3, 4, 5, 6, 0, 0, -1))


async def test_invalid_row_of_the_original_projects_database(house: House, tmp_path: Path) -> None:
    folder = tmp_path / "a %41?#"
    folder.mkdir()
    with sqlite3.connect(folder / "project.db") as database:
        database.execute(
            "CREATE TABLE music_library (file_path, user_rating, user_rating_date, "
            "full_play_count, skip_count, last_played)"
        )
        database.executemany(
            "INSERT INTO music_library VALUES (?, ?, ?, ?, ?, ?)",
            [
                ("a.ogg", 9.0, "2025-01-02 03:04:05", 10**9, 2**62, "2025-02-03 04:05:06"),
                (b"b.ogg", 9.0, None, 0, 0, None),
                ("b.ogg", "high", None, "many", -1, None),
                ("b.ogg", 8.0, "9999-99-99", 1, 0, "x" * 100),
                ("b.ogg", 6.0, "2025-01-02", 0, 0, None),
            ],
        )
        database.execute("UPDATE music_library SET file_path = CAST(x'ff' AS TEXT) WHERE rowid = 2")
    database.close()

    done = await run(tmp_path, "import", folder / "project.db")

    assert done.code == 1
    assert done.out.splitlines()[-1] == "2 imported, 0 known already, 8 rejected"
    assert "rejected: row 1: full_play_count is not a whole number from 0 to 10000" in done.out
    assert "rejected: row 2: uri has half a character" in done.out
    assert "rejected: row 3: value is 'high', not a number" in done.out
    assert "rejected: row 4: its date is none of that project" in done.out


async def test_import_of_stickers_of_unrated_tracks(house: House, tmp_path: Path) -> None:
    await house.player.set_sticker(Uri("a.ogg"), "rating", "7")
    await house.player.set_sticker(Uri("b.ogg"), "rating", "no number")

    done = await run(tmp_path, "import", "stickers")
    again = await run(tmp_path, "import", "stickers")

    assert done.out == "1 imported, 0 known already, 0 rejected\n"
    assert again.out.splitlines()[-1] == "0 imported, 0 known already, 1 rejected"
    newest = (await house.stores.ratings.history(limit=1))[0]
    assert (newest.track_id, newest.value, newest.source) == (A, 7, "sticker")


async def test_import_of_ratings_in_tags(house: House, music: Path, tmp_path: Path) -> None:
    media.write_song(music / "a.ogg")
    comment(music / "a.ogg", "FMPS_RATING", "0.85")
    media.write_song(music / "b.ogg")

    done = await run(tmp_path, "import", "tags")

    assert done.out == "1 imported, 0 known already, 0 rejected\n"
    newest = (await house.stores.ratings.history(limit=1))[0]
    assert (newest.track_id, newest.value, newest.source) == (A, 8.5, "tag")
