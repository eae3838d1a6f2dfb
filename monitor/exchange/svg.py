"""Small charts as SVG text for a page: no scripts, colours by the page's own style sheet.

A page gives the classes ``s0`` to ``s7`` (series), ``grid``, ``whisker``, ``label``, ``frontier``
and ``family`` their colours, so that a chart follows light, dark and print.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from monitor.round_numbers import round_powers

SERIES = 8
"""Colours there are; the last one is for all others together."""

WIDTH, HEIGHT = 860, 260

LEFT, RIGHT, TOP, BOTTOM = 64, 26, 12, 30

TITLE_ROOM = 14
"""Above and below a scatter plot, for the titles of its axes."""

MOST_LABELS = 10


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a stacked chart.

    :param label: below it
    :param values: by number of the series
    :param tip: shown when it is pointed at
    :param low: lower end of the interval of its sum; ``None`` if it is not known
    """

    label: str
    values: Mapping[int, float]
    tip: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Range:
    """A value with its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Point:
    """A point of a scatter plot.

    :param mark: a short text beside it
    :param family: points of one are joined
    """

    x: Range
    y: Range
    mark: str
    tip: str
    series: int
    family: str
    is_on_frontier: bool


def ticks(most: float, count: int = 4) -> list[float]:
    """Return round numbers from 0 to the first one not below ``most``, about so many."""
    if most <= 0:
        return [0.0, 1.0]
    raw = most / count
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= raw * (1 - 1e-9))
    return [step * place for place in range(math.ceil(most / step - 1e-9) + 1)]


def stacked_columns(columns: Sequence[Column], about: str, unit: str) -> str:
    """Draw columns of stacked values, with the interval of each sum.

    :param about: what the chart shows, for those who cannot see it
    :param unit: what the values are in
    """
    tops = [max(sum(c.values.values()), c.high or 0.0) for c in columns]
    scale = ticks(max(tops, default=0.0))
    inner = HEIGHT - TOP - BOTTOM

    def y(value: float) -> float:
        return TOP + inner * (1 - value / scale[-1])

    step = (WIDTH - LEFT - RIGHT) / max(len(columns), 1)
    wide = min(step * 0.8, 48.0)
    parts = [_level(y(value), f"{value:g} {unit}") for value in scale]
    every = math.ceil(len(columns) / MOST_LABELS)
    for place, column in enumerate(columns):
        middle = LEFT + step * (place + 0.5)
        parts.append(_column(column, middle, wide, y))
        if place % every == 0:
            parts.append(_text(middle, HEIGHT - 10, column.label, "middle"))
    return _chart(parts, about)


def _column(column: Column, middle: float, wide: float, y: Callable[[float], float]) -> str:
    parts, below = [f"<title>{escape(column.tip)}</title>"], 0.0
    for series, value in sorted(column.values.items()):
        top, bottom = y(below + value), y(below)
        parts.append(
            f'<rect class="s{series}" x="{middle - wide / 2:.1f}" y="{top:.1f}" '
            f'width="{wide:.1f}" height="{bottom - top:.1f}"/>'
        )
        below += value
    if column.low is not None and column.high is not None:
        parts.append(_whisker(middle, y(column.low), middle, y(column.high)))
    return f"<g>{''.join(parts)}</g>"


def scatter(points: Sequence[Point], about: str, x_title: str, y_title: str) -> str:
    """Draw points with their intervals; x is logarithmic, y in percent from 0 to 1.

    :param points: with x above 0
    """
    low, high = _decades([p.x.low for p in points], [p.x.high for p in points])
    rows = ticks(100 * max((p.y.high for p in points), default=1.0), 5)
    inner_x, inner_y = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM - 2 * TITLE_ROOM

    def x(value: float) -> float:
        share = (math.log10(max(value, low)) - math.log10(low)) / math.log10(high / low)
        return LEFT + inner_x * share

    def y(value: float) -> float:
        return TOP + TITLE_ROOM + inner_y * (1 - 100 * value / rows[-1])

    parts = [_level(y(row / 100), f"{row:g} %") for row in rows]
    parts += [
        _text(x(value), HEIGHT - 26, f"{value:g}", "middle") for value in round_powers(low, high)
    ]
    parts.append(_text(LEFT + inner_x / 2, HEIGHT - 8, x_title, "middle"))
    parts.append(_text(LEFT - 8, TOP, y_title, "end"))
    families: dict[str, list[Point]] = {}
    for point in points:
        families.setdefault(point.family, []).append(point)
    parts += [_line(group, "family", x, y) for group in families.values()]
    parts.append(_line([p for p in points if p.is_on_frontier], "frontier", x, y))
    parts += [_point(point, x, y) for point in points]
    return _chart(parts, about)


def _point(point: Point, x: Callable[[float], float], y: Callable[[float], float]) -> str:
    at_x, at_y = x(point.x.value), y(point.y.value)
    return (
        f"<g><title>{escape(point.tip)}</title>"
        + _whisker(x(point.x.low), at_y, x(point.x.high), at_y)
        + _whisker(at_x, y(point.y.low), at_x, y(point.y.high))
        + f'<circle class="s{point.series}" cx="{at_x:.1f}" cy="{at_y:.1f}" r="5"/>'
        + _text(at_x + 8, at_y - 6, point.mark, "start")
        + "</g>"
    )


def _line(
    points: Sequence[Point], style: str, x: Callable[[float], float], y: Callable[[float], float]
) -> str:
    ordered = sorted(points, key=lambda point: point.x.value)
    if len(ordered) < 2:
        return ""
    corners = " ".join(f"{x(p.x.value):.1f},{y(p.y.value):.1f}" for p in ordered)
    return f'<polyline class="{style}" points="{corners}"/>'


def bar(found: Range, most: float, series: int = 0) -> str:
    """Draw a value as a bar inside a table, with its interval.

    :param most: the value of a full bar, above 0
    """
    wide, high = 160, 14

    def x(value: float) -> float:
        return wide * min(value / most, 1.0)

    return (
        f'<svg class="bar" viewBox="0 0 {wide} {high}" width="{wide}" height="{high}" '
        'aria-hidden="true">'
        f'<rect class="s{series}" x="0" y="2" width="{x(found.value):.1f}" height="{high - 4}"/>'
        f"{_whisker(x(found.low), high / 2, x(found.high), high / 2)}</svg>"
    )


def swatch(series: int) -> str:
    """Draw a series' colour for a legend."""
    return (
        '<svg viewBox="0 0 12 12" width="12" height="12" aria-hidden="true">'
        f'<rect class="s{series}" width="12" height="12" rx="2"/></svg>'
    )


def _chart(parts: Sequence[str], about: str) -> str:
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(about)}">{"".join(parts)}</svg>'
    )


def _level(y: float, text: str) -> str:
    line = f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>'
    return line + _text(LEFT - 8, y + 4, text, "end")


def _whisker(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="whisker" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return (
        f'<text class="label" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
    )


def _decades(lows: Sequence[float], highs: Sequence[float]) -> tuple[float, float]:
    """Return limits of a logarithmic axis around values, with some room."""
    high = max(highs, default=1.0)
    low = max(min(lows, default=high / 10), high / 1e6)
    return low / 1.3, high * 1.3
