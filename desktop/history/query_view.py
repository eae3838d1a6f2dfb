"""One query in full: what it cost, where the joules went, its curve, and how to have it again."""

from collections.abc import Callable

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QDialog,
    QFrame,
    QGridLayout,
    QHBoxLayout,
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
from desktop.history.while_ran import WhileItRan
from desktop.theme import wall
from desktop.theme.beside import beside_text
from desktop.theme.bill import full_time, kind_words, no_footprint, status_words, unread_notes
from desktop.theme.doubts import notes_text
from desktop.theme.equivalents import EquivalentLine
from desktop.theme.gauges import note_words
from desktop.theme.idle import translate
from desktop.theme.palette import Theme
from desktop.theme.roles import role_note
from desktop.theme.widgets import label, named, tool_button
from monitor import figures, report
from monitor.attachments import split_attachments
from monitor.details import Details
from monitor.energy.account import PREFILL
from monitor.energy.baseline import above_idle_words
from monitor.energy.forecast import Forecast
from monitor.energy.parts import is_lower_bound
from monitor.energy.wall import wall_words
from monitor.gauge_report import throttle_words
from monitor.power.channel import Kind
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
        self._height = 0
        self._drawing = QTimer(self, interval=0, singleShot=True)
        self._drawing.timeout.connect(self._draw_part)
        self._shown: Details | None = None
        self._row: QueryRow | None = None
        self._is_warm = False
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self._theme = theme
        if self._shown and not self._is_typing():
            self._height = self.verticalScrollBar().value()
            self._draw(self._shown)

    def _is_typing(self) -> bool:
        marks = self.findChild(Marks)
        return marks is not None and marks.is_typing

    def show_query(self, row: QueryRow, shown: Details) -> None:
        """Show a query of the history, with what can be done with it."""
        is_same = self._row is not None and self._row.number == row.number
        if is_same and self._is_typing():
            return  # a note is being written, and would be lost
        self._row = row
        self._height = self.verticalScrollBar().value() if is_same else 0
        self._draw(shown)

    def show_details(self, shown: Details) -> None:
        """Show a query by itself."""
        self._row, self._height = None, 0
        self._draw(shown)

    def settle(self) -> None:
        """Draw all that is still to be drawn before returning."""
        while self._rest:
            self._draw_part()

    def _draw(self, shown: Details) -> None:
        self._shown = shown
        record = shown.record
        page = named(QWidget(), "page")
        layout = QVBoxLayout(page)
        layout.setContentsMargins(12, 12, 12, 16)
        layout.setSpacing(10)
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
        layout.addWidget(self._figures(record))
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
        self.setWidget(page)
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

    def _draw_part(self) -> None:
        """Draw the next part of the page."""
        if self._rest:
            self._rest.pop(0)()
            self._drawing.start()
        else:
            self.verticalScrollBar().setValue(self._height)

    def _add_curve_and_answer(self, layout: QVBoxLayout, shown: Details) -> None:
        """Show the answer under its curve, or by itself if it is not known when it was written."""
        text = None
        if shown.trace and shown.trace.curves:
            scrub = Scrub(shown.record, shown.trace, shown.marks, self._theme, self._is_warm)
            scrub.warmed.connect(self._keep_warm)
            text = scrub.text
            title = self.tr("Power and answer") if text else self.tr("Power")
            layout.addWidget(card(title, scrub))
        if text is None:
            answer = AnswerText()
            answer.show_markdown(shown.record.text or self.tr("*no answer*"))
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
        marks = Marks(row, self._theme)
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

    def _carbon_note(self, record: QueryRecord) -> str:
        """Say what the grams were reckoned with, and the hardware's share, which is not in them."""
        notes = []
        if carbon := record.footprint:
            intensity = figures.intensity(carbon.intensity_g_per_kwh)
            notes.append(f"{carbon.zone} {carbon.year}, {intensity} g/kWh")
        elif record.bill.total().energy:
            why = no_footprint(record)
            notes.append(why[:1].upper() + why[1:])
        if record.embodied_g is not None:
            share = self.tr("beside it the hardware's share: %1")
            notes.append(share.replace("%1", figures.mass(record.embodied_g)))
            sci = self.tr("SCI, both together: %1 %2")
        else:
            sci = self.tr("SCI without the hardware: %1 %2")
        of_what = self.tr("a query") if record.kind in REPEATABLE else self.tr("a run")
        if record.sci_g is not None:
            grams = figures.at_least(figures.mass(record.sci_g), is_lower_bound(record.bill))
            notes.append(sci.replace("%1", grams).replace("%2", of_what))
        return "\n".join(notes)

    def _figures(self, record: QueryRecord) -> QWidget:
        total, carbon = record.bill.total(), record.footprint
        is_partial = is_lower_bound(record.bill)
        energy = report.total_words(record.bill)
        note = figures.bounds(total.energy).strip("()")
        note = "\n".join((note, *unread_notes(record.bill)))
        if total.energy and not total.resolved:
            note += "\n" + self.tr("too short to resolve")
        tiles = [
            (self.tr("Energy"), energy, note, kind_words(total.kind)),
            (
                self.tr("CO₂e"),
                figures.at_least(figures.mass(carbon.grams if carbon else None), is_partial),
                self._carbon_note(record),
                carbon and carbon.source,
            ),
            *self._rates(record, total.kind, is_partial),
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
            inner.addStretch(1)
            grid.addWidget(tile, index // 2, index % 2)
        holder = QWidget()
        holder.setLayout(grid)
        return holder

    def _rates(
        self, record: QueryRecord, kind: Kind | None, is_partial: bool
    ) -> list[tuple[str, str, str, str]]:
        """Return tiles of energy a token and speed: of prefill where nothing was to be written."""
        fresh, prefill_s = record.fresh_tokens, record.seconds.prefill
        if record.tokens.completion or not (fresh and prefill_s):
            name, count = self.tr("Decode energy a token"), record.tokens.completion
            per_token, per_s = record.joules_per_token, record.tokens_per_s
            small = self.tr("first token after %1").replace(
                "%1", figures.duration(record.seconds.first_token)
            )
        else:
            energy = record.bill.total(PREFILL).energy
            name, count = self.tr("Prefill energy a token"), fresh
            per_token = energy.joules / fresh if energy else None
            per_s = fresh / prefill_s
            small = self.tr("of prefill; nothing was written")
        joules = figures.at_least(figures.marked(kind, figures.energy(per_token)), is_partial)
        tokens = self.tr("%1 tokens").replace("%1", f"{count:,}")
        return [(name, joules, tokens, ""), (self.tr("Speed"), figures.rate(per_s), small, "")]

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
        if report.lacks_memory(record.bill):
            rows.append((self.tr("Memory: not measured here"), "", "", figures.UNKNOWN))
        total = record.bill.total()
        rows.append((self.tr("Total of the parts"), "", "", energy_cell(total.kind, total.energy)))
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
