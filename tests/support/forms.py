"""The form of what a program prints: what stays the same on another day and another machine.

Numbers, times, names of tracks, paths and ids become placeholders, space between columns does not
matter, and a line that repeats the form of the one before it is left out: a table has as many rows
as it has.
"""

import re
from collections.abc import Iterable, Sequence

from tools.demo import library

ANY = "..."
"""A line of a document that stands for any lines."""


def _names() -> str:
    """Return a pattern for the names of what plays: files, tracks and artists of the catalogue."""
    files = [str(song.path) for song in library.songs()]
    tracks = [
        f"{song.artist.name} {dash} {song.title}" for song in library.songs() for dash in "-–"
    ]
    named = sorted(map(re.escape, [*files, *tracks]), key=len, reverse=True)
    return "|".join([r"Artist/(?:Album/)?Song\.flac", *named])


MASKS = [
    (re.compile(pattern), mask)
    for pattern, mask in (
        (r"\x1b\[[0-9;?]*[A-Za-z]", ""),
        (_names(), "TRACK"),
        (r"(?<![\w./])(?:~|\$\w+)?(?:/[\w.@+*~-]+)+/?", "PATH"),
        (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d[.\d]*)?Z?", "TIME"),
        (r"\b[0-9a-f]{32}\b", "ID"),
        (r"\b(?:features|musicnn|mert) [\w-]*\d[\w-]*", "EMBEDDER"),
        (r"predicted [\d.]+ ± [\d.]+|\brated [\d.]+|not rated|[\d.]+ assumed", "OPINION"),
        (r"\b(?:mean|Gaussian process|neighbours|perceptron)(?=, \d| +\d|$)", "KIND"),
        (
            r"(?:not )?worse: mean absolute error [\d.]+ \(current evaluator [\d.]+\)"
            r"|no evaluator to compare with; mean absolute error [\d.]+",
            "COMPARED",
        ),
        (r"was (?:none|nothing|unrated)", "was 0"),
        (r"(?<!\w)[-+]?\d+(?:[.,:]\d+)*%?|\d+", "#"),
        (r"(?<=TIME)\s+(?:cleared|#)\s+(?:grpc|cli|key|channel|playlist|sticker)(?=\s)", " GIVEN"),
        (r"(?<=#)\s+(?:audio|artist|album|folder|parent folder|genre|year)$", " GROUND"),
        (r"#(?:\s+#)+", "#"),
        (r"[─━═]{2,}", ""),
        (r"\s+", " "),
    )
]


def form(lines: Iterable[str]) -> list[str]:
    """Return the form of lines."""
    formed: list[str] = []
    for line in lines:
        for pattern, mask in MASKS:
            line = pattern.sub(mask, line)  # noqa: PLW2901 - one mask after the other
        line = line.strip()  # noqa: PLW2901
        if line and line not in formed[-1:]:
            formed.append(line)
    return formed


def matches(wanted: Sequence[str], got: Sequence[str]) -> bool:
    """Tell whether a form is as wanted; `...` in what is wanted stands for any lines."""
    if not wanted:
        return not got
    if wanted[0] == ANY:
        return any(matches(wanted[1:], got[start:]) for start in range(len(got) + 1))
    return bool(got) and wanted[0] == got[0] and matches(wanted[1:], got[1:])
