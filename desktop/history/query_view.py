"""One query in full: what it cost, where the joules went, its curve, and how to have it again."""

from collections.abc import Callable

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from desktop.chat.answer import AnswerText
from desktop.history.cards import card, energy_cell, grid
from desktop.history.headline import SHORT, Headline
from desktop.history.limited_text import LimitedText
from desktop.history.marks import Marks
from desktop.history.phases import Phases
from desktop.history.scrub import Scrub
from desktop.history.tiles import Tiles
from desktop.history.while_ran import WhileItRan
from desktop.theme import wall
from desktop.theme.beside import beside_text
from desktop.theme.bill import full_time, status_words
from desktop.theme.doubts import notes_text
from desktop.theme.equivalents import EquivalentLine
from desktop.theme.gauges import note_words
from desktop.theme.idle import translate
from desktop.theme.palette import Theme
from desktop.theme.roles import role_note
from desktop.theme.widgets import label, named, tool_button
from monitor import figures
from monitor.attachments import split_attachments
from monitor.bill_words import lacks_memory
from monitor.details import Details
from monitor.energy.baseline import above_idle_words
from monitor.energy.forecast import Forecast
from monitor.energy.parts import is_lower_bound
from monitor.energy.wall import wall_words
from monitor.gauge_report import throttle_words
from monitor.repeat import REPEATABLE
from monitor.store.records import QueryRecord, QueryRow, Status


class QueryView(QScrollArea):
    """Shows a :class:`QueryRecord`; empty until :meth:`show_details`."""

    again = Signal(object)
    """A record whose query is to be run again."""
    measure = Signal(object)
    """A record whose query is to be run until its energy is known better."""
    noted = Signal(object, str)
    """A query's number, and its note as it is now."""
    baseline_wanted = Signal()
    """The idle machine is to be measured, so that what is above it is known from then on."""
    untagged = Signal(object, str)
    """A query's number, and a tag that is to be removed."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._rest: list[Callable[[], object]] = []
        self._height: int | None = None
        self.verticalScrollBar().actionTriggered.connect(self._forget_height)
        self._drawing = QTimer(self, interval=0, singleShot=True)
        self._drawing.timeout.connect(self._draw_part)
        self._shown: Details | None = None
        self._row: QueryRow | None = None
        self._note: str | None = None
        self._is_warm = False
        self.setWidgetResizable(True)
        self.setAccessibleName(self.tr("The query in full"))
        named(self, "query")

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self._theme = theme
        if self._shown and not self._is_typing():
            self._height = self._place()
            self._draw(self._shown)

    def _place(self) -> int:
        """Return how far down the page is to be shown once it is drawn."""
        return self.verticalScrollBar().value() if self._height is None else self._height

    def _forget_height(self) -> None:
        # Whoever scrolls while it is being drawn stays there.
        self._height = None

    def _is_typing(self) -> bool:
        marks = self.findChild(Marks)
        return marks is not None and marks.is_typing

    def keep_note(self) -> None:
        """Have the note stored that is being written, before its field is gone."""
        if marks := self.findChild(Marks):
            marks.keep()

    def show_query(self, row: QueryRow, shown: Details, note: str | None = None) -> None:
        """Show a query of the history, with what can be done with it.

        :param note: what was written of it and could not be stored
        """
        is_same = self._row is not None and self._row.number == row.number
        marks = self.findChild(Marks)
        if is_same and marks:
            marks.learn(row.note)
            if marks.is_typing:
                return  # it would be lost
        else:
            self.keep_note()
        self._row, self._note = row, note
        self._height = self._place() if is_same else 0
        self._draw(shown)

    def show_details(self, shown: Details) -> None:
        """Show a query by itself."""
        self.keep_note()
        self._row, self._height = None, 0
        self._draw(shown)

    def settle(self) -> None:
        """Draw all that is still to be drawn before returning."""
        while self._rest:
            self._draw_part()

    def _draw(self, shown: Details) -> None:
        self._shown = shown
        focused = self.window().focusWidget()
        had_keys = focused is not None and self.isAncestorOf(focused)
        was_noting = had_keys and isinstance(focused, QLineEdit)
        page = named(QWidget(), "page")
        layout = QVBoxLayout(page)
        layout.setContentsMargins(12, 12, 12, 16)
        layout.setSpacing(10)
        self._add_top(layout, shown)
        self.setWidget(page)
        if had_keys:  # they would go with the page before
            marks = self.findChild(Marks)
            (marks.note if marks and was_noting else self).setFocus()
        record = shown.record
        # Each in a turn of the window's thread of its own: together they would hold it up.
        self._rest = [
            lambda: self._add_curve_and_answer(layout, shown),
            lambda: layout.addWidget(card(self.tr("Phases"), Phases(record, shown.earlier))),
            lambda: layout.addWidget(
                card(self.tr("Where the joules were read"), self._channels(record))
            ),
            lambda: self._add_gauges(layout, record),
            lambda: self._add_prompt(layout, record.prompt),
            lambda: layout.addWidget(card(self.tr("Run with"), self._settings(record))),
            lambda: layout.addStretch(1),
        ]
        self._drawing.start()

    def _add_top(self, layout: QVBoxLayout, shown: Details) -> None:
        """Show what was asked, what it cost, and what is to be known of that."""
        record = shown.record
        self._add_heading(layout, record.prompt)
        if record.status is not Status.DONE:
            words = f"{status_words(record.status)}. {record.error}".strip()
            layout.addWidget(label(words[:1].upper() + words[1:], "warning", wrap=True))
        if record.throttled:
            sentence = self.tr("%1 was throttled %2 of the time")
            told = throttle_words(record.gauges, sentence, note_words)
            held = " ".join(f"{each}." for each in told)
            layout.addWidget(label(held, "warning", wrap=True))
        if record.notes:
            layout.addWidget(label(notes_text(record.notes), "warning", wrap=True))
        if beside := beside_text(record):
            layout.addWidget(label(beside, "warning", wrap=True))
        layout.addWidget(Tiles(record))
        if record.bill.total().energy:
            layout.addWidget(self._above_idle(record))
        if shown.wall:
            layout.addWidget(label(wall_words(shown.wall, wall.translate), "muted", wrap=True))
        if shown.has_equivalents:
            alike, carbon = EquivalentLine(), record.footprint
            alike.show_amounts(record.bill.total().energy, carbon.grams if carbon else None)
            layout.addWidget(alike)
        if shown.forecast:
            layout.addWidget(self._foretold(record, shown.forecast))
        if self._row:
            layout.addWidget(self._marks(self._row, record))

    def _draw_part(self) -> None:
        """Draw the next part of the page."""
        if self._rest:
            self._rest.pop(0)()
            self._drawing.start()
        else:
            self._lead_keys_through()
            self.verticalScrollBar().setValue(self._place())
            self._height = None

    def _lead_keys_through(self) -> None:
        """Let Tab go on to what is on the page: what is made last would come last in the window."""
        before: QWidget = self
        for widget in self.findChildren(QWidget):
            if widget.focusPolicy() & Qt.FocusPolicy.TabFocus:
                self.setTabOrder(before, widget)
                before = widget

    def _add_curve_and_answer(self, layout: QVBoxLayout, shown: Details) -> None:
        """Show the answer under its curve, or by itself if it is not known when it was written."""
        parts = [lambda: self._add_answer(layout, shown.record)]
        if shown.trace and shown.trace.curves:
            scrub = Scrub(shown.record, shown.trace, shown.marks, self._theme, self._is_warm)
            scrub.warmed.connect(self._keep_warm)
            title = self.tr("Power and answer") if scrub.has_text else self.tr("Power")
            layout.addWidget(card(title, scrub))
            parts = scrub.parts if scrub.has_text else [*scrub.parts, *parts]
        self._rest = [*parts, *self._rest]

    def _add_answer(self, layout: QVBoxLayout, record: QueryRecord) -> None:
        answer = AnswerText()
        answer.show_markdown(record.text or self.tr("*no answer*"))
        layout.addWidget(card(self.tr("Answer"), answer))

    def _add_gauges(self, layout: QVBoxLayout, record: QueryRecord) -> None:
        if record.gauges:
            layout.addWidget(card(self.tr("While it ran"), WhileItRan(record)))

    def _keep_warm(self, is_warm: bool) -> None:
        self._is_warm = is_warm

    def _above_idle(self, record: QueryRecord) -> QWidget:
        words = above_idle_words(record.above_idle, record.bill.total().kind, translate)
        told = label(words[:1].upper() + words[1:], "muted", wrap=True)
        if record.above_idle:
            return told
        measure = tool_button(self.tr("Measure idle …"))
        measure.setToolTip(self.tr("What the machine draws at rest; for the answers that follow"))
        measure.clicked.connect(self.baseline_wanted)
        holder = QWidget()
        line = QHBoxLayout(holder)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(told, 1)
        line.addWidget(measure, 0, Qt.AlignmentFlag.AlignTop)
        return holder

    def _foretold(self, record: QueryRecord, forecast: Forecast) -> QWidget:
        told = figures.marked(forecast.kind, figures.energy(forecast.energy_j))
        joules = record.bill.total().joules
        if record.status is not Status.DONE or joules is None:
            words = self.tr("Foretold %1 %2: not scored")
        elif forecast.holds(joules):
            words = self.tr("Foretold %1 %2: held")
        else:
            words = self.tr("Foretold %1 %2: missed")
        text = words.replace("%1", told).replace("%2", figures.bounds(forecast.interval))
        made = label(text, "muted", wrap=True)
        made.setToolTip(
            self.tr("From %1 earlier answers; four in five are to fall between the ends.").replace(
                "%1", str(forecast.basis)
            )
        )
        return made

    def _add_heading(self, layout: QVBoxLayout, prompt: str) -> None:
        """Put the question over the page, and the names of the files that went along with it."""
        files, question = split_attachments(prompt)
        names = ", ".join(files)
        layout.addWidget(Headline(question or names))
        if files and question:
            words = self.tr("With %1").replace("%1", names)
            layout.addWidget(label(words, "muted", wrap=True))

    def _add_prompt(self, layout: QVBoxLayout, prompt: str) -> None:
        """Show all of the prompt where the heading may not hold it."""
        if len(prompt) > SHORT or "\n" in prompt:
            whole = LimitedText(prompt)
            whole.setAccessibleName(self.tr("Prompt"))
            layout.addWidget(card(self.tr("Prompt"), whole))

    def _marks(self, row: QueryRow, record: QueryRecord) -> QWidget:
        marks = Marks(row, self._theme, self._note)
        marks.noted.connect(lambda text: self.noted.emit(row.number, text))
        marks.untagged.connect(lambda tag: self.untagged.emit(row.number, tag))
        again = QPushButton(self.tr("Run again"))
        again.setToolTip(self.tr("The same prompt, model, settings and seed, from a fresh context"))
        again.clicked.connect(lambda: self.again.emit(record))
        measure = QPushButton(self.tr("Measure again …"))
        measure.setToolTip(self.tr("Several times, until the mean is as sure as you want it"))
        measure.clicked.connect(lambda: self.measure.emit(record))
        for button in (again, measure):
            button.setVisible(record.kind in REPEATABLE)
        holder = QWidget()
        line = QHBoxLayout(holder)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(marks, 1)
        line.addWidget(measure, 0, Qt.AlignmentFlag.AlignBottom)
        line.addWidget(again, 0, Qt.AlignmentFlag.AlignBottom)
        return holder

    def _channels(self, record: QueryRecord) -> QWidget:
        rows = [(self.tr("Channel"), self.tr("Mean"), self.tr("Peak"), self.tr("Energy"))]
        for line in record.bill.by_channel():
            kind = line.channel.kind
            rows.append(
                (
                    line.channel.label + role_note(line.channel.role),
                    figures.marked(kind, figures.power(line.mean_w)),
                    figures.marked(kind, figures.power(line.peak_w)),
                    energy_cell(kind, line.energy),
                )
            )
        if lacks_memory(record.bill):
            rows.append((self.tr("Memory: not measured here"), "", "", figures.UNKNOWN))
        total = record.bill.total()
        shown = energy_cell(total.kind, total.energy, is_lower_bound(record.bill))
        rows.append((self.tr("Total of the parts"), "", "", shown))
        return grid(rows, bold_last=True)

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
            if name == "gpu_layers" and value == -1:
                rows.append((title, self.tr("as many as fit, if there is a GPU")))
            elif value is not None:
                rows.append((title, f"{value:g}" if isinstance(value, float) else str(value)))
        if record.system:
            rows.append((self.tr("System prompt"), record.system))
        rows.append((self.tr("Identifier"), record.id))
        return grid(rows, header=False)


class QueryDialog(QDialog):
    """A query in a window of its own."""

    baseline_wanted = Signal()

    def __init__(self, shown: Details, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("What this answer cost"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(660, 680)
        view = QueryView(theme)
        view.show_details(shown)
        view.baseline_wanted.connect(self.baseline_wanted)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(view)
