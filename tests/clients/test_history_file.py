"""Reading history entries: any bytes give entries or reasons, and what was written comes back."""

import csv
import io

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given, settings
from hypothesis import strategies as st

from anagnorisis import history_file, records
from anagnorisis.history_file import Found
from anagnorisis.v1 import daemon_pb2
from anagnorisis.v1.history_pb2 import HistoryEntry, PlayEntry, RatingEntry

HEADER = b"type,track_id,uri,timestamp,value,source,outcome,heard_seconds,duration_seconds\n"
GOOD = b"rating,,a.ogg,2025-01-01T00:00:00Z,7,,,,\n"

texts = st.text(st.characters(codec="utf-8"), max_size=40)
numbers = st.none() | st.floats(0, 1e9)
times = st.integers(0, 4_000_000_000_000).map(
    lambda at: Timestamp(seconds=at // 1000, nanos=at % 1000 * 1_000_000)
)
contents = st.builds(lambda value: {"rating": RatingEntry(value=value)}, numbers) | st.builds(
    lambda outcome, heard, duration: {
        "play": PlayEntry(outcome=outcome, heard_seconds=heard, duration_seconds=duration)
    },
    st.sampled_from(daemon_pb2.PlayOutcome.values()[1:]),
    st.floats(0, 1e9),
    numbers,
)
entries = st.builds(
    lambda track, uri, source, timestamp, content: HistoryEntry(
        track_id=track,
        uri=uri,
        source="" if "play" in content else source,
        timestamp=timestamp,
        **content,
    ),
    texts,
    texts,
    texts,
    st.none() | times,
    contents,
)


def read(content: bytes, *, as_csv: bool) -> list[Found]:
    return list(history_file.read(io.BytesIO(content), as_csv=as_csv))


@pytest.mark.parametrize("as_csv", [True, False])
@given(wanted=st.lists(entries, max_size=5))
def test_written_entries_are_read_back(as_csv: bool, wanted: list[HistoryEntry]) -> None:
    content = b"".join(records.serialize(wanted, as_csv=as_csv))

    assert [found.entry for found in read(content, as_csv=as_csv)] == wanted


@pytest.mark.parametrize("as_csv", [True, False])
def test_blank_lines_between_entries_are_skipped(as_csv: bool) -> None:
    wanted = [HistoryEntry(uri="a", rating=RatingEntry(value=3))] * 2
    lines = list(records.serialize(wanted, as_csv=as_csv))

    found = read(b"\n \r\n" + b"\n  \n\t\n".join(lines) + b"\n", as_csv=as_csv)

    assert [each.entry for each in found] == wanted


def test_blank_lines_in_a_cell_are_kept() -> None:
    wanted = [HistoryEntry(uri="a\n\nb", source="\n\n", rating=RatingEntry(value=3))]

    assert [
        found.entry for found in read(b"".join(records.serialize(wanted, as_csv=True)), as_csv=True)
    ] == wanted


@given(entries)
def test_no_cell_is_a_formula(entry: HistoryEntry) -> None:
    (_, row) = csv.reader(
        io.StringIO(b"".join(records.serialize([entry], as_csv=True)).decode(), newline="")
    )

    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in row)


@settings(max_examples=500)
@given(st.binary(max_size=300))
def test_any_bytes_are_entries_or_say_why_not(content: bytes) -> None:
    for found in (*read(b"\n" + content, as_csv=False), *read(HEADER + content, as_csv=True)):
        assert (found.entry is None) == bool(found.reason)
        assert found.reason.count("\n") == 0


@settings(max_examples=500)
@given(st.lists(st.sampled_from(['"', ",", "x", "\n", "\r", "'", "=", "\0", "é"]), max_size=40))
def test_bad_line_without_quotes_affects_no_other_line(parts: list[str]) -> None:
    text = "".join(parts)
    if text.count('"') % 2 == 0:  # Else a mark could be closed by the next one, as in any table.
        text = text.replace('"', "")

    found = read(HEADER + text.encode() + b"\n" + GOOD + GOOD, as_csv=True)

    assert [each.entry.uri for each in found if each.entry] == ["a.ogg", "a.ogg"]


def test_a_mark_that_is_never_closed_costs_its_line_in_a_long_table() -> None:
    lines = HEADER + b'rating,,"a.ogg,,,\n' + GOOD * 5000

    found = read(lines, as_csv=True)

    assert [each.location for each in found if not each.entry] == ["line 2"]
    assert len(found) == 5001
