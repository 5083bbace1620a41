"""History entries as lines of a file: JSON Lines and CSV, with the same fields.

| field              | of    | meaning                                                     |
|--------------------|-------|-------------------------------------------------------------|
| `kind`             | both  | `rating` or `play`                                          |
| `track_id`         | both  | hash of the audio; may be empty                             |
| `uri`              | both  | path relative to the music directory                        |
| `at`               | both  | when it was given or ended, ISO 8601 in UTC; may be empty   |
| `value`            | rating| 0 to 10; empty where the rating was cleared                 |
| `source`           | rating| the door through which it came                              |
| `verdict`          | play  | `full`, `skip` or `neither`                                 |
| `heard_seconds`    | play  | time heard                                                  |
| `duration_seconds` | play  | length of the track; may be empty                           |
"""

import csv
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, TextIO

from anagnorisis.v1 import daemon_pb2
from anagnorisis.v1.history_pb2 import GivenRating, HistoryEntry, JudgedPlay

FIELDS = (
    "kind", "track_id", "uri", "at", "value", "source",
    "verdict", "heard_seconds", "duration_seconds",
)  # fmt: skip
VERDICT = "PLAY_VERDICT_"

Record = dict[str, Any]


def write(entries: Iterable[HistoryEntry], file: TextIO, *, as_csv: bool) -> int:
    """Write entries to a file and return how many there were."""
    records = map(_record, entries)
    if as_csv:
        table = csv.DictWriter(file, FIELDS)
        table.writeheader()
        return sum(table.writerow(record) is not None for record in records)
    return sum(file.write(json.dumps(record, ensure_ascii=False) + "\n") > 0 for record in records)


def read(file: TextIO, *, as_csv: bool) -> Iterator[HistoryEntry]:
    """Yield the entries of a file.

    Raises:
        ValueError: a line is no entry; the text names it.
    """
    records = csv.DictReader(file) if as_csv else map(json.loads, file)
    number = 1 if as_csv else 0
    while True:
        number += 1
        try:
            record = next(records, None)
            if record is None:
                return
            yield _entry(record)
        except (ValueError, TypeError, AttributeError) as error:
            raise ValueError(f"line {number}: {error}") from error


def _record(entry: HistoryEntry) -> Record:
    record: Record = {
        "kind": entry.WhichOneof("content"),
        "track_id": entry.track_id,
        "uri": entry.uri,
        "at": _written(entry) if entry.HasField("at") else None,
    }
    if record["kind"] == "rating":
        value = entry.rating.value if entry.rating.HasField("value") else None
        return {**record, "value": value, "source": entry.source}
    play = entry.play
    return {
        **record,
        "verdict": daemon_pb2.PlayVerdict.Name(play.verdict).removeprefix(VERDICT).lower(),
        "heard_seconds": play.heard_seconds,
        "duration_seconds": play.duration_seconds if play.HasField("duration_seconds") else None,
    }


def _written(entry: HistoryEntry) -> str:
    at = entry.at.ToDatetime(UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _entry(record: Record) -> HistoryEntry:
    entry = HistoryEntry(
        track_id=record.get("track_id") or "",
        uri=record.get("uri") or "",
        source=record.get("source") or "",
    )
    if record.get("at"):
        entry.at.FromDatetime(datetime.fromisoformat(record["at"]).astimezone(UTC))
    kind = record.get("kind")
    if kind == "rating":
        entry.rating.CopyFrom(GivenRating(value=_number(record, "value")))
    elif kind == "play":
        entry.play.CopyFrom(_play(record))
    else:
        raise ValueError(f"kind is {kind!r}, not rating or play")
    return entry


def _play(record: Record) -> JudgedPlay:
    verdict = f"{VERDICT}{str(record.get('verdict')).upper()}"
    return JudgedPlay(
        verdict=daemon_pb2.PlayVerdict.Value(verdict),
        heard_seconds=_number(record, "heard_seconds") or 0.0,
        duration_seconds=_number(record, "duration_seconds"),
    )


def _number(record: Record, field: str) -> float | None:
    value = record.get(field)
    return None if value in (None, "") else float(value)
