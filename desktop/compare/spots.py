"""Points of the plane of score and energy, and the part of it that is shown."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF

from desktop.compare.standing import Standing, family_of
from monitor import figures
from monitor.compare.cascade import Cascade, CascadePoint, Routed

PARTLY_LEFT_OUT = 0.1
"""Share of an energy down to which the whisker to zero is drawn on a logarithmic axis."""


Segment = tuple[tuple[float, float], tuple[float, float]]
"""A line between two points, each joules and a score."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A row on the plane, in joules an item and shares of right answers."""

    row: int
    joules: float
    low_j: float
    high_j: float
    score: float
    low: float
    high: float
    family: str
    name: str

    @classmethod
    def of(cls, standing: Standing) -> "list[Spot]":
        """Return those rows whose energy is known, the best score first."""
        return [
            cls(
                row,
                found.energy.joules,
                found.energy.low_j,
                found.energy.high_j,
                entry.score.value,
                entry.score.low,
                entry.score.high,
                family_of(entry.setup),
                figures.marked(found.kind, standing.labels[row]),
            )
            for row, entry in enumerate(standing.entries)
            if (found := entry.per_item) and found.energy.joules > 0
        ]

    def least_j(self, is_log: bool) -> float:
        """Return the joules its whisker goes down to: a logarithmic axis has no place for zero."""
        return max(self.low_j, self.joules * PARTLY_LEFT_OUT) if is_log else self.low_j

    def whiskers(self, is_log: bool) -> list[Segment]:
        """Return its intervals, of the energy and of the score."""
        level = (self.least_j(is_log), self.score), (self.high_j, self.score)
        return [level, ((self.joules, self.low), (self.joules, self.high))]


def filled_up(first: Sequence[Routed], cascades: Sequence[Cascade], most: int) -> list[Routed]:
    """Return so many cascades: the foremost, then those that score most at their best."""
    drawn = [cascade for cascade, _ in first]
    rest = [
        (cascade, max(cascade.points, key=lambda point: (point.score, -point.joules_per_item)))
        for cascade in cascades
        if not any(cascade is each for each in drawn)
    ]
    return [*first, *sorted(rest, key=lambda each: -each[1].score)][:most]


@dataclass(frozen=True, slots=True)
class Frame:
    """The part of the plane that is shown.

    :param is_log: whether ``x`` is the logarithm of joules
    """

    is_log: bool
    x_range: tuple[float, float]
    y_range: tuple[float, float]

    @classmethod
    def around(cls, spots: Sequence[Spot], points: Sequence[CascadePoint], is_log: bool) -> "Frame":
        """Return one that holds all points with their whiskers.

        :param spots: at least one
        """
        most_j = max([s.high_j for s in spots] + [p.joules_per_item for p in points])
        bottom, top = min(s.low for s in spots), max(s.high for s in spots)
        bottom, top = (
            min([bottom, *(p.score for p in points)]),
            max([top, *(p.score for p in points)]),
        )
        lift = max(0.08 * (top - bottom), 0.01)
        if not is_log:
            return cls(False, (0.0, 1.06 * most_j), (bottom - lift, top + lift))
        low = min(math.log10(spot.least_j(True)) for spot in spots)
        margin = max(0.06 * (math.log10(most_j) - low), 0.02)
        return cls(True, (low - margin, math.log10(most_j) + margin), (bottom - lift, top + lift))

    @property
    def energies(self) -> tuple[float, float]:
        """Joules at the left and the right end."""
        left, right = self.x_range
        return (10**left, 10**right) if self.is_log else self.x_range

    def x(self, joules: float) -> float:
        """Return where an energy lies on the axis."""
        return math.log10(joules) if self.is_log else joules

    def pixel(self, area: QRectF, joules: float, score: float) -> QPointF:
        """Return where a point of the plane is drawn in an area of pixels."""
        (left, right), (low, high) = self.x_range, self.y_range
        return QPointF(
            area.left() + (self.x(joules) - left) / (right - left) * area.width(),
            area.bottom() - (score - low) / (high - low) * area.height(),
        )

    def value(self, area: QRectF, pixel: QPointF) -> QPointF:
        """Return the place on both axes that is drawn at a pixel."""
        (left, right), (low, high) = self.x_range, self.y_range
        return QPointF(
            left + (pixel.x() - area.left()) / area.width() * (right - left),
            low + (area.bottom() - pixel.y()) / area.height() * (high - low),
        )
