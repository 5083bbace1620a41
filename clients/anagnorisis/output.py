"""Output of responses: JSON, text, tables and progress bars."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from anagnorisis.text import aligned

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from rich.progress import Progress, TaskID


class Bar(Protocol):
    """A progress display."""

    def show(self, text: str, fraction: float | None) -> None:
        """Show `text` and the completed fraction, 0 to 1, `None` if unknown."""
        ...


def show_json(message: "Message", *, line: bool = False) -> None:
    """Print a message as JSON with its proto field names; `line` prints one line, for streams."""
    from google.protobuf.json_format import MessageToJson

    print(
        MessageToJson(
            message,
            preserving_proto_field_name=True,
            always_print_fields_with_no_presence=True,
            indent=None if line else 2,
        ),
        flush=line,
    )


def show_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table: with rich on a terminal if it is installed, else with aligned columns."""
    if sys.stdout.isatty() and _show_rich_table(header, rows):
        return
    for line in aligned(header, rows):
        print(line)


def _show_rich_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    try:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ImportError:
        return False
    table = Table(*header, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)
    return True


@contextmanager
def progress_bar() -> "Iterator[Bar]":
    """Show progress: a rich bar on a terminal if it is installed, else a line for each change."""
    if sys.stdout.isatty():
        try:
            from rich.progress import BarColumn, Progress, TextColumn
        except ImportError:
            pass
        else:
            with Progress(BarColumn(), TextColumn("{task.description}")) as progress:
                yield _RichBar(progress, progress.add_task("", total=None))
            return
    yield _Lines()


class _RichBar:
    def __init__(self, progress: "Progress", task: "TaskID") -> None:
        self._progress = progress
        self._task = task

    def show(self, text: str, fraction: float | None) -> None:
        total = None if fraction is None else 1.0
        self._progress.update(self._task, description=text, total=total, completed=fraction or 0)


class _Lines:
    def __init__(self) -> None:
        self._last = ""

    def show(self, text: str, fraction: float | None) -> None:
        if text != self._last:
            self._last = text
            print(text, flush=True)
