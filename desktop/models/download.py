"""Fetching a model from Hugging Face: search, choose, read its card, download."""

from PySide6.QtCore import QDate, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QProgressBar, QSplitter, QVBoxLayout, QWidget

from desktop.bridge import Bridge
from desktop.models.asking import Asking
from desktop.models.fetching import Ended, Fetching, Step
from desktop.models.repositories import Repositories, Row
from desktop.models.repository_view import SELECTABLE, RepositoryView, say
from desktop.theme.palette import Theme
from desktop.theme.widgets import label, tool_button
from monitor import figures
from monitor.hub.card import Card
from monitor.hub.catalog import Hit, Listing, RemoteModel, search
from monitor.hub.models import Left, left_over
from monitor.hub.names import shown
from monitor.hub.report import tally
from monitor.store.history import History

FOUND = 40
"""Repositories a search shows at most."""

PERMILLE = 1000


class DownloadPane(QWidget):
    """Asks the network nothing but what a person asks for."""

    downloaded = Signal(object)
    """Path of a model that is whole and checked now."""

    def __init__(
        self, bridge: Bridge, history: History, theme: Theme, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._searches = Asking(bridge, self._show_hits, self._refuse, self)
        self._words_wanted, self._name = "", ""
        self.fetching = Fetching(bridge, history, self)
        self.fetching.progressed.connect(self._on_progressed)
        self.fetching.ended.connect(self._on_ended)
        self.search = QLineEdit()
        self.search.setPlaceholderText(self.tr("Search GGUF models on Hugging Face"))
        self.search.setAccessibleName(self.tr("Search Hugging Face"))
        self.search.setClearButtonEnabled(True)
        self.search.returnPressed.connect(self._search)
        self._go = tool_button(self.tr("Search"))
        self._go.clicked.connect(self._search)
        self._told = label("", "muted", wrap=True)
        self._told.setTextInteractionFlags(SELECTABLE)
        self.repositories = Repositories(theme)
        self.view = RepositoryView(bridge)
        self.repositories.chosen.connect(self._look)
        self.view.fetch_wanted.connect(self._fetch)
        self._build()
        self._tell(
            self.tr("Press Enter to search by a part of a model's name, such as qwen2.5 0.5b.")
        )
        bridge.work(left_over, self._show_left)

    def _build(self) -> None:
        top = QHBoxLayout()
        top.addWidget(self.search, 1)
        top.addWidget(self._go)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.addWidget(self.repositories)
        split.addWidget(self.view)
        split.setChildrenCollapsible(False)
        split.setStretchFactor(1, 1)
        split.setSizes([280, 460])
        self.repositories.setMinimumWidth(180)
        self._doing = label("", wrap=True)
        self._doing.setTextInteractionFlags(SELECTABLE)
        self.bar = QProgressBar()
        self.bar.setRange(0, PERMILLE)
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(self.tr("Progress of the download"))
        self.cancel = tool_button(self.tr("Cancel"))
        self.cancel.clicked.connect(self.fetching.stop)
        bottom = QHBoxLayout()
        bottom.addWidget(self._doing, 1)
        bottom.addWidget(self.cancel)
        for widget in (self._doing, self.bar, self.cancel):
            widget.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 14, 14, 14)
        layout.setSpacing(8)
        layout.addLayout(top)
        layout.addWidget(self._told)
        layout.addWidget(split, 1)
        layout.addWidget(self.bar)
        layout.addLayout(bottom)

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours."""
        self.repositories.set_theme(theme)

    def status(self) -> str:
        """Return what is said of the search."""
        return self._told.text()

    def doing(self) -> str:
        """Return what is said of the download."""
        return self._doing.text()

    def _tell(self, words: str, is_problem: bool = False) -> None:
        say(self._told, words, is_problem)

    # --- searching -----------------------------------------------------------------------

    def _search(self) -> None:
        words = self._words_wanted = self.search.text().strip()
        self._tell(self.tr("Searching …"))
        self.repositories.show_rows([])
        self._searches.ask(lambda tick: search(words, FOUND, tick))

    def _refuse(self, problem: str) -> None:
        self._tell(problem, is_problem=True)

    def _show_hits(self, hits: list[Hit]) -> None:
        if not hits:
            words = self.tr("Nothing was found for “%1”. Try fewer or other words of its name.")
            self._tell(words.replace("%1", self._words_wanted))
            return
        self._tell(self.tr("The most fetched first. Enter or a click shows a repository's models."))
        self.repositories.show_rows([Row(hit.name, self._details(hit), hit.gated) for hit in hits])
        self.repositories.setCurrentRow(0)
        if self.search.hasFocus():
            self.repositories.setFocus()

    def _details(self, hit: Hit) -> str:
        words = self.tr("%1 downloads").replace("%1", tally(hit.downloads))
        if hit.updated is None:
            return words
        day = QDate(hit.updated.year, hit.updated.month, hit.updated.day)
        return f"{words} · {self.locale().toString(day, 'MMM yyyy')}"

    def _show_left(self, left: list[Left]) -> None:
        """Show what stopped downloads left, unless something was searched for meanwhile."""
        if not left or self.repositories.count() or self._words_wanted:
            return
        self._tell(self.tr("These downloads were stopped: choose one to go on, or search."))
        self.repositories.show_rows([Row(each.repository, self._left_words(each)) for each in left])

    def _left_words(self, left: Left) -> str:
        words = self.tr("%1 of %2 are here")
        return words.replace("%1", figures.size(left.size_bytes)).replace("%2", shown(left.file))

    def _look(self, name: str) -> None:
        self._doing.setVisible(self.fetching.is_busy)  # how the last one ended was of another
        self.view.look(name)

    # --- downloading ---------------------------------------------------------------------

    def _fetch(self, listing: Listing, model: RemoteModel, cards: list[Card]) -> None:
        if self.fetching.is_busy:
            return
        self._name = shown(model.name.rpartition("/")[2])
        self._set_busy(True)
        self.bar.setValue(0)
        self._say(self.tr("Beginning with %1 …").replace("%1", self._name))
        self.fetching.run(listing, model, cards)

    def _set_busy(self, is_busy: bool) -> None:
        self.view.set_busy(is_busy)
        self._doing.show()
        self.bar.setVisible(is_busy)
        self.cancel.setVisible(is_busy)

    def _on_progressed(self, step: Step) -> None:
        if not self.fetching.is_busy:
            return
        if step.done_bytes >= step.total_bytes:
            self.bar.setValue(PERMILLE)
            self._say(self.tr("Checking %1 …").replace("%1", self._name))
            return
        self.bar.setValue(PERMILLE * step.done_bytes // step.total_bytes)
        words = self.tr("%1: %2 of %3").replace("%1", self._name)
        words = words.replace("%2", figures.size(step.done_bytes))
        words = words.replace("%3", figures.size(step.total_bytes))
        if step.bytes_per_s and step.left_s is not None:
            pace = self.tr("%1/s, %2 left").replace("%1", figures.size(round(step.bytes_per_s)))
            words += " · " + pace.replace("%2", figures.duration(max(round(step.left_s), 1)))
        self._say(words)

    def _on_ended(self, ended: Ended) -> None:
        self.view.show_ended(ended)
        self._set_busy(False)
        if ended.path is None:
            stopped = self.tr("Stopped. What came of %1 is kept; “Go on” fetches the rest.")
            self._say(ended.problem or stopped.replace("%1", self._name), bool(ended.problem))
            return
        words = self.tr("%1 is in the library now.").replace("%1", self._name)
        if ended.training:
            told = self.tr("Its training: %1 CO₂e, by the %2.")
            told = told.replace("%1", figures.mass(ended.training.grams))
            words += " " + told.replace("%2", ended.training.source)
        self._say(f"{words} {ended.problem}".strip(), bool(ended.problem))
        self.downloaded.emit(ended.path)

    def _say(self, words: str, is_problem: bool = False) -> None:
        say(self._doing, words, is_problem)
