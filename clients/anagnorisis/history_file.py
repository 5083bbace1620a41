"""Reader of history entries in JSON Lines and CSV files, in bounded memory.

The file may hold any bytes. An invalid line or row is reported with a reason and does not affect
the others.
"""

import csv
import json
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from itertools import filterfalse
from typing import BinaryIO, NamedTuple

from anagnorisis import records
from anagnorisis.v1.history_pb2 import HistoryEntry

MAX_LINE_LENGTH = 1 << 16
"""Bytes of a line, or of a row with line breaks in its cells. A path has at most 4096."""

MAX_SKIPPED_BYTES = 1 << 26
"""Bytes after which reading stops in a line without end, for example in `/dev/zero`."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
DELIMITERS = ",;\t"


class Found(NamedTuple):
    """An entry and its location in the file; without an entry, `reason` says why."""

    location: str
    entry: HistoryEntry | None
    reason: str = ""


class Line(NamedTuple):
    """A line of the file; if it cannot be decoded, `reason` says why."""

    number: int
    text: str
    reason: str = ""


def read(file: BinaryIO, *, as_csv: bool) -> Iterator[Found]:
    """Yield an entry or a reason for each line that is not empty.

    Raises:
        ValueError: the whole file is unreadable, for example UTF-16.
    """
    lines = _lines(file)
    return _table(lines) if as_csv else map(_object, filterfalse(_is_blank, lines))


def _lines(file: BinaryIO) -> Iterator[Line]:
    number = 0
    while line := file.readline(MAX_LINE_LENGTH + 1):
        number += 1
        if number == 1:
            if line.startswith(UTF_16):
                raise ValueError("it is UTF-16 text; save it as UTF-8")
            line = line.removeprefix(BYTE_ORDER_MARK)
        if len(line) > MAX_LINE_LENGTH:
            _skip(file, line, number)
            yield Line(number, "", f"is longer than {MAX_LINE_LENGTH} bytes")
        else:
            yield _decoded(number, line)


def _is_blank(line: Line) -> bool:
    return not (line.reason or line.text.strip())


def _skip(file: BinaryIO, line: bytes, number: int) -> None:
    """Read to the end of a line that is too long."""
    skipped = len(line)
    while line and not line.endswith(b"\n"):
        if skipped > MAX_SKIPPED_BYTES:
            raise ValueError(f"line {number}: does not end within {MAX_SKIPPED_BYTES} bytes")
        line = file.readline(MAX_LINE_LENGTH)
        skipped += len(line)


def _decoded(number: int, line: bytes) -> Line:
    try:
        return Line(number, line.decode())
    except UnicodeDecodeError as error:
        return Line(number, "", f"is not UTF-8 text: byte {error.start + 1} cannot be decoded")


def _object(line: Line) -> Found:
    return _found(line, lambda: json.loads(line.text))


def _found(line: Line, record: Callable[[], object]) -> Found:
    location = f"line {line.number}"
    if line.reason:
        return Found(location, None, line.reason)
    try:
        return Found(location, records.entry(record()))
    except json.JSONDecodeError as error:
        return Found(location, None, f"is not JSON: {error.msg} at column {error.colno}")
    except RecursionError:
        return Found(location, None, "is nested too deeply")
    except ValueError as error:
        return Found(location, None, str(error))


def _table(lines: Iterator[Line]) -> Iterator[Found]:
    names, delimiter = _header(lines)
    rows = _Rows(lines, delimiter)
    while line := rows.next_line():
        row, reason = rows.row(line)
        if reason:
            yield Found(f"line {line.number}", None, reason)
        elif any(map(str.strip, row)):
            cells: dict[str, str | None] = dict(zip(names, row, strict=False))
            if delimiter != ",":  # then the decimal separator is a comma
                _point_decimals(cells)
            yield _found(line, partial(records.unescape_formulas, cells))


def _header(lines: Iterator[Line]) -> tuple[list[str], str]:
    written = filterfalse(_is_blank, lines)
    line = next(written, Line(1, ""))
    if line.text.startswith("sep="):  # Excel's declaration of the delimiter
        line = next(written, Line(2, ""))
    for delimiter in DELIMITERS:
        try:
            row = next(csv.reader([line.text], delimiter=delimiter), [])
        except csv.Error:
            continue
        names = [name.strip().lower() for name in row]
        if not {"type", "kind"}.isdisjoint(names):
            return names, delimiter
    raise ValueError(f"line {line.number}: has no column `type`, as `anagnorisis export` writes it")


def _point_decimals(cells: dict[str, str | None]) -> None:
    for name in records.NUMBERS:
        text = cells.get(name)
        if text:
            cells[name] = text.replace(",", ".", 1)


class _Rows:
    """Rows of a CSV file, whose quoted cells may have line breaks.

    If a quotation mark is never closed, only its line is lost: the following lines are parsed again
    as rows.
    """

    def __init__(self, lines: Iterator[Line], delimiter: str) -> None:
        self._lines = lines
        self._delimiter = delimiter
        self._unread: deque[Line] = deque()

    def next_line(self) -> Line | None:
        """Return the first line of the next row; `None` at the end."""
        return self._unread.popleft() if self._unread else next(self._lines, None)

    def row(self, line: Line) -> tuple[list[str], str]:
        """Return the cells of the row that starts with `line`, or the reason why it is invalid."""
        if line.reason:
            return [], line.reason
        following_lines: list[Line] = []
        try:
            row = next(
                csv.reader(
                    self._row_lines(line, following_lines), delimiter=self._delimiter, strict=True
                )
            )
        except csv.Error as error:
            self._unread.extendleft(reversed(following_lines))
            return [], f"is no row of a table: {error}"
        return row, ""

    def _row_lines(self, line: Line, following_lines: list[Line]) -> Iterator[str]:
        yield line.text
        length = len(line.text)
        while following := self.next_line():
            following_lines.append(following)
            length += len(following.text)
            if following.reason or length > MAX_LINE_LENGTH:
                return
            yield following.text
