"""History entries as JSON Lines and CSV, with the same fields.

| field              | of    | meaning                                                     |
|--------------------|-------|-------------------------------------------------------------|
| `type`             | both  | `rating` or `play`                                          |
| `track_id`         | both  | hash of the audio; may be empty                             |
| `uri`              | both  | path relative to the music directory                        |
| `timestamp`        | both  | time of the rating, or of the end of the play, ISO 8601 in  |
|                    |       | UTC; may be empty                                           |
| `value`            | rating| 0 to 10; empty if the rating was cleared                    |
| `source`           | rating| for example `cli` or `sticker`                              |
| `outcome`          | play  | `full`, `skip` or `neither`                                 |
| `heard_seconds`    | play  | time listened                                               |
| `duration_seconds` | play  | length of the track; may be empty                           |

A CSV cell that a spreadsheet would execute as a formula is prefixed with `'`.
"""

import csv
import io
import json
import math
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from anagnorisis.v1 import daemon_pb2
from anagnorisis.v1.history_pb2 import HistoryEntry, PlayEntry, RatingEntry

FIELDS = (
    "type", "track_id", "uri", "timestamp", "value", "source",
    "outcome", "heard_seconds", "duration_seconds",
)  # fmt: skip
EARLIER_NAMES: dict[Any, str] = {"kind": "type", "at": "timestamp", "verdict": "outcome"}
"""Field names of earlier versions; the reader still accepts them."""

TEXTS = ("track_id", "uri", "source")
NUMBERS = ("value", "heard_seconds", "duration_seconds")
OUTCOME = "PLAY_OUTCOME_"
FORMULA = re.compile(r"'*[=+\-@\t\r\n\uff0b\uff0d\uff1d\uff20]")
"""Start of a cell that spreadsheets execute, also after prefixes `'`."""

MAX_TIME_LENGTH = 64
"""Characters; ISO 8601 needs 32."""

Record = dict[str, Any]


def serialize(entries: Iterable[HistoryEntry], *, as_csv: bool) -> Iterator[bytes]:
    """Yield the encoded lines of a file."""
    if as_csv:
        yield _row(FIELDS)
    for entry in entries:
        record = _record(entry)
        if as_csv:
            cells = {name: _escaped_formula(record.get(name) or "") for name in TEXTS}
            yield _row([{**record, **cells}.get(name) for name in FIELDS])
        else:
            yield json.dumps(record, ensure_ascii=False).encode() + b"\n"


def entry(found: object) -> HistoryEntry:
    """Convert a record to an entry.

    Raises:
        ValueError: the record is invalid; the message is the reason.
    """
    if not isinstance(found, dict):
        raise ValueError(f"is not an object with fields: {_shortened(found)}")
    record: Record = {EARLIER_NAMES.get(name) or name: value for name, value in found.items()}
    kind = record.get("type")
    if not isinstance(kind, str) or kind not in {"rating", "play"}:
        raise ValueError(f"type is {_shortened(kind)}, not rating or play")
    track_id, uri, source = (_text(record, name) for name in TEXTS)
    result = HistoryEntry(track_id=track_id, uri=uri, source=source)
    at = _text(record, "timestamp")
    if at:
        result.timestamp.FromDatetime(_time(at))
    if kind == "rating":
        result.rating.CopyFrom(RatingEntry(value=_number(record, "value")))
    else:
        result.play.CopyFrom(_play(record))
    return result


def unescape_formulas(record: dict[str, str | None]) -> Record:
    """Return a CSV record without the prefixes `'` against formulas."""
    texts = {name: record.get(name) or "" for name in TEXTS}
    escaped = {name for name, text in texts.items() if text[:1] == "'" and FORMULA.match(text)}
    return {**record, **{name: texts[name][1:] for name in escaped}}


def _escaped_formula(text: str) -> str:
    return f"'{text}" if FORMULA.match(text) else text


def _row(cells: Iterable[object]) -> bytes:
    row = io.StringIO()
    csv.writer(row).writerow(cells)
    return row.getvalue().encode()


def _record(entry: HistoryEntry) -> Record:
    record: Record = {
        "type": entry.WhichOneof("content"),
        "track_id": entry.track_id,
        "uri": entry.uri,
        "timestamp": _timestamp(entry) if entry.HasField("timestamp") else None,
    }
    if record["type"] == "rating":
        value = entry.rating.value if entry.rating.HasField("value") else None
        return {**record, "value": value, "source": entry.source}
    play = entry.play
    return {
        **record,
        "outcome": daemon_pb2.PlayOutcome.Name(play.outcome).removeprefix(OUTCOME).lower(),
        "heard_seconds": play.heard_seconds,
        "duration_seconds": play.duration_seconds if play.HasField("duration_seconds") else None,
    }


def _timestamp(entry: HistoryEntry) -> str:
    at = entry.timestamp.ToDatetime(UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _text(record: Record, field: str) -> str:
    value = record.get(field)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{field} is {_shortened(value)}, not text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{field} has half a character: {_shortened(value)}") from None
    return value


def _time(text: str) -> datetime:
    try:
        if len(text) > MAX_TIME_LENGTH:
            raise ValueError
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"timestamp is {_shortened(text)}, not a time as in ISO 8601") from None


def _play(record: Record) -> PlayEntry:
    outcome = record.get("outcome")
    outcomes = daemon_pb2.PlayOutcome.keys()[1:]
    if not isinstance(outcome, str) or f"{OUTCOME}{outcome.upper()}" not in outcomes:
        raise ValueError(f"outcome is {_shortened(outcome)}, not full, skip or neither")
    return PlayEntry(
        outcome=daemon_pb2.PlayOutcome.Value(f"{OUTCOME}{outcome.upper()}"),
        heard_seconds=_number(record, "heard_seconds") or 0.0,
        duration_seconds=_number(record, "duration_seconds"),
    )


def _number(record: Record, field: str) -> float | None:
    value = record.get(field)
    if value is None or value == "":
        return None
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError
        number = float(value)
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{field} is {_shortened(value)}, not a number")
    return number


def _shortened(value: object) -> str:
    """Return a value for an error message; it may be long or deeply nested."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, int) and abs(value) >= 1 << 64:
        return "a number beyond 64 bits"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
