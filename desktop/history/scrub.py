"""A query's power curve with its answer: pointing at one marks the other."""

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from desktop.history.curve import CurvePlot
from desktop.history.timed_text import TimedText
from desktop.history.tint import HeatLegend
from desktop.theme.palette import Theme
from desktop.theme.widgets import label, tool_button
from monitor import figures
from monitor.energy.account import DECODE, LOAD, PREFILL, Line, weakest
from monitor.energy.heat import Heat, token_energy, warmth
from monitor.power.channel import Role
from monitor.power.present import total_w
from monitor.store.curves import StoredTrace
from monitor.store.marks import TextMarks
from monitor.store.records import QueryRecord


class Scrub(QWidget):
    """The curve, what it shows at the moment pointed at, and the answer beneath it.

    Empty until :attr:`parts` are drawn.

    :param marks: when the answer was written; without them the curve stands alone
    :param is_warm: whether heat is shown at first
    """

    warmed = Signal(bool)
    """Whether heat is shown."""

    def __init__(
        self,
        record: QueryRecord,
        trace: StoredTrace,
        marks: TextMarks | None,
        theme: Theme,
        is_warm: bool = False,
    ) -> None:
        super().__init__()
        self._record, self._trace, self._marks, self._theme = record, trace, marks, theme
        self._is_warm = is_warm
        self.curve = CurvePlot(theme)
        self.curve.pointed.connect(self._on_moment)
        words = self.tr("Point at the curve, or go along it with ← and →.")
        self.readout = label(words, "muted", wrap=True)
        self.readout.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        # Two lines, said or not: what is pointed at below must not move away.
        self.readout.setMinimumHeight(2 * self.readout.fontMetrics().lineSpacing())
        self.text: TimedText | None = None
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(6)
        for widget in (self.curve, self.readout, self._shade_legend()):
            self._layout.addWidget(widget)
        if not self.has_text:
            self.curve.setToolTip(
                self.tr("When the words of this answer were written is not known: it is of an "
                "earlier version or another program, or its curve was let go.")
            )  # fmt: skip

    @property
    def has_text(self) -> bool:
        """Whether it is known when the answer was written: it stands beneath the curve then."""
        return self._marks is not None and len(self._marks.time_s) > 0

    @property
    def parts(self) -> list[Callable[[], None]]:
        """What draws it, from the top; all at once would hold up the window's thread."""
        texts = [self._add_text, self._warm] if self.has_text else []
        return [self._draw_curve, *texts]

    def _draw_curve(self) -> None:
        channels = [line.channel for line in self._record.bill.by_channel()]
        self.curve.show_trace(self._trace, channels, self._marks.time_s if self._marks else None)

    def _add_text(self) -> None:
        self.text = TimedText(self._record.text, self._theme)
        self.text.pointed.connect(self._on_character)
        self.heat = tool_button(self.tr("Heat"), checkable=True)
        self.heat.setToolTip(self.tr("Tint the answer by the joules of each token"))
        self.heat.toggled.connect(self._show_heat)
        self._legend: HeatLegend | None = None
        self._heat_row = QHBoxLayout()
        self._heat_row.setSpacing(10)
        top_left = Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft
        self._heat_row.addWidget(self.heat, 0, top_left)
        self._layout.addLayout(self._heat_row)
        self._layout.addWidget(self.text)
        if not any(line.energy for line in self._decode_lines()):
            self.heat.setEnabled(False)
            self.heat.setToolTip(self.tr("No sensor was read while this answer was written."))

    def _warm(self) -> None:
        if self.heat.isEnabled():
            self.heat.setChecked(self._is_warm)

    def _shade_legend(self) -> QLabel:
        names = {
            LOAD: (self.tr("loading"), self._theme.load),
            PREFILL: (self.tr("prefill"), self._theme.prefill),
            DECODE: (self.tr("decode"), self._theme.decode),
        }
        parts = []
        # A benchmark has a phase for every item; each colour is named once.
        for phase in dict.fromkeys(phase.name for phase in self._trace.phases):
            name, color = names[phase]
            parts.append(f'<span style="background:{color}">&nbsp;&nbsp;{name}&nbsp;&nbsp;</span>')
        legend = label("&nbsp;&nbsp;".join(parts))
        legend.setTextFormat(Qt.TextFormat.RichText)
        return legend

    # --- pointing ------------------------------------------------------------------------

    def _on_moment(self, moment_s: float) -> None:
        self._point_at(moment_s, follow=True)

    def _on_character(self, character: int) -> None:
        assert self._marks
        moment_s = self._marks.at_character(character)
        if moment_s is not None:
            self._point_at(moment_s, follow=False)

    def _point_at(self, moment_s: float, follow: bool) -> None:
        self.curve.show_moment(moment_s)
        words = self._words(moment_s)
        self.readout.setText(words)
        self.curve.setAccessibleDescription(words)
        if self.text and self._marks:
            last = len(self._record.text)
            start, end = (min(at, last) for at in self._marks.at_time(moment_s))
            self.text.mark(start, end, follow)

    def _words(self, moment_s: float) -> str:
        """Say what was drawn at a moment: of all parts together, and of each if there are more."""
        parts = self.curve.power_at(moment_s)
        kind = weakest(channel.kind for channel, _ in parts)
        total = figures.marked(kind, figures.power(total_w(watts for _, watts in parts)))
        words = f"{moment_s:.2f} s   {total}"
        if len(parts) > 1:
            words += "   " + "  ·  ".join(
                f"{channel.label} {figures.marked(channel.kind, figures.power(watts))}"
                for channel, watts in parts
            )
        return words

    # --- heat ----------------------------------------------------------------------------

    def _decode_lines(self) -> list[Line]:
        return [
            line
            for line in self._record.bill.lines
            if line.phase == DECODE and line.channel.role is Role.PART
        ]

    def _token_energy(self) -> Heat | None:
        """Share the joules of decode among the tokens, ``None`` if that cannot be done."""
        marks = self._marks
        decode = next((phase for phase in self._trace.phases if phase.name == DECODE), None)
        if decode is None or marks is None:
            return None
        lines, curves = self._decode_lines(), self._trace.curves
        return token_energy(lines, curves, decode, marks.time_s, marks.characters)

    def _show_heat(self, shown: bool) -> None:
        assert self.text
        if self._legend:
            self._heat_row.removeWidget(self._legend)
            self._legend.deleteLater()
            self._legend = None
        self.text.hide_heat()
        heat = self._token_energy() if shown else None
        scale = warmth(heat) if heat else None
        if heat and scale:
            self._legend = HeatLegend(heat, scale, self._theme)
            self._heat_row.addWidget(self._legend, 1)
            self.text.show_heat(heat, scale)
        self.warmed.emit(shown)
