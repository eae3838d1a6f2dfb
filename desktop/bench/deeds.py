"""What a benchmark means beyond its page: the chat waits, and its end is told wherever one is."""

from PySide6.QtCore import QObject, Signal

from desktop.bench.model import BenchModel
from desktop.bench.page import BenchPage
from desktop.engine import EngineModel
from desktop.notice import Notice
from monitor.bench.summary import SuiteResult
from monitor.store.records import Status

BENCHMARK = "benchmark"
"""What is said of one counts until the page is shown; see :meth:`desktop.notice.Notice.settle`."""


class BenchDeeds(QObject):
    """Follows the benchmark that runs.

    :param engine: cannot answer the chat meanwhile, nor can a benchmark begin while it does
    :param notice: where what came of it is said
    """

    wanted = Signal()
    """The page is to be shown."""

    def __init__(
        self,
        model: BenchModel,
        page: BenchPage,
        engine: EngineModel,
        notice: Notice,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._page, self._engine, self._notice = page, engine, notice
        model.began.connect(self._on_began)
        model.ended.connect(self._on_ended)
        engine.busy_changed.connect(model.changed)
        page.report.failed.connect(notice.say)

    def say_it_runs(self) -> None:
        """Say why the chat has to wait, and where that can be changed."""
        self._say(self._running_words())

    def settle(self) -> None:
        """Take away what was said: the page is shown."""
        self._notice.settle(BENCHMARK)

    def _running_words(self) -> str:
        return self.tr("A benchmark is running; it can be stopped on the Bench page.")

    def _say(self, text: str) -> None:
        self._notice.say(text, self.tr("Go there"), self.wanted.emit, topic=BENCHMARK)

    def _on_began(self) -> None:
        self._engine.look_busy(self._running_words())

    def _on_ended(self, result: SuiteResult) -> None:
        self.settle()
        if self._page.isVisible():
            return
        has_ended = self.tr("The benchmark has ended; its report is on the Bench page.")
        was_stopped = self.tr(
            "The benchmark was stopped; what is done is on the Bench page and can be gone on with."
        )
        self._say(was_stopped if result.suite.status is Status.STOPPED else has_ended)
