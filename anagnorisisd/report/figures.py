"""Draw the figures of the report with matplotlib, as SVG for embedding in HTML."""

import io
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from anagnorisisd.report import held_out_evaluation
from anagnorisisd.report.data import LEVELS, HeldOutEvaluation, ReportData
from anagnorisisd.taste import projection

LABELS = {
    "Gaussian process": "sound and metadata",
    "neighbours": "neighbours",
    "mean": "mean rating",
}
COLOURS = {"Gaussian process": "#2f6f9f", "neighbours": "#d9822b", "mean": "#8a8f98"}
MAIN_COLOUR, FAINT, INK = COLOURS["Gaussian process"], "#c9ced6", "#3a3f47"
UNKNOWN_DOTS, KNOWN_DOTS = "tracks-without-prediction", "tracks-with-prediction"
NAMESPACES = {
    "": "http://www.w3.org/2000/svg",
    "xlink": "http://www.w3.org/1999/xlink",
    "cc": "http://creativecommons.org/ns#",
    "dc": "http://purl.org/dc/elements/1.1/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
}
SVG = f"{{{NAMESPACES['']}}}"
NARROW, WIDE = (5.2, 3.4), (10.8, 5.0)


def style() -> AbstractContextManager[None]:
    """Return a context with the common style; equal data gives equal SVG in it."""
    return mpl.rc_context(
        {
            "svg.fonttype": "none",  # keep text searchable, in the browser's font
            "svg.hashsalt": "report",
            "figure.facecolor": "none",
            "axes.facecolor": "none",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.edgecolor": FAINT,
            "axes.labelcolor": INK,
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.color": "#eceff3",
            "xtick.color": INK,
            "ytick.color": INK,
            "text.color": INK,
        }
    )


def over_time(data: ReportData) -> str:
    """Return a scatter plot of the ratings over time."""
    figure, axes = _axes("", "rating")
    when = [datetime.fromtimestamp(moment, UTC) for moment in data.rated_at]
    axes.scatter(when, data.ratings, s=18, alpha=0.6, color=MAIN_COLOUR, linewidths=0)  # type: ignore[arg-type]
    axes.set_ylim(-0.4, 10.4)
    dates = AutoDateLocator(maxticks=6)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(dates)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(dates))  # type: ignore[no-untyped-call]
    return _svg(figure)


def held_out(seen: HeldOutEvaluation) -> str:
    """Return a plot of predicted against given ratings of held-out tracks, each track once."""
    figure, axes = _axes("rating given", "rating predicted")
    once = slice(seen.tracks)
    # Jitter: many ratings are equal, and their points would hide each other.
    given = seen.given[once] + np.random.default_rng(0).uniform(-0.25, 0.25, seen.tracks)
    axes.plot([0, 10], [0, 10], color=INK, linewidth=1, linestyle="--")
    axes.errorbar(
        given,
        seen.predicted[once],
        yerr=seen.stddev[once],
        fmt="none",
        ecolor=FAINT,
        elinewidth=0.6,
    )
    axes.scatter(
        given, seen.predicted[once], s=14, alpha=0.8, color=MAIN_COLOUR, linewidths=0, zorder=3
    )
    axes.set_xlim(-0.5, 10.5)
    axes.set_ylim(-0.5, 10.5)
    return _svg(figure)


def learning_curve(seen: HeldOutEvaluation) -> str:
    """Return a plot of the mean absolute error by number of ratings, with the baselines."""
    figure, axes = _axes("ratings", "mean absolute error")
    for kind, points in seen.curve.items():
        sizes, errors = zip(*points, strict=True)
        axes.plot(sizes, errors, marker="o", markersize=4, label=LABELS[kind], color=COLOURS[kind])
    axes.margins(y=0.25)
    figure.legend(frameon=False, ncols=3, loc="outside lower center")
    return _svg(figure)


def calibration(seen: HeldOutEvaluation) -> str:
    """Return a plot of the observed against the nominal coverage of the prediction intervals."""
    figure, axes = _axes("nominal share", "observed share")
    axes.plot([0, 1], [0, 1], color=INK, linewidth=1, linestyle="--")
    axes.plot(
        LEVELS,
        held_out_evaluation.coverage(seen),
        marker="o",
        markersize=4,
        color=MAIN_COLOUR,
    )
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    return _svg(figure)


def library_map(data: ReportData, names: Sequence[str]) -> str:
    """Return a map of the tracks by principal components, coloured by predicted rating.

    A browser shows the name of a track, one of `names`, when the pointer is at its dot.
    """
    figure, axes = _axes("", "", WIDE)
    vectors, stats = data.library.vectors, data.examples.feature_stats
    positions = projection.project(vectors, stats, projection.fit(vectors, stats))
    known = np.isfinite(data.predicted)
    x, y = positions.T
    axes.scatter(x[~known], y[~known], s=10, color=FAINT, linewidths=0, gid=UNKNOWN_DOTS)
    points_drawn = axes.scatter(
        x[known],
        y[known],
        s=20,
        c=data.predicted[known],
        cmap="viridis",
        linewidths=0,
        gid=KNOWN_DOTS,
    )
    if known.any():
        figure.colorbar(points_drawn, label="predicted rating", aspect=30).outline.set_visible(
            False
        )
    axes.set_axis_off()
    titles = {
        UNKNOWN_DOTS: [names[row] for row in np.flatnonzero(~known).tolist()],
        KNOWN_DOTS: [names[row] for row in np.flatnonzero(known).tolist()],
    }
    return _with_titles(_svg(figure), titles)


def _with_titles(svg: str, titles: Mapping[str, Sequence[str]]) -> str:
    """Return the SVG with a title in each dot of the collections that have these ids."""
    for prefix, namespace in NAMESPACES.items():
        ET.register_namespace(prefix, namespace)
    root = ET.fromstring(svg)  # noqa: S314 - matplotlib has just written it
    for group, names in titles.items():
        collection = root.find(f".//{SVG}g[@id='{group}']")
        if collection is None:  # it has no dots
            continue
        # matplotlib refers to one shape for many dots, and draws a few dots one by one.
        dots = list(collection.iter(f"{SVG}use")) or list(collection.iter(f"{SVG}path"))
        for dot, name in zip(dots, names, strict=True):
            ET.SubElement(dot, f"{SVG}title").text = name
    return ET.tostring(root, encoding="unicode")


def _axes(x_label: str, y_label: str, size: tuple[float, float] = NARROW) -> tuple[Figure, Axes]:
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    return figure, axes


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    metadata = {"Creator": None, "Date": None, "Format": None, "Type": None}
    figure.savefig(buffer, format="svg", dpi=150, metadata=metadata)
    text = buffer.getvalue()
    return text[text.index("<svg") :]  # HTML must not contain the XML declaration
