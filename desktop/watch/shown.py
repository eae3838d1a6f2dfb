"""One recording: its plot, the chosen span, that span's bill, and the parts between marks."""

from PySide6.QtCore import Qt, Signal, SignalInstance
from PySide6.QtWidgets import (
    QHBoxLayout,
    QSizePolicy,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from desktop.theme.numbers import SecondsField
from desktop.theme.palette import Theme
from desktop.theme.widgets import label, menu_button, named, tool_button
from desktop.watch.model import LATELY, RUNNING, Shown, WatchModel
from desktop.watch.notes import NotesArea
from desktop.watch.plot import RecordingPlot
from desktop.watch.tables import BillTable, PartsTable
from desktop.watch.words import detail_of, energy_words, notes_of, title_of
from monitor.energy.notes import NO_NOTES
from monitor.recorded import Cost, Recording

DAY_S = 86_400.0

LEAST_TABS_PX = 152
"""The tabs, a table's head with its first row, and two lines of notes."""


class ShownRecording(QWidget):
    """Shows what the model has opened, and asks it for the bill of the chosen span."""

    rename_wanted = Signal(object)
    note_wanted = Signal(object)
    export_wanted = Signal(object)
    """Each with the :class:`Recording` that is shown."""

    def __init__(self, model: WatchModel, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self.shown: Shown | None = None
        self.plot = RecordingPlot(theme)
        self.bill, self.parts = BillTable(), PartsTable()
        self._title = label("")
        self._title.setStyleSheet("font-weight: 600")
        self._detail = label("", "muted")
        self.words = label("", wrap=True)
        self.words.setAccessibleName(self.tr("Cost of the span"))
        self.words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.notes = NotesArea()
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.setAccessibleName(self.tr("Bill and marks"))
        self.tabs.addTab(self._bill_tab(), self.tr("Bill of the span"))
        self.tabs.addTab(self.parts, self.tr("Parts"))
        self.tabs.setTabToolTip(1, self.tr("What lies before, between and behind the marks"))
        # Their heights are shares of the page, whatever is in them: another tab moves nothing.
        for part in (self.plot, self.tabs):
            policy = part.sizePolicy()
            policy.setVerticalPolicy(QSizePolicy.Policy.Ignored)
            part.setSizePolicy(policy)
        self.tabs.setMinimumHeight(LEAST_TABS_PX)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addLayout(self._head())
        layout.addWidget(self.plot, 1)
        layout.addLayout(self._span_row())
        layout.addWidget(self.tabs, 1)
        self.plot.selected.connect(self._on_selected)
        self.parts.chosen.connect(self.plot.select)
        self.parts.named.connect(self._name_mark)
        model.opened.connect(self.show_shown)
        model.priced.connect(self.show_cost)

    def _bill_tab(self) -> QWidget:
        holder = named(QWidget(), "page")
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.bill, 1)
        column.addWidget(self.notes)
        return holder

    def _head(self) -> QHBoxLayout:
        self.more = menu_button("⋯")
        self.more.setAccessibleName(self.tr("What can be done with this recording"))
        menu = self.more.menu()
        menu.addAction(self.tr("Rename …"), lambda: self._want(self.rename_wanted))
        menu.addAction(self.tr("Note …"), lambda: self._want(self.note_wanted))
        menu.addAction(self.tr("Export …"), lambda: self._want(self.export_wanted))
        self.delete = menu.addAction(self.tr("Delete"), self.delete_shown)
        self.keep = tool_button(self.tr("Keep"))
        self.keep.setToolTip(self.tr("Keep the chosen span as a recording"))
        self.keep.clicked.connect(self._keep)
        row = QHBoxLayout()
        row.addWidget(self._title)
        row.addWidget(self._detail, 1)
        row.addWidget(self.keep)
        row.addWidget(self.more)
        return row

    def _span_row(self) -> QHBoxLayout:
        self.start, self.end = SecondsField(), SecondsField()
        self.start.setAccessibleName(self.tr("Beginning of the span"))
        self.end.setAccessibleName(self.tr("End of the span"))
        for box in (self.start, self.end):
            box.setDecimals(1)
            box.setRange(0, DAY_S)
            box.setSuffix(self.tr(" s"))
            box.setKeyboardTracking(False)
            box.setFixedWidth(104)
            box.valueChanged.connect(self._on_typed)
        self.whole = tool_button(self.tr("All"))
        self.whole.setToolTip(self.tr("Choose everything, as a click on the plot does"))
        self.whole.clicked.connect(self.plot.select_all)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(label(self.tr("Span"), "muted"))
        row.addWidget(self.start)
        row.addWidget(label("–", "muted"))
        row.addWidget(self.end)
        row.addWidget(self.whole)
        row.addWidget(self.words, 1)
        return row

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self.plot.set_theme(theme)

    @property
    def recording(self) -> Recording | None:
        """The recording that is shown; ``None`` for the last minutes."""
        if self.shown is None or self.shown.name == LATELY:
            return None
        return self.shown.recorded.recording

    # --- showing -------------------------------------------------------------------------

    def show_shown(self, shown: Shown) -> None:
        """Draw what was read; another recording is shown whole."""
        recording = shown.recorded.recording
        is_other = self.shown is None or self.shown.recorded.recording.id != recording.id
        self.shown = shown
        # What was chosen of another recording means nothing here.
        if is_other:
            self.plot.span_s = (0.0, self.plot.duration_s)
        self.plot.show_recorded(shown.recorded, shown.outlines)
        if is_other:
            self.plot.select_all()
        self._show_head(shown, recording)
        self.parts.show_parts(shown.parts)
        self.tabs.setTabVisible(1, bool(shown.parts))
        self.tabs.setTabText(1, self.tr("Parts (%1)").replace("%1", str(len(shown.parts))))
        self._show_span()
        self._model.price(shown.recorded, *self.plot.span_s)

    def _show_head(self, shown: Shown, recording: Recording) -> None:
        is_lately = shown.name == LATELY
        lately = self.tr("Not recorded, but remembered: choose a span to see its bill, or keep it")
        self._title.setText("" if is_lately else title_of(recording))
        self._detail.setText(lately if is_lately else detail_of(recording))
        self._title.setVisible(not is_lately)
        self._detail.setToolTip(recording.note)
        self.more.setVisible(not is_lately)
        self.keep.setVisible(is_lately)
        self.delete.setEnabled(shown.name != RUNNING)

    def _show_span(self) -> None:
        for box, value in zip((self.start, self.end), self.plot.span_s, strict=True):
            box.blockSignals(True)
            box.setMaximum(max(round(self.plot.duration_s, 1), 0.1))
            box.setSingleStep(max(round(self.plot.duration_s / 100, 1), 0.1))
            if not box.hasFocus() or abs(box.value() - value) > 0.05:
                box.setValue(value)
            box.blockSignals(False)
        self.whole.setEnabled(not self.plot.is_whole)

    def show_cost(self, cost: Cost) -> None:
        """Show what the span cost."""
        words = energy_words(cost)
        self.words.setText(words)
        self.words.setToolTip(words)
        self.words.setAccessibleName(self.tr("Cost of the span: %1").replace("%1", words))
        recording = self.shown.recorded.recording if self.shown else None
        notes = recording.notes_within(cost.bill) if recording else NO_NOTES
        self.notes.set_text(notes_of(cost, notes))
        self.bill.show_cost(cost)

    # --- choosing ------------------------------------------------------------------------

    def _on_selected(self, start_s: float, end_s: float) -> None:
        self._show_span()
        if self.shown:
            self._model.price(self.shown.recorded, start_s, end_s)

    def _on_typed(self) -> None:
        self.plot.select(self.start.value(), self.end.value())
        self._show_span()

    def _keep(self) -> None:
        if self.shown and self.plot.duration_s:
            self._model.keep(self.shown.recorded, *self.plot.span_s)

    def _name_mark(self, number: int, name: str) -> None:
        if recording := self.recording:
            self._model.name_mark(recording, number, name)

    def delete_shown(self) -> None:
        """Delete the recording that is shown; it can be undone."""
        if recording := self.recording:
            self._model.delete(recording)

    def _want(self, wanted: SignalInstance) -> None:
        if recording := self.recording:
            wanted.emit(recording)
