"""Score against energy: points with whiskers both ways, the frontier, simulated routing."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPen, QShowEvent
from PySide6.QtWidgets import QGraphicsRectItem, QToolTip, QWidget

from desktop.compare.cells import small_font
from desktop.compare.labels import Name, place_names
from desktop.compare.spots import Frame, Segment, Spot, filled_up
from desktop.compare.standing import Standing
from desktop.compare.ticks import energy_ticks, share_ticks
from desktop.theme.bill import kind_words
from desktop.theme.palette import Theme
from desktop.theme.plots import color_axes, hold_still
from monitor import figures
from monitor.compare.cascade import Cascade, Routed, foremost
from monitor.compare.frontier import Place
from monitor.compare.report import MOST_CASCADES, energy_cell, score_cell

SYMBOLS = (("s", "■"), ("t1", "▲"), ("d", "◆"), ("t", "▼"), ("p", "⬟"), ("+", "✚"), ("x", "✖"))
"""Shapes of the families' points, as pyqtgraph and as a legend calls them. No circle: that is
the mark of a kind."""

SIZE, RING, REACH = 12, 22, 14
"""Pixels: a point, the ring around what is good enough, and how near a pointer must come."""

MOST_NAMES = 40


class EnergyPlane(pg.PlotWidget):
    """Draws a :class:`Standing`."""

    chosen = Signal(int)
    """The place in the board of a row whose point was clicked."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent, background=theme.surface, enableMenu=False)
        self._theme = theme
        self.standing: Standing | None = None
        self._spots: list[Spot] = []
        self._cascades: list[Routed] = []
        self._selected: set[int] = set()
        self.is_log = True
        self._frame = Frame(False, (0.0, 1.0), (0.0, 1.0))
        self._names: list[pg.TextItem] = []
        self._is_stale = True
        hold_still(self, 62)
        self.setMouseTracking(True)
        for side in ("left", "bottom"):
            self.getAxis(side).enableAutoSIPrefix(False)
        self.setAccessibleName(self.tr("Score against energy; arrow keys go from point to point"))
        self.plotItem.vb.sigResized.connect(self._place_names)
        self.set_theme(theme)

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self._theme = theme
        color_axes(self, theme)
        self._draw()

    # --- what is shown -------------------------------------------------------------------

    def show_standing(self, standing: Standing | None, is_log: bool) -> None:
        """Show other rows."""
        self.standing, self.is_log = standing, is_log
        self._spots = Spot.of(standing) if standing else []
        self._draw()

    def show_cascades(self, found: Sequence[Cascade]) -> bool:
        """Show the simulated routings that say most.

        :return: whether one of them scores more for its energy than any model alone
        """
        first = foremost(self.standing.entries, found) if self.standing else []
        self._cascades = filled_up(first, found, MOST_CASCADES)
        self._draw()
        return bool(first)

    def select_rows(self, rows: Sequence[int]) -> None:
        """Mark the rows that are selected in the table."""
        if set(rows) != self._selected:
            self._selected = set(rows)
            self._draw()

    def families(self) -> dict[str, tuple[str, str]]:
        """Return colour and shape of each family, the shape as a legend writes it."""
        return {name: (color, SYMBOLS[at][1]) for name, (color, at) in self._looks().items()}

    def _looks(self) -> dict[str, tuple[str, int]]:
        colors = self._theme.sequence
        names = sorted({spot.family for spot in self._spots})
        # Beyond as many families as there are colours these come again with other shapes.
        return {
            name: (colors[n % len(colors)], (n + n // len(colors)) % len(SYMBOLS))
            for n, name in enumerate(names)
        }

    # --- drawing -------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        """Draw what was only noted while nobody could see it."""
        super().showEvent(event)
        if self._is_stale:
            self._draw()

    def _draw(self) -> None:
        self.clear()
        self._names = []
        self._is_stale = not self.isVisible()
        if self._is_stale or not self._spots or not self.standing:
            return
        self._fit()
        self._shade_good_enough()
        self._draw_joins_and_whiskers()
        self._draw_cascades()
        frontier = list(itertools.pairwise(self._frontier()))
        self._segments(frontier, QPen(QColor(self._theme.accent), 2), 2)
        self._draw_points()
        self._place_names()

    def _fit(self) -> None:
        """Choose ranges that hold all points and whiskers, and label the axes."""
        points = [point for cascade, _ in self._cascades for point in cascade.points]
        frame = self._frame = Frame.around(self._spots, points, self.is_log)
        self.plotItem.vb.setRange(xRange=frame.x_range, yRange=frame.y_range, padding=0)
        self.getAxis("bottom").setTicks([energy_ticks(*frame.energies, self.is_log)])
        low, high = frame.y_range
        self.getAxis("left").setTicks([share_ticks(max(low, 0.0), min(high, 1.0))])
        self._name_axes()

    def _name_axes(self) -> None:
        assert self.standing
        kinds = sorted(
            {entry.per_item.kind for entry in self.standing.entries if entry.per_item},
            key=lambda kind: kind.weakness,
        )
        words = ", ".join(f"{figures.MARKS[kind]} {figures.KIND_WORDS[kind]}" for kind in kinds)
        text = self.tr("Energy an item (%1)").replace("%1", words)
        self.getAxis("bottom").setLabel(text, color=self._theme.muted)
        self.getAxis("left").setLabel(self.tr("Score"), color=self._theme.muted)

    def _segments(self, segments: Sequence[Segment], pen: QPen, z: int) -> None:
        """Draw lines in one item: an item for each would be most of the work."""
        ends = [end for segment in segments for end in segment]
        x = np.array([self._frame.x(joules) for joules, _ in ends])
        y = np.array([score for _, score in ends])
        self._add_curve(x, y, pen, z, connect="pairs")

    def _add_curve(self, x: np.ndarray, y: np.ndarray, pen: QPen, z: int, **how: str) -> None:
        pen.setCosmetic(True)
        curve = pg.PlotCurveItem(x, y, pen=pen, antialias=False, **how)
        curve.setZValue(z)
        self.addItem(curve)

    def _shade_good_enough(self) -> None:
        pick = self.standing and self.standing.pick
        if not pick:
            return
        best = pick.best_entry.score.value
        (left, right), low = self._frame.x_range, best - pick.points / 100
        shade = QGraphicsRectItem(QRectF(left, low, right - left, best - low))
        shade.setPen(QPen(Qt.PenStyle.NoPen))
        shade.setBrush(QColor(self._theme.decode))
        shade.setZValue(-10)
        self.addItem(shade)

    def _joins(self) -> list[tuple[Spot, Spot]]:
        """Return pairs of what differs in quantisation only, from the least energy up."""
        assert self.standing
        models: dict[object, list[Spot]] = {}
        for spot in self._spots:
            setup = self.standing.entries[spot.row].setup
            key = (setup.model, setup.machine_id, setup.threads, setup.gpu_layers, setup.context)
            models.setdefault(key, []).append(spot)
        in_order = [sorted(spots, key=lambda spot: spot.joules) for spots in models.values()]
        return [pair for spots in in_order for pair in itertools.pairwise(spots)]

    def _draw_joins_and_whiskers(self) -> None:
        joins = self._joins()
        for family, (color, _) in self._looks().items():
            lines: list[Segment] = [
                ((one.joules, one.score), (other.joules, other.score))
                for one, other in joins
                if one.family == family
            ]
            for spot in self._spots:
                if spot.family == family:
                    lines += spot.whiskers(self.is_log)
            self._segments(lines, QPen(QColor(color), 1), 1)

    def _frontier(self) -> list[tuple[float, float]]:
        """Return the corners of the frontier in joules and scores: steps from the least up."""
        assert self.standing
        on = [s for s in self._spots if self.standing.places[s.row] is Place.ON]
        on.sort(key=lambda spot: (spot.joules, spot.score))
        corners, height = [], self._frame.y_range[0]
        for spot in on:
            corners += [(spot.joules, height), (spot.joules, spot.score)]
            height = spot.score
        return [*corners, (self._frame.energies[1], height)] if on else []

    def _draw_cascades(self) -> None:
        for cascade, _ in self._cascades:
            pen = QPen(QColor(self._theme.muted), 1)
            pen.setDashPattern([5, 4])
            x = [self._frame.x(point.joules_per_item) for point in cascade.points]
            self._add_curve(np.array(x), np.array([p.score for p in cascade.points]), pen, 3)

    def _draw_points(self) -> None:
        """Draw the points, those selected larger and with an edge, and the ring around the pick."""
        looks = self._looks()
        pick = self.standing and self.standing.pick
        picked = [s for s in self._spots if pick and pick.is_sure and pick.row == s.row]
        is_selected = [spot.row in self._selected for spot in self._spots]
        edges = [self._theme.text if each else self._theme.surface for each in is_selected]
        ring = pg.mkPen(self._theme.accent, width=2)
        self._scatter(picked, symbol="o", size=RING, pen=ring, brush=None)
        self._scatter(
            self._spots,
            symbol=[SYMBOLS[looks[spot.family][1]][0] for spot in self._spots],
            size=[SIZE + 4 if each else SIZE for each in is_selected],
            pen=[pg.mkPen(edge, width=2) for edge in edges],
            brush=[pg.mkBrush(looks[spot.family][0]) for spot in self._spots],
        )

    def _scatter(self, spots: Sequence[Spot], **looks: object) -> None:
        x, y = [self._frame.x(spot.joules) for spot in spots], [spot.score for spot in spots]
        item = pg.ScatterPlotItem(x, y, **looks)
        item.setZValue(5)
        self.addItem(item)

    # --- names ---------------------------------------------------------------------------

    def _place_names(self) -> None:
        """Write names beside the points, as far as there is room."""
        for item in self._names:
            self.removeItem(item)
        self._names = []
        area = self.plotItem.vb.sceneBoundingRect()
        if self._is_stale or not self._spots or area.width() < 10:
            return
        simulated = self.tr("simulated")
        texts = [(s.name, s.joules, s.score, True) for s in self._by_weight()[:MOST_NAMES]]
        texts += [(simulated, p.joules_per_item, p.score, False) for _, p in self._cascades]
        items, names = [], []
        for text, joules, score, has_symbol in texts:
            item = self._text_item(text, self._theme.text if has_symbol else self._theme.muted)
            at, size = self._pixel(joules, score), item.boundingRect()
            items.append(item)
            names.append(Name(at.x(), at.y(), size.width(), size.height(), has_symbol))
        inside = (area.left(), area.top(), area.right(), area.bottom())
        places = place_names(names, inside, self._line_boxes(), SIZE / 2)
        for item, place in zip(items, places, strict=True):
            if place is not None:
                self.addItem(item)
                item.setPos(self._frame.value(area, QPointF(*place)))
                self._names.append(item)

    def _text_item(self, text: str, color: str) -> pg.TextItem:
        item = pg.TextItem(text, color=color, anchor=(0, 0))
        item.setFont(small_font(self.font()))
        item.textItem.document().setDocumentMargin(1)
        item.updateTextPos()
        item.setZValue(6)
        return item

    def _by_weight(self) -> list[Spot]:
        """Return the spots whose names matter most first."""
        assert self.standing
        places = self.standing.places
        order = {Place.ON: 0, Place.MAY_BE: 1, Place.OFF: 2, None: 3}
        return sorted(self._spots, key=lambda spot: (order[places[spot.row]], -spot.score))

    def _line_boxes(self) -> np.ndarray:
        """Return whiskers, frontier and routing as boxes of pixels."""
        lines = [line for spot in self._spots for line in spot.whiskers(self.is_log)]
        lines += itertools.pairwise(self._frontier())
        for cascade, _ in self._cascades:
            corners = [(point.joules_per_item, point.score) for point in cascade.points]
            lines += itertools.pairwise(corners)
        ends = [(self._pixel(*one), self._pixel(*other)) for one, other in lines]
        boxes = [
            (
                min(a.x(), b.x()) - 0.5,
                min(a.y(), b.y()) - 0.5,
                max(a.x(), b.x()) + 0.5,
                max(a.y(), b.y()) + 0.5,
            )
            for a, b in ends
        ]
        return np.array(boxes, dtype=np.float64).reshape(-1, 4)

    def _pixel(self, joules: float, score: float) -> QPointF:
        return self._frame.pixel(self.plotItem.vb.sceneBoundingRect(), joules, score)

    # --- pointing ------------------------------------------------------------------------

    def row_at(self, position: QPointF) -> int | None:
        """Return the row whose point is nearest to a point of the widget, if near enough."""
        distances = [
            ((self._pixel(s.joules, s.score) - position).manhattanLength(), s.row)
            for s in self._spots
        ]
        distance, row = min(distances, default=(math.inf, 0))
        return row if distance <= REACH else None

    def tip(self, row: int) -> str:
        """Say what a row comes to."""
        assert self.standing
        entry = self.standing.entries[row]
        energy, pick = entry.per_item, self.standing.pick
        lines = [self.standing.labels[row], score_cell(entry, True)]
        if energy:
            text = energy_cell(energy.energy, energy.kind, True)
            lines.append(figures.at_least(text, energy.is_lower_bound))
            lines.append(kind_words(energy.kind))
        if self.standing.places[row] is Place.ON:
            lines.append(self.tr("on the frontier: no other scores as well for as little energy"))
        if pick and pick.is_sure and pick.row == row:
            lines.append(self.tr("good enough"))
        return "\n".join(lines)

    def _cascade_tip(self, position: QPointF) -> str:
        near = [
            ((self._pixel(p.joules_per_item, p.score) - position).manhattanLength(), n, p)
            for n, (cascade, _) in enumerate(self._cascades)
            for p in cascade.points
        ]
        distance, n, point = min(near, key=lambda each: each[0], default=(math.inf, 0, None))
        if point is None or distance > REACH or not self.standing:
            return ""
        cascade, labels = self._cascades[n][0], self.standing.labels
        text: str = self.tr(
            "Simulated: %1 passes %2 of the items on to %3:\n%4 right for %5 an item"
        )
        energy = figures.marked(cascade.kind, figures.energy(point.joules_per_item))
        for mark, words in (
            ("%1", labels[cascade.small]),
            ("%2", f"{100 * point.share:.0f} %"),
            ("%3", labels[cascade.large]),
            ("%4", f"{100 * point.score:.1f} %"),
            ("%5", energy),
        ):
            text = text.replace(mark, words)
        return text

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Say what is under the pointer."""
        super().mouseMoveEvent(event)
        row = self.row_at(event.position())
        text = self._cascade_tip(event.position()) if row is None else self.tip(row)
        if text:
            QToolTip.showText(event.globalPosition().toPoint(), text, self)
        else:
            QToolTip.hideText()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Choose the point that was clicked."""
        super().mouseReleaseEvent(event)
        row = self.row_at(event.position())
        if row is not None and event.button() == Qt.MouseButton.LeftButton:
            self.chosen.emit(row)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Go to the point of the next lesser or greater energy."""
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
        rows = [spot.row for spot in sorted(self._spots, key=lambda spot: spot.joules)]
        if event.key() not in steps or not rows:
            super().keyPressEvent(event)
            return
        step = steps[Qt.Key(event.key())]
        current = next((at for at, row in enumerate(rows) if row in self._selected), None)
        at = (0 if step > 0 else -1) if current is None else (current + step) % len(rows)
        self.setAccessibleDescription(self.tip(rows[at]))
        self.chosen.emit(rows[at])
