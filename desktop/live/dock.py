"""The dock below the pages: the live plot, its legend, and what it spans."""

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from desktop.live.model import LiveModel, Series
from desktop.live.plot import LivePlot
from desktop.theme.icons import icon
from desktop.theme.palette import Theme
from desktop.theme.widgets import label, tool_button
from monitor import figures
from monitor.power.channel import Kind

LEGEND_MS = 1000

ENTRIES_BESIDE_TITLE = 3
"""With more entries the title gives way to them."""

PENS = {
    Kind.COUNTER: Qt.PenStyle.SolidLine,
    Kind.POWER: Qt.PenStyle.DashLine,
    Kind.MODELLED: Qt.PenStyle.DotLine,
}


class LiveDock(QWidget):
    """Shows a :class:`LiveModel` and lets a person choose the span or hold it still."""

    def __init__(self, model: LiveModel, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("dock")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._model, self._theme = model, theme
        self._entries: dict[str, _Entry] = {}
        self.plot = LivePlot(model, theme)
        self._title = label(self.tr("Live power"))
        self._legend = QHBoxLayout()
        self._legend.setSpacing(12)
        self._waiting = label(self.tr("waiting for the first reading …"), "muted")
        self._legend.addWidget(self._waiting)
        top = QHBoxLayout()
        top.setContentsMargins(12, 6, 12, 0)
        top.setSpacing(12)
        top.addWidget(self._title)
        top.addLayout(self._legend)
        top.addStretch(1)
        top.addLayout(self._span_buttons())
        self._pause = tool_button(self.tr("Pause"), checkable=True)
        self._pause.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._pause.setToolTip(self.tr("Hold the plot still; measuring goes on"))
        self._pause.toggled.connect(self._set_paused)
        top.addWidget(self._pause)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 4)
        layout.setSpacing(2)
        layout.addLayout(top)
        layout.addWidget(self.plot)
        self._timer = QTimer(self, interval=LEGEND_MS)
        self._timer.timeout.connect(self.refresh)
        self._timer.start()
        self.set_theme(theme)

    def _span_buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(4)
        group = QButtonGroup(self)
        for text, span_s in (
            (self.tr("1 min"), 60.0),
            (self.tr("10 min"), 600.0),
            (self.tr("1 h"), 3600.0),
        ):
            button = tool_button(text, checkable=True)
            button.setChecked(span_s == 60.0)
            button.setToolTip(self.tr("Show the last %1").replace("%1", text))
            button.clicked.connect(lambda _checked, span_s=span_s: self.plot.set_span(span_s))
            group.addButton(button)
            row.addWidget(button)
        return row

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self._theme = theme
        self.plot.set_theme(theme)
        self._pause.setIcon(icon("play" if self._pause.isChecked() else "pause", theme.text))
        for key in list(self._entries):
            self._drop(key)
        self.refresh()

    def _drop(self, key: str) -> None:
        entry = self._entries.pop(key)
        self._legend.removeWidget(entry)
        entry.hide()
        entry.deleteLater()

    def _set_paused(self, paused: bool) -> None:
        self.plot.set_paused(paused)
        self._pause.setIcon(icon("play" if paused else "pause", self._theme.text))
        text = self.tr("Go on") if paused else self.tr("Pause")
        self._pause.setText(text)
        self._pause.setAccessibleName(text)

    def refresh(self) -> None:
        """Bring the legend up to date."""
        if not self.isVisible() and self._entries:
            return
        series = [s for s in self._model.series if s.pyramid.count]
        self._waiting.setVisible(not series)
        self._title.setVisible(len(series) <= ENTRIES_BESIDE_TITLE)
        wanted = {s.channel.key if s.channel else "": s for s in series}
        for gone in self._entries.keys() - wanted.keys():
            self._drop(gone)
        indices: dict[object, int] = {}
        for key, one in wanted.items():
            domain = one.channel and one.channel.domain
            index = indices[domain] = indices.get(domain, -1) + 1
            if key in self._entries and self._entries[key].kind is not self._kind_of(one):
                self._drop(key)
            if key not in self._entries:
                self._entries[key] = self._new_entry(one, index)
            self._entries[key].show_power(self._model.recent_w(one))

    def _kind_of(self, series: Series) -> Kind:
        """A channel's kind; the total's is that of its weakest part, and may change."""
        return series.channel.kind if series.channel else self._model.kind or Kind.COUNTER

    def _new_entry(self, series: Series, index: int) -> "_Entry":
        channel = series.channel
        color = self._theme.color_of(channel, index) if channel else self._theme.text
        kind = self._kind_of(series)
        name = channel.label if channel else self.tr("Total")
        # Without the model's name, which would leave no room for the watts of several GPUs.
        entry = _Entry(" ".join(name.split()[:2]), color, kind)
        words = {
            Kind.COUNTER: self.tr("counted by the sensor"),
            Kind.POWER: self.tr("watts of the sensor, integrated"),
            Kind.MODELLED: self.tr("modelled from the load: no sensor can be read"),
        }[kind]
        entry.setToolTip(f"{name}: {words}")
        self._legend.addWidget(entry)
        return entry


class _Entry(QWidget):
    """A sample of a line, its name and its watts."""

    def __init__(self, name: str, color: str, kind: Kind) -> None:
        super().__init__()
        self._name, self.kind = name, kind
        self._label = label("", "legend")
        self._label.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(_Line(color, kind))
        layout.addWidget(self._label)

    def show_power(self, power_w: float | None) -> None:
        text = f"{self._name} {figures.marked(self.kind, figures.power(power_w))}"
        if text != self._label.text():
            self._label.setText(text)


class _Line(QWidget):
    """A piece of a curve as the plot draws it."""

    def __init__(self, color: str, kind: Kind) -> None:
        super().__init__()
        self._pen = QPen(QColor(color), 2, PENS[kind])
        self.setFixedSize(22, 12)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the line across the middle."""
        painter = QPainter(self)
        painter.setPen(self._pen)
        painter.drawLine(1, 6, 21, 6)
        painter.end()
