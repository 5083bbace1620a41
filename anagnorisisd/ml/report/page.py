"""The page: one HTML file, which needs nothing from anywhere."""

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape

from anagnorisisd.domain.report import ArtistLiking, Line, Material
from anagnorisisd.errors import PreconditionFailed
from anagnorisisd.ml.report.review import Review, review

ARTISTS = 10
STYLE = """
body { font-family: system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem;
  color: #222; background: #fff; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(24rem, 1fr)); gap: 1rem; }
figure { margin: 0; } svg { width: 100%; height: auto; }
.tables { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: 2rem; }
table { border-collapse: collapse; width: 100%; } td { padding: .15rem .6rem .15rem 0; }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
"""


def draw(material: Material) -> str:
    """Return the page.

    Raises:
        PreconditionFailed: matplotlib is not installed.
    """
    seen = review(material.model, material.examples) if material.model else None
    figures = "".join(f"<figure>{figure}</figure>" for figure in _figures(material, seen))
    tables = "".join(_tables(material))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>Anagnorisis report</title><style>{STYLE}</style></head><body>"
        f"<h1>Anagnorisis report</h1><p>{escape(_summary(material))}</p>"
        f'<div class="figures">{figures}</div><div class="tables">{tables}</div>'
        "</body></html>\n"
    )


def _figures(material: Material, seen: Review | None) -> list[str]:
    try:
        from anagnorisisd.ml.report import figures
    except ModuleNotFoundError as error:
        raise PreconditionFailed(
            "the report is drawn by matplotlib, which is not installed; "
            "install it beside the daemon: pip install 'anagnorisisd[report]'"
        ) from error
    drawn = []
    with figures.style():
        if len(material.ratings):
            drawn.append(figures.over_time(material))
        if seen is not None:
            drawn.append(figures.held_out(seen))
            drawn.append(figures.calibration(seen))
            drawn.append(figures.learning_curve(seen))
        if len(material.library):
            drawn.append(figures.library_map(material))
    return drawn


def _summary(material: Material) -> str:
    made = datetime.fromtimestamp(material.made_at, UTC).strftime("%d %B %Y, %H:%M UTC")
    rated = f"{len(material.examples)} tracks are rated and embedded"
    version = material.evaluator
    if version is None:
        return f"{made}. {rated}; no evaluator has been trained yet."
    metrics = version.metrics
    return (
        f"{made}. {rated}. Evaluator {version.version} ({version.kind}) errs by "
        f"{metrics.error:.2f} points on held-out ratings, always answering the mean rating by "
        f"{metrics.mean_error:.2f}; rank correlation {metrics.rank_correlation:.2f}. "
        f"Plays and skips: {version.notes.get('plays', 'not known')}."
    )


def _tables(material: Material) -> list[str]:
    most = list(material.artists[:ARTISTS])
    least = [artist for artist in material.artists[::-1][:ARTISTS] if artist not in most]
    tables = [
        ("Most liked artists", [_artist_row(artist) for artist in most]),
        ("Least liked artists", [_artist_row(artist) for artist in least]),
        ("Picks in the queue", [_line_row(line) for line in material.picks]),
        ("Played last", [_line_row(line) for line in material.plays]),
    ]
    return [_table(title, rows) for title, rows in tables if rows]


def _table(title: str, rows: Sequence[str]) -> str:
    return f"<section><h2>{title}</h2><table>{''.join(rows)}</table></section>"


def _artist_row(artist: ArtistLiking) -> str:
    tracks = f"{artist.tracks} tracks"
    return (
        f'<tr><td>{_text(artist.name)}</td><td class="number">{tracks}</td>'
        f'<td class="number">{artist.liking:.1f}</td></tr>'
    )


def _line_row(line: Line) -> str:
    name = f"{line.artist} – {line.title}" if line.artist else line.title
    rating = "" if line.rating is None else f"{line.rating:g}"
    return (
        f"<tr><td>{_text(name)}</td><td>{_text(line.note)}</td>"
        f'<td class="number">{rating}</td></tr>'
    )


def _text(text: str) -> str:
    """Return text that is safe in HTML; what is not Unicode is shown as a question mark."""
    return escape(text.encode("utf-8", "replace").decode("utf-8"))
