"""What the history page asks for that reaches beyond it: undo, running again, files."""

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QWidget

from desktop.bridge import Bridge
from desktop.engine import EngineModel
from desktop.history.exporting import Exporter
from desktop.history.measuring import MeasureAgainDialog
from desktop.history.page import HistoryPage
from desktop.history.recosting import RecostDialog
from desktop.notice import BUSY, Notice
from desktop.services import Services
from desktop.storage.dialog import StorageDialog
from desktop.theme.palette import Theme
from monitor.engine.gguf import ModelFileError
from monitor.meter import Ask, Event, Finished
from monitor.repeat import CannotRepeat, repeat
from monitor.store.filters import Filter
from monitor.store.history import History
from monitor.store.records import QueryRecord


class HistoryDeeds(QObject):
    """Does what the page asks for.

    :param engine: told when it is busy
    :param notice: where what came of it is said
    :param window: what dialogs belong to
    """

    answered = Signal(object)
    """The record of a query that was run again."""
    compare_wanted = Signal(object)
    """Identifiers of queries to lay side by side."""
    restore_wanted = Signal(object)
    """A backup that is to take the history's place."""

    def __init__(
        self,
        page: HistoryPage,
        bridge: Bridge,
        services: Services,
        engine: EngineModel,
        notice: Notice,
        theme: Theme,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._page, self._bridge, self._history = page, bridge, services.history
        self._engine, self._notice, self._window = engine, notice, window
        self._theme = theme
        # What was deleted last, and what is said of it.
        self._gone: list[int] = []
        self._told_gone = ""
        self.exporter = Exporter(bridge, services.history, window)
        self.exporter.said.connect(notice.say)
        self.exporter.changed.connect(page.refresh)
        bridge.repeated.connect(self._on_repeated)
        page.deleted.connect(self._on_deleted)
        page.undo_wanted.connect(self._undo)
        page.again_wanted.connect(self._run_again)
        page.measure_wanted.connect(self._measure)
        page.said.connect(notice.say)
        page.compare_wanted.connect(self.compare_wanted)
        page.export_wanted.connect(self.exporter.ask)
        page.import_wanted.connect(self.exporter.ask_import)
        page.recost_wanted.connect(self._open_recosting)
        page.storage_wanted.connect(self.open_storage)

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours for what is opened from now on."""
        self._theme = theme

    def _on_deleted(self, numbers: list[int]) -> None:
        if numbers:
            one, several = self.tr("1 query was deleted."), self.tr("%1 queries were deleted.")
            count = several.replace("%1", f"{len(numbers):,}") if numbers[1:] else one
            self._gone, self._told_gone = numbers, count
            self._notice.say(count, self.tr("Undo"), self._undo)
        else:
            self._notice.say(self.tr("A query that is still running cannot be deleted; stop it."))

    def _undo(self) -> None:
        """Bring back what was deleted last, whatever is said by now."""
        gone, self._gone = self._gone, []
        if gone:
            self._notice.withdraw(self._told_gone)
            self._page.restore(gone)

    def open_storage(self) -> None:
        """Show what can be seen and done about the history's file."""
        if self._bridge.busy:
            words = self.tr("Stop what is running first; it is being stored.")
            self._notice.say(words, topic=BUSY)
            return
        dialog = StorageDialog(self._bridge, self._history, self._window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.changed.connect(self._page.refresh)
        dialog.restore_wanted.connect(self.restore_wanted)
        dialog.open()

    def _open_recosting(self, chosen: Filter) -> None:
        dialog = RecostDialog(self._bridge, self._history, chosen, self._window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    # --- running again -------------------------------------------------------------------

    def _run_again(self, record: QueryRecord) -> None:
        """Put a stored query once more, exactly as it was put."""
        if self._engine.busy:
            words = self.tr("Stop what is running first; then the query can be run again.")
            self._notice.say(words, topic=BUSY)
            return
        history = self._history
        self._bridge.work(lambda: _repeat_or_problem(history, record), self._start_again)

    def _measure(self, record: QueryRecord) -> None:
        """Put a stored query again and again, until its mean is known well enough."""
        if self._engine.busy:
            words = self.tr("Stop what is running first; then the query can be measured again.")
            self._notice.say(words, topic=BUSY)
            return
        dialog = MeasureAgainDialog(self._bridge, self._history, record, self._theme, self._window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.changed.connect(self._page.refresh)
        dialog.open()

    def _start_again(self, found: Ask | str) -> None:
        if isinstance(found, str):
            self._notice.say(found)
        elif not self._engine.busy:
            self._notice.say(
                self.tr("Running the query again …"), self.tr("Stop"), self._bridge.cancel
            )
            self._bridge.repeat(found)
            self._engine.look_busy(self.tr("A query of the History page is being run again."))

    def _on_repeated(self, event: Event) -> None:
        if isinstance(event, Finished):
            self._notice.settle("")
            self.answered.emit(event.record)
            self._page.show_latest()


def _repeat_or_problem(history: History, record: QueryRecord) -> Ask | str:
    try:
        return repeat(history, record)
    except (CannotRepeat, ModelFileError) as problem:
        return str(problem)
