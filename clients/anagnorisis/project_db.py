"""Reader of the database of the original Anagnorisis project, as history entries.

Its table `music_library` has a row for each file: the rating and its date, and the numbers of plays
and skips. For these numbers the reader generates plays that end one second apart, the last at
`last_played`. They are the same each time, so a repeated import recognises them as duplicates.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from typing import Any
from urllib.parse import quote

from anagnorisis import records
from anagnorisis.history_file import Found
from anagnorisis.v1 import daemon_pb2
from anagnorisis.v1.history_pb2 import HistoryEntry

SOURCE = "anagnorisis"
MAX_PLAYS = 10_000
"""Limit of full plays, and of skips, of a file: one a day for 27 years. More means corrupt data."""

MAX_VALUE_BYTES = 1 << 20
ROWS = """SELECT rowid, file_path, user_rating, user_rating_date, full_play_count, skip_count,
    last_played FROM music_library WHERE file_path IS NOT NULL"""
RATED = f"{ROWS} AND user_rating IS NOT NULL ORDER BY user_rating_date IS NULL, user_rating_date"
PLAYED = f"{ROWS} AND (full_play_count OR skip_count) ORDER BY last_played IS NULL, last_played"
COUNTS = {
    "full_play_count": daemon_pb2.PLAY_OUTCOME_FULL,
    "skip_count": daemon_pb2.PLAY_OUTCOME_SKIP,
}


def read(path: str) -> Iterator[Found]:
    """Yield ratings, then plays, each oldest first; entries without a time come last.

    Raises:
        OSError: the file does not exist.
        ValueError: the file is not a database of that project.
    """
    if not os.path.isfile(path):
        os.stat(path)
        raise ValueError("not a file")
    try:
        quoted = quote(os.fsencode(os.path.abspath(path)))
        with closing(sqlite3.connect(f"file:{quoted}?mode=ro", uri=True)) as database:
            database.row_factory = sqlite3.Row
            database.text_factory = lambda text: text.decode(errors="surrogateescape")
            database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
            # Reject a view: its query could run forever.
            if not database.execute(
                "SELECT 1 FROM sqlite_schema WHERE name = 'music_library' AND type = 'table'"
            ).fetchone():
                raise ValueError("not a project.db of Anagnorisis: it has no table music_library")
            for row in database.execute(RATED):
                yield _rating(row)
            for row in database.execute(PLAYED):
                yield from _plays(row)
    except sqlite3.Error as error:
        raise ValueError(f"not a project.db of Anagnorisis: {error}") from error


def _rating(row: sqlite3.Row) -> Found:
    record = {"type": "rating", "source": SOURCE, "value": row["user_rating"]}
    return _found(row, {**record, "timestamp": row["user_rating_date"]})


def _plays(row: sqlite3.Row) -> Iterator[Found]:
    number = 0
    for name, outcome in COUNTS.items():
        count = row[name] or 0
        if not isinstance(count, int) or not 0 <= count <= MAX_PLAYS:
            reason = f"{name} is not a whole number from 0 to {MAX_PLAYS}"
            yield Found(f"row {row['rowid']}", None, reason)
            continue
        for _ in range(count):
            found = _found(
                row, {"type": "play", "outcome": "neither", "timestamp": row["last_played"]}
            )
            if found.entry:
                found.entry.play.outcome = outcome
                if found.entry.HasField("timestamp"):
                    found.entry.timestamp.seconds -= number
            yield found
            number += 1


def _found(row: sqlite3.Row, record: dict[str, Any]) -> Found:
    location = f"row {row['rowid']}"
    try:
        at = record.pop("timestamp")
        entry: HistoryEntry = records.entry({**record, "uri": row["file_path"]})
        if at:
            entry.timestamp.FromNanoseconds(_nanoseconds(at))
        return Found(location, entry)
    except ValueError as error:
        return Found(location, None, str(error))


def _nanoseconds(text: object) -> int:
    """Parse a date; that project stores local time without a UTC offset."""
    try:
        return round(datetime.fromisoformat(str(text)).timestamp() * 1e9)
    except (ValueError, OverflowError, OSError):
        raise ValueError("its date is none of that project") from None
