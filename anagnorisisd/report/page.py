"""Render the report as one self-contained HTML file."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from math import isnan
from pathlib import PurePosixPath

from anagnorisisd.domain.evaluator import TagPreference
from anagnorisisd.report.data import ArtistSummary, HeldOutEvaluation, ReportData, ReportRow
from anagnorisisd.report.held_out_evaluation import review

ARTISTS = 10
HELD_OUT = (
    "Held-out tracks",
    "Predicted against given ratings of tracks held out from training, with one standard "
    "deviation. Points on the dashed line are exact.",
)
LEARNING = (
    "Learning",
    "Mean absolute error by number of ratings, beside two baselines: the nearest neighbours by "
    "sound and the mean rating. Lower is better.",
)
CALIBRATION = (
    "Calibration",
    "Share of held-out ratings inside the prediction intervals, against the nominal share. Below "
    "the dashed line the evaluator is overconfident.",
)

BIDIRECTIONAL = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
"""Unicode's control characters for directions: marks, embeddings, overrides and isolates."""
NOT_IN_XML = (*range(0x20), *range(0x7F, 0xA0), 0xFFFE, 0xFFFF)
REMOVED = dict.fromkeys([*BIDIRECTIONAL, *NOT_IN_XML])
"""Characters that are removed from tags; the first ones would reorder the text around a tag."""
MAP = (
    "The library by sound",
    "Each dot is a track; similar tracks lie close together. Grey dots have no predicted rating. "
    "Point at a dot to see the track and its rating.",
)
STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 74rem; padding: 2rem 1.5rem;
  color: #23272e; background: #f4f6f9; }
h1 { font-size: 1.7rem; margin: 0; } h2 { font-size: 1.05rem; margin: 0 0 .4rem; }
p { margin: .4rem 0 1.4rem; color: #565d68; max-width: 60rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(26rem, 1fr)); gap: 1.2rem;
  margin-bottom: 1.2rem; }
.card { background: #fff; border: 1px solid #e3e7ed; border-radius: 10px; margin: 0;
  padding: 1rem 1.2rem; }
.wide { grid-column: 1 / -1; }
figcaption { color: #565d68; font-size: .88rem; }
svg { width: 100%; height: auto; display: block; }
table { border-collapse: collapse; width: 100%; }
tr + tr td { border-top: 1px solid #eef1f5; }
td { padding: .25rem .6rem .25rem 0; } td:last-child { padding-right: 0; }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
@media (max-width: 34rem) { .cards { grid-template-columns: 1fr; } }
"""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure as SVG, with title and caption."""

    title: str
    caption: str
    svg: str
    wide: bool = False


def draw_in_worker(data: ReportData, settings_directory: str) -> str:
    """Return the report as HTML; matplotlib keeps its font cache in `settings_directory`.

    A sandboxed worker process cannot use matplotlib's default directory, which is in the user's
    home.
    """
    os.environ["MPLCONFIGDIR"] = settings_directory
    return draw(data)


def draw(data: ReportData) -> str:
    """Return the report as HTML; imports matplotlib."""
    seen = review(data.model, data.examples) if data.model else None
    figures = "".join(map(_figure, _drawings(data, seen)))
    tables = "".join(_tables(data))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Anagnorisis report</title><style>{STYLE}</style></head><body>"
        f"<h1>Anagnorisis report</h1><p>{escape(_summary(data))}</p>"
        f'<div class="cards">{figures}</div><div class="cards">{tables}</div>'
        "</body></html>\n"
    )


def _drawings(data: ReportData, seen: HeldOutEvaluation | None) -> list[Drawing]:
    from anagnorisisd.report import figures

    drawn = []
    with figures.style():
        if len(data.ratings):
            svg = figures.over_time(data)
            drawn.append(Drawing("Ratings over time", "Each dot is a rating that you gave.", svg))
        if seen is not None:
            drawn += [
                Drawing(*HELD_OUT, figures.held_out(seen)),
                Drawing(*LEARNING, figures.learning_curve(seen)),
                Drawing(*CALIBRATION, figures.calibration(seen)),
            ]
        if len(data.library):
            drawn.append(Drawing(*MAP, figures.library_map(data, _track_names(data)), wide=True))
    return drawn


def _figure(drawing: Drawing) -> str:
    return (
        f'<figure class="card{" wide" if drawing.wide else ""}"><h2>{drawing.title}</h2>'
        f"{drawing.svg}<figcaption>{drawing.caption}</figcaption></figure>"
    )


def _summary(data: ReportData) -> str:
    created = datetime.fromtimestamp(data.made_at, UTC).strftime("%d %B %Y, %H:%M UTC")
    count = len(data.examples)
    rated = f"{count} {'track is' if count == 1 else 'tracks are'} rated and embedded"
    version = data.evaluator
    if version is None:
        return f"{created}. {rated}; no evaluator has been trained yet."
    metrics = version.metrics
    return (
        f"{created}. {rated}. Evaluator {version.version} ({version.model}): "
        f"mean absolute error {metrics.mean_absolute_error:.2f} on held-out ratings "
        f"(baseline {metrics.baseline_error:.2f}); "
        f"rank correlation {metrics.rank_correlation:.2f}. "
        f"Plays and skips: {version.notes.get('implicit_feedback', 'not known')}."
        f"{_taste(version.tag_preferences)}"
    )


def _taste(preferences: Sequence[TagPreference]) -> str:
    """Return a sentence about liked and disliked sound tags, empty if there are none."""
    liked = ", ".join(tag.name for tag in preferences if tag.liked)
    disliked = ", ".join(tag.name for tag in preferences if not tag.liked)
    parts = [
        f"{verb} {names}" for verb, names in (("likes", liked), ("dislikes", disliked)) if names
    ]
    return f" Your taste: {'; '.join(parts)}." if parts else ""


def _tables(data: ReportData) -> list[str]:
    most_liked = list(data.artists[:ARTISTS])
    least_liked = [artist for artist in data.artists[::-1][:ARTISTS] if artist not in most_liked]
    tables = [
        ("Most liked artists", [_artist_row(artist) for artist in most_liked]),
        ("Least liked artists", [_artist_row(artist) for artist in least_liked]),
        ("Picks in the queue", [_track_row(row) for row in data.picks]),
        ("Played last", [_track_row(row) for row in data.plays]),
    ]
    return [_table(title, rows) for title, rows in tables if rows]


def _table(title: str, rows: Sequence[str]) -> str:
    body = "".join(rows)
    return f'<section class="card"><h2>{title}</h2><table>{body}</table></section>'


def _artist_row(artist: ArtistSummary) -> str:
    tracks = f"{artist.tracks} tracks"
    return (
        f'<tr><td>{_text(artist.name)}</td><td class="number">{tracks}</td>'
        f'<td class="number">{artist.liking:.1f}</td></tr>'
    )


def _track_row(row: ReportRow) -> str:
    name = f"{row.artist} – {row.title}" if row.artist else row.title
    rating = "" if row.rating is None else f"{row.rating:g}"
    return (
        f'<tr><td>{_text(name)}</td><td>{_text(row.note)}</td><td class="number">{rating}</td></tr>'
    )


def _track_names(data: ReportData) -> list[str]:
    """Return `Artist – Title, rated 8` or `…, predicted 6.3` of each track on the map."""
    ratings = dict(zip(data.examples.tracks.track_ids, data.examples.ratings, strict=True))
    library, names = data.library, []
    for track_id, tags, uri, predicted in zip(
        library.track_ids, library.tags, library.uris, data.predicted, strict=True
    ):
        title = tags.title or PurePosixPath(uri).stem
        name = f"{tags.artist} – {title}" if tags.artist else title
        if track_id in ratings:
            name += f", rated {ratings[track_id]:g}"
        elif not isnan(predicted):
            name += f", predicted {predicted:.1f}"
        names.append(_clean(name))
    return names


def _text(text: str) -> str:
    """Return text of tags for HTML."""
    return escape(_clean(text))


def _clean(text: str) -> str:
    """Return text without control characters, with lone surrogates replaced by question marks."""
    return text.encode("utf-8", "replace").decode("utf-8").translate(REMOVED)
