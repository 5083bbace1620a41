"""The database of the original Anagnorisis project, as history entries.

Its table `music_library` has one row a file: the rating with its date, and counts of plays. Where
only counts are known, plays are made up that end a second apart, the last of them when the file
was last played; so a repeated import finds them again.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime

from anagnorisis.v1 import daemon_pb2
from anagnorisis.v1.history_pb2 import HistoryEntry

SOURCE = "anagnorisis"
ROWS = """SELECT file_path, user_rating, user_rating_date, full_play_count, skip_count, last_played
    FROM music_library WHERE file_path IS NOT NULL"""


def read(path: str) -> list[HistoryEntry]:
    """Return the entries, oldest first; those without a time come last.

    Raises:
        ValueError: the file is no such database.
    """
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            database.row_factory = sqlite3.Row
            entries = [entry for row in database.execute(ROWS) for entry in _entries(row)]
    except (sqlite3.Error, TypeError) as error:
        raise ValueError(f"not a project.db of Anagnorisis: {error}") from error
    return sorted(entries, key=lambda entry: (not entry.HasField("at"), entry.at.ToNanoseconds()))


def _entries(row: sqlite3.Row) -> Iterator[HistoryEntry]:
    if row["user_rating"] is not None:
        given = HistoryEntry(uri=row["file_path"], source=SOURCE)
        given.rating.value = row["user_rating"]
        _date(given, row["user_rating_date"])
        yield given
    verdicts = [daemon_pb2.PLAY_VERDICT_FULL] * (row["full_play_count"] or 0)
    verdicts += [daemon_pb2.PLAY_VERDICT_SKIP] * (row["skip_count"] or 0)
    for seconds_before, verdict in enumerate(verdicts):
        play = HistoryEntry(uri=row["file_path"])
        play.play.verdict = verdict
        _date(play, row["last_played"])
        if play.HasField("at"):
            play.at.seconds -= seconds_before
        yield play


def _date(entry: HistoryEntry, text: str | None) -> None:
    """Date an entry; that project writes local time without saying so."""
    if text:
        entry.at.FromNanoseconds(round(datetime.fromisoformat(text).timestamp() * 1e9))
