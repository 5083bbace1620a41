"""Geometry of charts; the macro `chart` of `charts.html` draws them as SVG.

Lengths are in units of the SVG's view box, which is as wide as the content of the narrowest phone,
so that text in it is never smaller than elsewhere.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

WIDTH, HEIGHT = 288, 176
LEFT, RIGHT, TOP, BOTTOM = 34, 10, 10, 26
"""Margins, with the labels of the axes in them."""
TICKS = 4
LABEL_WIDTH = 42
"""Width that a label of the x axis needs."""


class Tick(NamedTuple):
    """A label of an axis; `position` is x or y."""

    position: float
    label: str


class Bar(NamedTuple):
    """A bar of a bar chart."""

    x: float
    y: float
    width: float
    height: float


class Line(NamedTuple):
    """A line of a line chart, and its points as SVG writes them."""

    name: str
    points: Sequence[tuple[float, float]]
    path: str


class Chart(NamedTuple):
    """A chart; it has bars or lines. `reference` is the path of the line to compare with."""

    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]
    bars: Sequence[Bar] = ()
    lines: Sequence[Line] = ()
    reference: str = ""


def bar_chart(values: Mapping[str, int]) -> Chart:
    """Return a chart with a bar for each name; values are counts."""
    top = _nice(max([4, *values.values()]))
    step = (WIDTH - LEFT - RIGHT) / max(1, len(values))
    width = min(step * 0.8, 24)
    every = math.ceil(LABEL_WIDTH / step) if max(map(len, values), default=0) > 2 else 1
    bars, x_ticks = [], []
    for number, (name, value) in enumerate(values.items()):
        middle = LEFT + (number + 0.5) * step
        y = _y(value, 0, top)
        bars.append(Bar(_round(middle - width / 2), y, _round(width), _round(_y(0, 0, top) - y)))
        if number % every == 0:
            x_ticks.append(Tick(_round(middle), name))
    return Chart(x_ticks, _y_ticks(0, top), bars)


def line_chart(
    lines: Mapping[str, Sequence[tuple[float, float]]],
    x_range: tuple[float, float],
    y_range: tuple[float, float] | None = None,
    *,
    diagonal: bool = False,
) -> Chart:
    """Return a chart with a line for each name; without `y_range`, y begins at 0.

    `diagonal` adds the line where both are equal, to compare with.
    """
    if y_range is None:
        points = [y for line in lines.values() for _, y in line]
        y_range = (0, _nice(max(points, default=0) or 1))
    drawn = []
    for name, line in lines.items():
        placed = [(_x(x, *x_range), _y(y, *y_range)) for x, y in line]
        drawn.append(Line(name, placed, " ".join(f"{x},{y}" for x, y in placed)))
    corners = [(_x(end, *x_range), _y(end, *y_range)) for end in x_range] if diagonal else []
    x_ticks = [Tick(_x(value, *x_range), _label(value)) for value in _steps(*x_range)]
    reference = " ".join(f"{x},{y}" for x, y in corners)
    return Chart(x_ticks, _y_ticks(*y_range), (), drawn, reference)


def _x(value: float, low: float, high: float) -> float:
    return _round(LEFT + (value - low) / ((high - low) or 1) * (WIDTH - LEFT - RIGHT))


def _y(value: float, low: float, high: float) -> float:
    return _round(HEIGHT - BOTTOM - (value - low) / ((high - low) or 1) * (HEIGHT - TOP - BOTTOM))


def _y_ticks(low: float, high: float) -> list[Tick]:
    return [Tick(_y(value, low, high), _label(value)) for value in _steps(low, high)]


def _steps(low: float, high: float) -> list[float]:
    """Return round numbers from `low` to `high`."""
    step = _nice((high - low) / TICKS) or 1
    first = math.ceil(low / step - 1e-9)
    return [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)]


def _nice(value: float) -> float:
    """Return the smallest of 1, 2 or 5 times a power of ten that is not below `value`.

    0 stays 0.
    """
    if value <= 0:
        return 0
    power = 10.0 ** math.floor(math.log10(value))
    for factor in (1, 2, 5, 10):
        if factor * power >= value * (1 - 1e-9):
            break
    return factor * power


def _label(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if value % 1 else f"{value:.0f}"


def _round(value: float) -> float:
    return round(value, 1)
