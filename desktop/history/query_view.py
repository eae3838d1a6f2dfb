"""One query in full: what it cost, where the joules went, its curve, and how to have it again."""

import html
from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QDialog,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from desktop.chat.answer import AnswerText
from desktop.history.curve import CurvePlot
from desktop.history.marks import Marks
from desktop.theme.bill import full_time, kind_words, status_words
from desktop.theme.palette import Theme
from desktop.theme.widgets import label, named
from monitor import figures, report
from monitor.energy.account import DECODE, LOAD, PREFILL
from monitor.energy.interval import Interval
from monitor.power.channel import Kind, Role
from monitor.repeat import REPEATABLE
from monitor.store.curves import StoredTrace
from monitor.store.records import QueryRecord, QueryRow, Status


class QueryView(QScrollArea):
    """Shows a :class:`QueryRecord`; empty until :meth:`show_record`."""

    again = Signal(object)
    """A record whose query is to be run again."""
    noted = Signal(object, str)
    """A query's number, and its note as it is now."""
    untagged = Signal(object, str)
    """A query's number, and a tag that is to be removed."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._shown: tuple[QueryRecord, StoredTrace | None] | None = None
        self._row: QueryRow | None = None
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self._theme = theme
        if self._shown and not self._is_typing():
            self._draw(*self._shown)

    def _is_typing(self) -> bool:
        marks = self.findChild(Marks)
        return marks is not None and marks.is_typing

    def show_query(self, row: QueryRow, record: QueryRecord, trace: StoredTrace | None) -> None:
        """Show a query of the history, with what can be done with it."""
        is_same = self._row is not None and self._row.number == row.number
        if is_same and self._is_typing():
            return  # a note is being written, and would be lost
        self._row = row
        height = self.verticalScrollBar().value() if is_same else 0
        self._draw(record, trace)
        self.verticalScrollBar().setValue(height)

    def show_record(self, record: QueryRecord, trace: StoredTrace | None) -> None:
        """Show a query with its power curve, if one is kept."""
        self._row = None
        self._draw(record, trace)

    def _draw(self, record: QueryRecord, trace: StoredTrace | None) -> None:
        self._shown = (record, trace)
        page = named(QWidget(), "page")
        layout = QVBoxLayout(page)
        layout.setContentsMargins(16, 12, 18, 16)
        layout.setSpacing(10)
        layout.addWidget(self._heading(record))
        if record.status is not Status.DONE:
            words = f"{status_words(record.status)}. {record.error}".strip()
            layout.addWidget(label(words[:1].upper() + words[1:], "warning", wrap=True))
        layout.addWidget(self._figures(record))
        if self._row:
            layout.addWidget(self._marks(self._row, record))
        if trace and trace.curves:
            plot = CurvePlot(self._theme)
            plot.show_trace(trace, [line.channel for line in record.bill.by_channel()])
            layout.addWidget(_card(self.tr("Power"), plot, self._shade_legend(trace)))
        layout.addWidget(_card(self.tr("Phases"), self._phases(record)))
        layout.addWidget(_card(self.tr("Where the joules were read"), self._channels(record)))
        answer = AnswerText()
        answer.show_markdown(record.text or self.tr("*no answer*"))
        layout.addWidget(_card(self.tr("Answer"), answer))
        layout.addWidget(_card(self.tr("Run with"), self._settings(record)))
        layout.addStretch(1)
        self.setWidget(page)

    def _heading(self, record: QueryRecord) -> QWidget:
        prompt = label(record.prompt, "title", wrap=True)
        prompt.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        if len(record.prompt) > 240:
            prompt.setText(record.prompt[:240].rstrip() + " …")
            prompt.setToolTip(html.escape(record.prompt[:4000]))
        return prompt

    def _marks(self, row: QueryRow, record: QueryRecord) -> QWidget:
        marks = Marks(row, self._theme)
        marks.noted.connect(lambda text: self.noted.emit(row.number, text))
        marks.untagged.connect(lambda tag: self.untagged.emit(row.number, tag))
        again = QPushButton(self.tr("Run again"))
        again.setToolTip(self.tr("The same prompt, model, settings and seed, from a fresh context"))
        again.clicked.connect(lambda: self.again.emit(record))
        again.setVisible(record.kind in REPEATABLE)
        holder = QWidget()
        line = QHBoxLayout(holder)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(marks, 1)
        line.addWidget(again, 0, Qt.AlignmentFlag.AlignBottom)
        return holder

    def _figures(self, record: QueryRecord) -> QWidget:
        total, carbon = record.bill.total(), record.footprint
        energy = figures.marked(total.kind, figures.energy(total.joules))
        note = figures.bounds(total.energy).strip("()")
        if total.energy and not total.resolved:
            note += "\n" + self.tr("too short to resolve")
        per_token = record.joules_per_token
        tiles = [
            (self.tr("Energy"), energy, note, kind_words(total.kind)),
            (
                self.tr("CO₂e"),
                figures.mass(carbon.grams if carbon else None),
                carbon and f"{carbon.zone} {carbon.year}, {carbon.intensity_g_per_kwh:.0f} g/kWh",
                carbon and carbon.source,
            ),
            (
                self.tr("Decode energy a token"),
                figures.marked(total.kind, figures.energy(per_token)),
                self.tr("%1 tokens").replace("%1", str(record.tokens.completion)),
                "",
            ),
            (
                self.tr("Speed"),
                figures.rate(record.tokens_per_s),
                self.tr("first token after %1").replace(
                    "%1", figures.duration(record.seconds.first_token)
                ),
                "",
            ),
        ]
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(8)
        for index, (name, value, small, tip) in enumerate(tiles):
            tile = named(QFrame(), "card")
            tile.setToolTip(tip or "")
            inner = QVBoxLayout(tile)
            inner.setContentsMargins(12, 8, 12, 8)
            inner.setSpacing(2)
            inner.addWidget(label(name, "muted"))
            inner.addWidget(label(value, "title"))
            inner.addWidget(label(small or "", "muted", wrap=True))
            grid.addWidget(tile, index // 2, index % 2)
        holder = QWidget()
        holder.setLayout(grid)
        return holder

    def _shade_legend(self, trace: StoredTrace) -> QLabel:
        names = {
            LOAD: (self.tr("loading"), self._theme.load),
            PREFILL: (self.tr("prefill"), self._theme.prefill),
            DECODE: (self.tr("decode"), self._theme.decode),
        }
        parts = []
        for phase in trace.phases:
            name, color = names[phase.name]
            parts.append(f'<span style="background:{color}">&nbsp;&nbsp;{name}&nbsp;&nbsp;</span>')
        legend = label("&nbsp;&nbsp;".join(parts))
        legend.setTextFormat(Qt.TextFormat.RichText)
        return legend

    def _phases(self, record: QueryRecord) -> QWidget:
        seconds, tokens = record.seconds, record.tokens
        fresh = tokens.prompt - tokens.reused
        told = {
            LOAD: (self.tr("Load (beside the total)"), seconds.load, None),
            PREFILL: (self.tr("Prefill"), seconds.prefill, fresh),
            DECODE: (self.tr("Decode"), seconds.decode, tokens.completion),
        }
        rows = [(self.tr("Phase"), self.tr("Time"), self.tr("Tokens"), self.tr("Energy"))]
        for name, (title, lasted_s, count) in told.items():
            if lasted_s is None:
                continue
            total = record.bill.total(name)
            shown = str(count) if count is not None else ""
            if name == PREFILL and tokens.reused:
                shown += self.tr(" + %1 reused").replace("%1", str(tokens.reused))
            rows.append(
                (title, figures.duration(lasted_s), shown, _energy_cell(total.kind, total.energy))
            )
        return _grid(rows)

    def _channels(self, record: QueryRecord) -> QWidget:
        rows = [(self.tr("Channel"), self.tr("Mean"), self.tr("Peak"), self.tr("Energy"))]
        notes = {Role.INSIDE: self.tr(" (inside)"), Role.WHOLE: self.tr(" (cross-check)")}
        for line in record.bill.by_channel():
            rows.append(
                (
                    line.channel.label + notes.get(line.channel.role, ""),
                    figures.power(line.mean_w),
                    figures.power(line.peak_w),
                    _energy_cell(line.channel.kind, line.energy),
                )
            )
        if report.lacks_memory(record.bill):
            rows.append((self.tr("Memory: not measured here"), "", "", figures.UNKNOWN))
        total = record.bill.total()
        rows.append((self.tr("Total of the parts"), "", "", _energy_cell(total.kind, total.energy)))
        return _grid(rows, bold_last=True)

    def _settings(self, record: QueryRecord) -> QWidget:
        model, settings = record.model, record.settings
        rows = [(self.tr("Started"), full_time(record.started_at))]
        if model:
            rows += [
                (self.tr("Model"), f"{model.name} {model.quantisation}"),
                (self.tr("SHA-256"), model.sha256[:16] + "…"),
            ]
        for title, name in (
            (self.tr("Context"), "context"),
            (self.tr("Threads"), "threads"),
            (self.tr("GPU layers"), "gpu_layers"),
            (self.tr("Temperature"), "temperature"),
            (self.tr("Top k"), "top_k"),
            (self.tr("Top p"), "top_p"),
            (self.tr("Min p"), "min_p"),
            (self.tr("Repeat penalty"), "repeat_penalty"),
            (self.tr("Longest answer"), "max_tokens"),
            (self.tr("Seed"), "seed"),
            (self.tr("llama-cpp-python"), "llama_cpp"),
        ):
            value = settings.get(name)
            if value is not None:
                rows.append((title, f"{value:g}" if isinstance(value, float) else str(value)))
        if record.system:
            rows.append((self.tr("System prompt"), record.system))
        rows.append((self.tr("Identifier"), record.id))
        return _grid(rows, header=False)


def _energy_cell(kind: Kind | None, energy: Interval | None) -> str:
    """An energy with its mark, and its interval on a second line."""
    shown = figures.marked(kind, figures.energy(energy.joules if energy else None))
    return f"{shown}\n{figures.bounds(energy).strip('()')}".rstrip()


def _grid(rows: Sequence[Sequence[str]], header: bool = True, bold_last: bool = False) -> QWidget:
    grid = QGridLayout()
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setHorizontalSpacing(14)
    grid.setVerticalSpacing(4)
    for at, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            is_muted = (header and at == 0) or (not header and column == 0)
            made = label(cell, "muted" if is_muted else "")
            made.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            made.setWordWrap(column == (0 if header else 1))
            made.setAlignment(Qt.AlignmentFlag.AlignTop)
            if bold_last and at == len(rows) - 1:
                made.setStyleSheet("font-weight: 600")
            if header and column:
                made.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop)
            grid.addWidget(made, at, column)
    grid.setColumnStretch(0 if header else 1, 1)
    holder = QWidget()
    holder.setLayout(grid)
    return holder


def _card(title: str, *content: QWidget) -> QFrame:
    card = named(QFrame(), "card")
    layout = QVBoxLayout(card)
    layout.setContentsMargins(12, 10, 12, 12)
    layout.setSpacing(8)
    heading = label(title)
    heading.setStyleSheet("font-weight: 600")
    layout.addWidget(heading)
    for widget in content:
        layout.addWidget(widget)
    return card


class QueryDialog(QDialog):
    """A query in a window of its own."""

    def __init__(
        self,
        record: QueryRecord,
        trace: StoredTrace | None,
        theme: Theme,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("What this answer cost"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(620, 640)
        view = QueryView(theme)
        view.show_record(record, trace)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(view)
