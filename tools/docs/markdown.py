"""Markdown as the generated pages need it."""

from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table, with an empty one after it."""
    return [
        _row(heads),
        "|".join(["", *("---" for _ in heads), ""]),
        *map(_row, rows),
        "",
    ]


def code(text: str) -> str:
    """Return `text` as a code span, whatever backticks it holds."""
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
