"""The benchmark page: choosing, running, and the report, one after another."""

from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QStackedLayout, QWidget

from desktop.bench.model import BenchModel
from desktop.bench.report import ReportView
from desktop.bench.running import RunningView
from desktop.bench.setup import SetupView
from desktop.bridge import Bridge
from desktop.live.model import LiveModel
from desktop.theme.palette import Theme
from monitor.bench.summary import SuiteResult, summarise
from monitor.store.history import History


class BenchPage(QWidget):
    """Shows a :class:`BenchModel`."""

    def __init__(
        self,
        model: BenchModel,
        bridge: Bridge,
        history: History,
        live: LiveModel,
        theme: Theme,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._model, self._bridge, self._history = model, bridge, history
        self.setup = SetupView(model, self)
        self.running = RunningView(model, live, theme, self)
        self.report = ReportView(bridge, history, theme, self)
        self._stack = QStackedLayout(self)
        for view in (self.setup, self.running, self.report):
            self._stack.addWidget(view)
        self.setup.opened.connect(self.open_suite)
        self.report.left.connect(self._back)
        model.began.connect(lambda: self._stack.setCurrentWidget(self.running))
        model.ended.connect(self.show_result)
        model.refused.connect(lambda _problem: self._back())

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self.running.set_theme(theme)
        self.report.set_theme(theme)

    def showEvent(self, event: QShowEvent) -> None:
        """Read what was run before whenever the page comes up."""
        super().showEvent(event)
        self._model.list_earlier()

    @property
    def view(self) -> QWidget:
        """What is shown: the set-up, the running benchmark, or a report."""
        shown = self._stack.currentWidget()
        assert shown
        return shown

    def open_suite(self, suite_id: str) -> None:
        """Show a stored suite's report."""
        self._bridge.read(lambda: summarise(self._history, suite_id), self.show_result)

    def show_result(self, result: SuiteResult) -> None:
        """Show what came of a suite."""
        self.report.show_result(result)
        self._stack.setCurrentWidget(self.report)
        self._model.list_earlier()

    def _back(self) -> None:
        is_running = self._model.running is not None
        self._stack.setCurrentWidget(self.running if is_running else self.setup)
        self.setup.look()
