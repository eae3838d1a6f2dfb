"""The dock below the pages: the live plots, their legends, and what they span."""

import time

from PySide6.QtCore import QEvent, QSettings, Qt
from PySide6.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QSizePolicy,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from desktop.live.gauge_legend import GaugeLegend
from desktop.live.gauge_menu import GaugeButton
from desktop.live.gauge_plot import GaugePlot
from desktop.live.legend import Entry, LegendRow
from desktop.live.model import LiveModel, Series
from desktop.live.moments import Moments
from desktop.live.plot import LivePlot, phase_colors
from desktop.theme.devices import short_name
from desktop.theme.icons import icon
from desktop.theme.palette import Theme
from desktop.theme.widgets import label, tool_button
from monitor import figures
from monitor.energy.account import DECODE, LOAD, PREFILL
from monitor.power.channel import Kind

FOLDED = "live/folded"

OPEN_PX = 190
"""Height of the dock until a person chooses another."""

ENTRIES_BESIDE_TITLE = 3
"""With more entries the title gives way to them."""

PENS = {
    Kind.COUNTER: Qt.PenStyle.SolidLine,
    Kind.POWER: Qt.PenStyle.DashLine,
    Kind.MODELLED: Qt.PenStyle.DotLine,
}


class LiveDock(QWidget):
    """Shows a :class:`LiveModel` and lets a person choose gauges and span, or hold it still.

    :param moments: the present watts, for the legend
    """

    def __init__(
        self, model: LiveModel, moments: Moments, theme: Theme, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("dock")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._model, self._moments, self._theme = model, moments, theme
        self._entries: dict[str, _PowerEntry] = {}
        self._phases: dict[str, Entry] = {}
        self._open_px = OPEN_PX
        self.plot = LivePlot(model, theme)
        self.gauges = GaugeButton(model.gauges)
        self.gauge_plot = GaugePlot(model.gauges, theme)
        self.gauge_legend = GaugeLegend(model.gauges, theme)
        self._build()
        self.gauges.changed.connect(self._show_gauges)
        self.plot.drawn.connect(self.gauge_plot.draw_at)
        moments.passed.connect(self.refresh)
        self.set_theme(theme)

    def _build(self) -> None:
        self._title = label(self.tr("Live power"))
        self._legend = LegendRow()
        self._waiting = label(self.tr("waiting for the first reading …"), "muted")
        self._throttled = label("", "warning")
        self._throttled.hide()
        top = QHBoxLayout()
        top.setContentsMargins(12, 6, 12, 0)
        top.setSpacing(12)
        top.addWidget(self._title)
        top.addWidget(self._waiting)
        top.addWidget(self._legend, 1)
        top.addWidget(self._throttled)
        top.addWidget(self.gauges)
        top.addLayout(self._span_buttons())
        top.addWidget(self._pause_button())
        top.addWidget(self._fold_button())
        below = QHBoxLayout()
        below.setContentsMargins(12, 0, 12, 0)
        below.addWidget(self.gauge_legend)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 4)
        layout.setSpacing(2)
        layout.addLayout(top)
        layout.addWidget(self.plot, 3)
        layout.addLayout(below)
        layout.addWidget(self.gauge_plot, 2)

    def _pause_button(self) -> QWidget:
        self._pause = tool_button(self.tr("Pause"), checkable=True)
        self._pause.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._pause.setToolTip(self.tr("Hold the plot still; measuring goes on"))
        self._pause.toggled.connect(self._set_paused)
        return self._pause

    def _fold_button(self) -> QWidget:
        self.fold = tool_button(self.tr("Fold"), checkable=True)
        self.fold.setChecked(QSettings().value(FOLDED, "") == "yes")
        self.fold.toggled.connect(self._on_fold)
        return self.fold

    def _on_fold(self, is_folded: bool) -> None:
        QSettings().setValue(FOLDED, "yes" if is_folded else "")
        if is_folded:
            self._open_px = self.height()
        self._show_fold()
        self._take(self.sizeHint().height() if is_folded else self._open_px)

    def _take(self, wanted_px: int) -> None:
        """Be as high as that; what it gives up or takes is the pages'."""
        splitter = self.parentWidget()
        if isinstance(splitter, QSplitter):
            splitter.setSizes([sum(splitter.sizes()) - wanted_px, wanted_px])

    def event(self, event: QEvent) -> bool:
        """Stay as low as the figures while folded: from the first, and as lines come and go."""
        done = super().event(event)
        if event.type() == QEvent.Type.Show:
            self.refresh()  # what it shows is of when it was hidden
        if event.type() in (QEvent.Type.Show, QEvent.Type.LayoutRequest):
            wanted_px = self.sizeHint().height()
            if self.isVisible() and self.fold.isChecked() and self.height() != wanted_px:
                self._take(wanted_px)
        return done

    def _show_fold(self) -> None:
        """Show the plots, or the figures alone."""
        is_folded = self.fold.isChecked()
        self.plot.setVisible(not is_folded)
        if is_folded:
            self.gauge_plot.hide()
        else:
            self.gauge_plot.lay_out()
        for button in (self.gauges, self._pause, *self._spans.buttons()):
            button.setVisible(not is_folded)
        policy = self.sizePolicy()
        vertical = QSizePolicy.Policy.Fixed if is_folded else QSizePolicy.Policy.Preferred
        policy.setVerticalPolicy(vertical)
        self.setSizePolicy(policy)
        text = self.tr("Show the plot") if is_folded else self.tr("Fold the plot away")
        self.fold.setText("▴" if is_folded else "▾")
        self.fold.setToolTip(text)
        self.fold.setAccessibleName(text)

    def _span_buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(4)
        self._spans = group = QButtonGroup(self)
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
        self.gauge_plot.set_theme(theme)
        self.gauge_legend.set_theme(theme)
        self.plot.set_theme(theme)
        self._pause.setIcon(icon("play" if self._pause.isChecked() else "pause", theme.text))
        for key in list(self._entries):
            self._drop(key)
        self._show_fold()
        self.refresh()

    def _drop(self, key: str) -> None:
        self._legend.drop(self._entries.pop(key))
        # They stand behind the curves' entries, and are made again there.
        self._drop_phases()

    def _drop_phases(self) -> None:
        for entry in self._phases.values():
            self._legend.drop(entry)
        self._phases.clear()

    def _show_phases(self) -> None:
        """Name the coloured grounds that are drawn now."""
        colors = phase_colors(self._theme)
        shown = set() if self.fold.isChecked() else self.plot.phases_shown
        wanted = [name for name in colors if name in shown]
        if wanted == list(self._phases):
            return
        self._drop_phases()
        for name in wanted:
            entry = self._phases[name] = Entry(colors[name], None)
            text, told = {
                LOAD: (self.tr("loading"), self.tr("The model is loaded")),
                PREFILL: (self.tr("prefill"), self.tr("The prompt is processed")),
                DECODE: (self.tr("decode"), self.tr("The answer is written")),
            }[name]
            entry.show_text(text)
            entry.setToolTip(told)
            self._legend.add(entry)

    def _set_paused(self, paused: bool) -> None:
        self.plot.set_paused(paused)
        self._pause.setIcon(icon("play" if paused else "pause", self._theme.text))
        text = self.tr("Go on") if paused else self.tr("Pause")
        self._pause.setText(text)
        self._pause.setAccessibleName(text)

    def _show_gauges(self) -> None:
        self.gauge_legend.show_values(time.monotonic())
        if not self.fold.isChecked():
            self.gauge_plot.lay_out()
        self.plot.draw_now()

    def refresh(self) -> None:
        """Bring the legends up to date."""
        if not self.isVisible() and self._entries:
            return
        # The plot does this as it draws; it may be folded away.
        self._model.update()
        drawn = self._model.series
        # One that is not read has its name there all the same, once there is anything to draw.
        series = drawn if any(one.pyramid.count for one in drawn) else []
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
            now = self._moments.now
            self._entries[key].show_power(now.watts_of(key) if one.channel else now.total_w)
        self._show_phases()
        self.gauge_legend.show_values(time.monotonic())
        self._show_throttled()

    def _show_throttled(self) -> None:
        """Say that something is held back now: in short, and in full to who asks."""
        held = self._model.gauges.throttled_now(time.monotonic())
        device = held[0].partition(":")[0] if held else ""
        one, several = self.tr("%1 throttled"), self.tr("%1 devices throttled")
        text = several.replace("%1", str(len(held))) if held[1:] else one.replace("%1", device)
        self._throttled.setText(text)
        self._throttled.setToolTip("\n".join(held))
        self._throttled.setAccessibleDescription("; ".join(held))
        self._throttled.setVisible(bool(held))

    def _kind_of(self, series: Series) -> Kind:
        """A channel's kind; the total's is that of its weakest part, and may change."""
        return series.channel.kind if series.channel else self._moments.now.kind or Kind.COUNTER

    def _new_entry(self, series: Series, index: int) -> "_PowerEntry":
        channel = series.channel
        color = self._theme.color_of(channel, index) if channel else self._theme.text
        kind = self._kind_of(series)
        name = channel.label if channel else self.tr("Total")
        # Without the model's name, which would leave no room for the watts of several GPUs.
        entry = _PowerEntry(short_name(channel) if channel else name, color, kind)
        words = {
            Kind.COUNTER: self.tr("counted by the sensor"),
            Kind.POWER: self.tr("watts of the sensor, integrated"),
            Kind.MODELLED: self.tr("modelled from the load: no sensor can be read"),
        }[kind]
        entry.setToolTip(f"{name}: {words}")
        self._drop_phases()
        self._legend.add(entry)
        return entry


class _PowerEntry(Entry):
    """A channel's line, name and watts."""

    def __init__(self, name: str, color: str, kind: Kind) -> None:
        super().__init__(color, PENS[kind])
        self._name, self.kind = name, kind

    def show_power(self, power_w: float | None) -> None:
        self.show_text(f"{self._name} {figures.marked(self.kind, figures.power(power_w))}")
