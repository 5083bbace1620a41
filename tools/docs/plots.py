"""The plots of the page on picks, drawn from the code that picks."""

import io
from collections.abc import Callable
from contextlib import AbstractContextManager
from random import Random
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from anagnorisisd.domain.artist_names import ArtistCredits
from anagnorisisd.domain.pick import Candidates
from anagnorisisd.picks import weights

GREEN, ORANGE, BLUE, GREY = "#2e8b57", "#d2691e", "#4169a0", "#888888"
"""Readable on white and on black, as the background is that of the page."""

DRAWS = 20_000
PREDICTED, STDDEVS = 4.0, (0.5, 1.5, 2.5)


def rating_factor() -> str:
    """Return the rating factor over the rating."""
    ratings = np.linspace(0, 10, 101)
    figure, axes = _axes("rating, own or predicted", "rating factor")
    factor = weights.weigh(candidates(rating=ratings)).factors.rating_factor
    axes.plot(ratings, factor, color=GREEN, linewidth=2)
    for rating in (2, 5, 8, 10):
        value = float(factor[rating * 10])
        axes.plot(rating, value, "o", color=GREEN)
        axes.annotate(
            f"{value:g}",
            (rating, value),
            (-8, 8),
            textcoords="offset points",
            ha="right",
            color=GREY,
        )
    return _drawn(figure)


def skip_factor() -> str:
    """Return the skip factor over full plays less skips."""
    balance = np.arange(-20.0, 21.0)
    figure, axes = _axes("full plays less skips", "skip factor")
    plays = candidates(full_plays=np.maximum(balance, 0), skips=np.maximum(-balance, 0))
    axes.plot(balance, weights.weigh(plays).factors.skip_factor, ".-", color=BLUE, linewidth=1.5)
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.set_ylim(0, 1.02)
    return _drawn(figure)


def recency_factor() -> str:
    """Return the recency factor of a library of which a half was played."""
    count, played = 40, 20
    last = np.full(count, -np.inf)
    last[:played] = -np.arange(played, dtype=float)
    figure, axes = _axes("tracks, the most recently played first", "recency factor")
    factor = weights.recency(last)
    places = np.arange(1, count + 1)
    axes.bar(places[:played], factor[:played], color=BLUE, label="played")
    axes.bar(places[played:], factor[played:], color=GREEN, label="never played")
    axes.legend(frameon=False, labelcolor=GREY)
    return _drawn(figure)


def exploration() -> str:
    """Return the mean rating factor of tracks that are predicted more or less surely."""
    explores = np.linspace(0, 1, 11)
    figure, axes = _axes("picks.explore", "rating factor, mean of many draws")
    for stddev, colour in zip(STDDEVS, (GREY, BLUE, ORANGE), strict=True):
        alike = candidates(
            predicted_mean=np.full(DRAWS, PREDICTED), predicted_stddev=np.full(DRAWS, stddev)
        )
        means = [_mean_factor(alike, float(explore)) for explore in explores]
        axes.plot(explores, means, "o-", color=colour, label=f"{PREDICTED:g} ± {stddev:g}")
    axes.set_ylim(0, 0.3)
    legend = axes.legend(frameon=False, labelcolor=GREY, title="predicted", loc="lower right")
    legend.get_title().set_color(GREY)
    return _drawn(figure)


def candidates(**columns: np.ndarray) -> Candidates:
    """Return tracks that differ in the given columns only: unrated, never played, no prediction."""
    count = len(next(iter(columns.values())))
    plain: dict[str, Any] = {
        "track_ids": np.array([f"{row:032x}" for row in range(count)], "S32"),
        "rating": np.full(count, np.nan),
        "predicted_mean": np.full(count, np.nan),
        "predicted_stddev": np.full(count, np.nan),
        "full_plays": np.zeros(count),
        "skips": np.zeros(count),
        "last_played_at": np.full(count, -np.inf),
        "duration_seconds": np.full(count, 200.0),
        "artists": ArtistCredits.read(np.zeros(count, np.int32), [None]),
        "album": np.zeros(count, np.int64),
        "folder": np.zeros(count, np.int64),
        "excluded": np.zeros(count, bool),
    }
    return Candidates(**{**plain, **columns}, mean_rating=5.0)


def _mean_factor(alike: Candidates, explore: float) -> float:
    sampled = weights.sample_predictions(weights.weigh(alike), explore, Random(1))
    return float(sampled.factors.rating_factor.mean())


def _axes(x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(6, 3), layout="constrained")
    axes = figure.subplots()
    axes.set_xlabel(x, color=GREY)
    axes.set_ylabel(y, color=GREY)
    axes.tick_params(colors=GREY)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GREY)
    return figure, axes


def _drawn(figure: Figure) -> str:
    """Return a figure as SVG that is the same each time."""
    target = io.StringIO()
    with _repeatable():
        figure.savefig(target, format="svg", transparent=True, metadata={"Date": None})
    return target.getvalue()


def _repeatable() -> AbstractContextManager[None]:
    return mpl.rc_context({"svg.hashsalt": "anagnorisis", "svg.fonttype": "none"})


PLOTS: dict[str, Callable[[], str]] = {
    "rating-factor": rating_factor,
    "skip-factor": skip_factor,
    "recency-factor": recency_factor,
    "exploration": exploration,
}
