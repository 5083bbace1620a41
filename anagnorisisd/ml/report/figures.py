"""The figures, drawn by matplotlib as SVG that stands in the page itself."""

import io
from contextlib import AbstractContextManager
from datetime import UTC, datetime

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from anagnorisisd.domain.evaluation import Floats64, Moments
from anagnorisisd.domain.report import Material
from anagnorisisd.ml.evaluator.inputs import standardise
from anagnorisisd.ml.report import review
from anagnorisisd.ml.report.review import Review

LABELS = {"process": "with sound and metadata", "neighbours": "neighbours", "mean": "mean rating"}


def style() -> AbstractContextManager[None]:
    """Return a context in which figures look like each other, and come out the same each time."""
    return mpl.rc_context(
        {
            "svg.fonttype": "none",  # the reader's own font, and text that can be searched
            "svg.hashsalt": "report",
            "axes.spines.top": False,
            "axes.spines.right": False,
        }
    )


def over_time(material: Material) -> str:
    """Return every rating at its moment."""
    figure, axes = _axes("Ratings over time", "", "rating")
    when = [datetime.fromtimestamp(moment, UTC) for moment in material.rated_at]
    axes.scatter(when, material.ratings, s=14, alpha=0.6)  # type: ignore[arg-type]
    axes.set_ylim(-0.4, 10.4)
    figure.autofmt_xdate()
    return _svg(figure)


def held_out(seen: Review) -> str:
    """Return predicted against given ratings of held-out tracks."""
    figure, axes = _axes("Held-out tracks", "rating given", "rating predicted")
    shaken = seen.given + np.random.default_rng(0).uniform(-0.2, 0.2, len(seen.given))
    axes.plot([0, 10], [0, 10], color="grey", linewidth=1)
    axes.errorbar(
        shaken, seen.predicted, yerr=seen.stddev, fmt="o", markersize=3, elinewidth=0.4, alpha=0.5
    )
    axes.set_xlim(-0.5, 10.5)
    axes.set_ylim(-0.5, 10.5)
    return _svg(figure)


def learning_curve(seen: Review) -> str:
    """Return the held-out error by the number of ratings, beside the baselines."""
    figure, axes = _axes("Learning", "ratings", "held-out error in points")
    for kind, points in seen.curve.items():
        sizes, errors = zip(*points, strict=True)
        axes.plot(sizes, errors, marker="o", markersize=3, label=LABELS[kind])
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    return _svg(figure)


def calibration(seen: Review) -> str:
    """Return which share of ratings lies in the intervals, against the share that should."""
    figure, axes = _axes("Calibration", "share expected", "share found")
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1)
    axes.plot(review.LEVELS, review.coverage(seen), marker="o", markersize=3)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    return _svg(figure)


def library_map(material: Material) -> str:
    """Return the library seen from where it is widest, coloured by predicted rating."""
    figure, axes = _axes("The library by sound", "", "")
    places = _places(material)
    known = np.isfinite(material.predicted)
    x, y = places.T
    axes.scatter(x[~known], y[~known], s=6, color="lightgrey", rasterized=True)
    dots = axes.scatter(
        x[known], y[known], s=8, c=material.predicted[known], cmap="viridis", rasterized=True
    )
    if known.any():
        figure.colorbar(dots, label="predicted rating")
    axes.set_xticks([])
    axes.set_yticks([])
    return _svg(figure)


def _places(material: Material) -> Floats64:
    """Return the two principal components, `[n, 2]`, of the embeddings."""
    vectors = material.library.vectors
    moments = Moments(vectors.mean(axis=0), vectors.std(axis=0), len(vectors))
    sound = standardise(vectors, moments).astype(np.float64)
    sound -= sound.mean(axis=0)
    _, _, directions = np.linalg.svd(sound, full_matrices=False)
    places: Floats64 = sound @ directions[:2].T
    return np.pad(places, ((0, 0), (0, 2 - places.shape[1])))


def _axes(title: str, along: str, up: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(5.2, 3.6), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title)
    axes.set_xlabel(along)
    axes.set_ylabel(up)
    return figure, axes


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    metadata = {"Creator": None, "Date": None, "Format": None, "Type": None}
    figure.savefig(buffer, format="svg", dpi=150, metadata=metadata)
    text = buffer.getvalue()
    return text[text.index("<svg") :]  # an XML prologue has no place inside HTML
