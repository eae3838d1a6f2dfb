"""The main window: navigation, pages, status strip, and the live power dock."""

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QMainWindow,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from desktop.advice import Advice
from desktop.bench.deeds import BenchDeeds
from desktop.bench.model import BenchModel
from desktop.bench.page import BenchPage
from desktop.bridge import Bridge
from desktop.chat.asking import Asking
from desktop.chat.drafts import Drafts
from desktop.chat.model import ChatModel
from desktop.chat.page import ChatPage
from desktop.compare.page import ComparePage
from desktop.engine import EngineModel
from desktop.history.deeds import HistoryDeeds
from desktop.history.page import HistoryPage
from desktop.history.query_view import QueryDialog
from desktop.history.state import Place
from desktop.keyboard.bindings import bind_commands
from desktop.keyboard.commands import Commands
from desktop.live.dock import LiveDock
from desktop.live.model import LiveModel
from desktop.live.moments import Moments
from desktop.models.deeds import ModelDeeds
from desktop.models.drops import dropped_paths
from desktop.navigation import Navigation
from desktop.notice import BUSY, Notice
from desktop.sensors.page import SensorsPage
from desktop.services import Services
from desktop.settings.deeds import SettingsDeeds
from desktop.strip import StatusStrip
from desktop.theme.icons import icon
from desktop.theme.palette import DARK, LIGHT, Theme
from desktop.theme.style import apply_theme, keep_theme
from desktop.watch.deeds import WatchDeeds
from monitor.details import Details, details_of
from monitor.store.backups import Backup
from monitor.store.database import StoreError
from monitor.store.filters import EVERYTHING
from monitor.store.records import QueryRecord

log = logging.getLogger(__name__)

PAGES = ("chat", "bench", "history", "compare", "watch", "sensors")

UPKEEP_MS = 20_000
"""Backup and thinning wait until the window is there and the models are listed."""

PLACE_PREFERENCE = "history_place"

UNSTORED = "unstored"
"""What is said of an answer that lies in a file; see :meth:`desktop.notice.Notice.settle`."""


class MainWindow(QMainWindow):
    """The program's window.

    :param services: started; the window closes them
    :param theme: colours to begin with
    """

    def __init__(self, services: Services, theme: Theme) -> None:
        super().__init__()
        self._services, self._theme = services, theme
        self.backup_to_restore: Path | None = None
        self.bridge = Bridge(services, self)
        self.live = LiveModel(services.sampler)
        self.moments = Moments(services.sampler, self)
        self.engine = EngineModel(self.bridge, self)
        self.chat = ChatModel(self.bridge, services.history, self)
        self.asking = Asking(self.chat, self.engine, self.bridge, self)
        self.bench = BenchModel(self.bridge, services.history, self)
        self.setWindowTitle("LlamaWatt")
        self.resize(1180, 760)
        self.setMinimumSize(900, 560)
        self._build()
        self._connect()
        self._restore_state()

    # --- building ------------------------------------------------------------------------

    def _build(self) -> None:
        self._build_frame()
        history = self._services.history
        self.chat_page = ChatPage(
            self.asking, self.bridge, history, self._services.meter, self._theme, self.pages
        )
        self.bench_page = BenchPage(
            self.bench, self.bridge, history, self.live, self._theme, self.pages
        )
        self.history_page = HistoryPage(self.bridge, history, self._theme, self.pages)
        self.compare_page = ComparePage(self.bridge, history, self._theme, self.pages)
        self.sensors_page = SensorsPage(
            self._services.sampler, self.moments, self._theme, self.bridge, history, self.pages
        )
        self.watch = WatchDeeds(
            self.bridge,
            self._services,
            self.moments,
            self.navigation,
            self.notice,
            self._theme,
            self,
        )
        for page in (
            self.chat_page,
            self.bench_page,
            self.history_page,
            self.compare_page,
            self.watch.page,
            self.sensors_page,
        ):
            self.pages.addWidget(page)
        self.bench_deeds = BenchDeeds(self.bench, self.bench_page, self.engine, self.notice, self)
        self.dock = LiveDock(self.live, self.moments, self._theme, self._splitter)
        self._splitter.setStretchFactor(0, 1)
        self._splitter.setSizes([520, 190])
        self.models = ModelDeeds(
            self.engine, self.strip, self.notice, self.bridge, self._services, self._theme, self
        )
        self.commands = Commands(
            self.bridge, history, lambda: self.models.models, self._theme, self
        )
        self.deeds = HistoryDeeds(
            self.history_page,
            self.bridge,
            self._services,
            self.engine,
            self.notice,
            self._theme,
            self,
        )
        self.drafts = Drafts(self.chat_page.composer, self.bridge, history, self.notice, self)
        self.advice = Advice(self.bridge, self._services, self.notice, self)
        self.settings = SettingsDeeds(
            self.bridge, self._services, self.strip, self.sensors_page, self._theme, self
        )
        self.history_page.baseline_wanted.connect(self.settings.measure_idle)

    def _build_frame(self) -> None:
        """Put together what the pages and the plot go into, from the outside in: Qt styles all that
        a part holds anew each time the part is put into another."""
        whole = QWidget(self)
        self.setCentralWidget(whole)
        column = QVBoxLayout(whole)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.strip = StatusStrip(self.moments, whole)
        self.notice = Notice(self._theme, whole)
        self._splitter = QSplitter(Qt.Orientation.Vertical, whole)
        column.addWidget(self.strip)
        column.addWidget(self.notice)
        column.addWidget(self._splitter, 1)
        middle = QWidget(self._splitter)
        row = QHBoxLayout(middle)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        self.navigation = Navigation(PAGES, tuple(self.page_titles().values()), middle)
        self.pages = QStackedWidget(middle)
        row.addWidget(self.navigation)
        row.addWidget(self.pages, 1)

    def _connect(self) -> None:
        self.navigation.wanted.connect(self.show_page)
        self.watch.wanted.connect(lambda: self.show_page("watch"))
        self.bridge.happened.connect(self.live.follow)
        self.bridge.repeated.connect(self.live.follow)
        self.deeds.answered.connect(self.strip.add_answer)
        self.bridge.benched.connect(self.live.follow_bench)
        self.bridge.idle.connect(self.live.end_phase)
        self.bench_deeds.wanted.connect(lambda: self.show_page("bench"))
        self.bench.ended.connect(lambda _result: self._refresh_stored())
        self.bridge.failed.connect(self.notice.say)
        self.advice.wanted.connect(lambda: self.show_page("sensors"))
        self.deeds.compare_wanted.connect(self._compare)
        self.deeds.restore_wanted.connect(self._restore)
        self.compare_page.said.connect(partial(self._say_on_page, "compare"))
        self.compare_page.bench_wanted.connect(lambda: self.show_page("bench"))
        self.bridge.read_failed.connect(self.notice.say)
        self.engine.load_changed.connect(self.strip.show_load)
        self.asking.context_changed.connect(self.strip.show_context)
        self.models.listed.connect(
            lambda found: self.bench_page.setup.show_models(found, self.engine.model)
        )
        self.asking.answered.connect(self._on_answered)
        self.asking.stuck.connect(self.models.offer)
        self.chat.setups.noted.connect(self.notice.say)
        self.chat_page.bill_opened.connect(lambda record: self.open_query(record.id))
        self.chat_page.said.connect(partial(self._say_on_page, "chat"))
        self.chat_page.refused.connect(partial(self.notice.say, topic=BUSY))
        for gone_on in (self.chat.turn_added, self.chat.reset):
            gone_on.connect(partial(self.notice.settle, "chat"))
        self.bridge.idle.connect(partial(self.notice.settle, BUSY))
        self.chat_page.empty.library_wanted.connect(self.models.open_library)
        self.sensors_page.engine_wanted.connect(
            lambda: self.bridge.work(
                self.advice.describe_engine, lambda found: self.sensors_page.set_engine(*found)
            )
        )

    def page_titles(self) -> dict[str, str]:
        """Return what the pages are called, in their order."""
        return {
            "chat": self.tr("Chat"),
            "bench": self.tr("Bench"),
            "history": self.tr("History"),
            "compare": self.tr("Compare"),
            "watch": self.tr("Monitor"),
            "sensors": self.tr("Sensors"),
        }

    def _restore_state(self) -> None:
        bind_commands(self)
        self.setAcceptDrops(True)
        self.set_theme(self._theme)
        self.show_page("chat")
        self.models.refresh()
        self.settings.show_zone()
        self.advice.look()
        self.bridge.read(
            lambda: self._services.history.preference(PLACE_PREFERENCE, ""), self._restore_place
        )
        self.chat_page.prompt.setFocus()
        if self._services.history.store.notice:
            self.notice.say(self._services.history.store.notice)
        self._upkeep = QTimer(self, singleShot=True, interval=UPKEEP_MS)
        self._upkeep.timeout.connect(self.bridge.look_after)
        self._upkeep.start()

    def _restore_place(self, address: str) -> None:
        """Show the history as it was shown last, but all of it: a filter of then hides what is new
        now."""
        place = replace(Place.from_address(address), chosen=EVERYTHING)
        self.history_page.state.go(place)

    def set_theme(self, theme: Theme) -> None:
        """Take a theme's colours everywhere."""
        self._theme = theme
        self.setWindowIcon(icon("llamawatt", theme.text))
        for part in (
            self.navigation,
            self.notice,
            self.chat_page,
            self.bench_page,
            self.history_page,
            self.compare_page,
            self.watch,
            self.sensors_page,
            self.dock,
            self.models,
            self.commands,
            self.settings,
            self.deeds,
        ):
            part.set_theme(theme)

    def change_theme(self) -> None:
        """Change from light to dark or back, and stay with it."""
        theme = LIGHT if self._theme is DARK else DARK
        keep_theme(theme)
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        apply_theme(app, theme)
        self.set_theme(theme)

    # --- what happens --------------------------------------------------------------------

    def show_page(self, name: str) -> None:
        """Show a page: chat, bench, history, compare, watch or sensors."""
        left = PAGES[self.pages.currentIndex()]
        if left != name:
            self.notice.settle(left)
        if name == "bench":
            self.bench_deeds.settle()
        self.pages.setCurrentIndex(PAGES.index(name))
        self.navigation.show_page(name)

    def _say_on_page(
        self, page: str, text: str, action: str = "", does: Callable[[], None] | None = None
    ) -> None:
        """Say what counts as long as this page is shown and nothing was done on it since."""
        self.notice.say(text, action, does, page)

    def stop(self) -> None:
        """Stop what runs, whatever page is shown; else leave a search or an edit.

        A benchmark is stopped from its own page only: it may be forgotten on any other.
        """
        if self.bench.is_running:
            if self.bench_page.isVisible():
                self.bench.stop()
            elif not self.chat_page.leave():
                self.bench_deeds.say_it_runs()
        elif self.engine.busy:
            self.engine.stop()
        else:
            self.chat_page.leave()

    def _refresh_stored(self) -> None:
        for page in (self.history_page, self.compare_page):
            if page.isVisible():
                page.refresh()

    def _on_answered(self, record: QueryRecord) -> None:
        self.strip.add_answer(record)
        self.settings.show_zone()
        if record.notice:
            self.notice.say(record.notice, topic=UNSTORED)
        elif not self._services.history.unstored():
            self.notice.settle(UNSTORED)
        if self.history_page.isVisible():
            self.history_page.refresh()

    def _compare(self, query_ids: list[str]) -> None:
        self.show_page("compare")
        self.compare_page.show_ids(query_ids)

    def _restore(self, backup: Backup) -> None:
        """Close, so that a backup can take the history's place; the program opens again."""
        self.backup_to_restore = backup.path
        self.close()

    def open_query(self, query_id: str) -> None:
        """Open what a query cost in a window of its own."""
        history = self._services.history

        def show(found: Details) -> None:
            dialog = QueryDialog(found, self._theme, self)
            dialog.baseline_wanted.connect(self.settings.measure_idle)
            dialog.show()

        self.bridge.read(lambda: details_of(history, query_id), show)

    # --- keys and drops ------------------------------------------------------------------

    def new_chat(self) -> None:
        """Begin a new conversation, whatever page is shown."""
        self.show_page("chat")
        if not self.chat.may_leave:
            self.notice.say(
                self.tr("The question is being stored: then a new chat can be begun."), topic=BUSY
            )
            return
        self.chat.new_conversation()
        self.chat_page.prompt.setFocus()

    def open_conversation(self, conversation_id: str, query_id: str) -> None:
        """Show a conversation where something was found in it."""
        self.show_page("chat")
        self.chat_page.open_conversation(conversation_id, query_id)

    def insert_prompt(self, text: str) -> None:
        """Put a prompt of the library into the field."""
        self.show_page("chat")
        self.chat_page.composer.insert(text)

    def search_page(self) -> None:
        """Go to the search field of the page that is shown; the chat's where it has none."""
        if self.history_page.isVisible():
            self.history_page.filter_bar.search.setFocus()
            return
        self.show_page("chat")
        self.chat_page.side.search.setFocus()
        self.chat_page.side.search.selectAll()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take models that are dragged over the window."""
        if dropped_paths(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Take models into the library."""
        self.models.drop(dropped_paths(event.mimeData()))
        event.acceptProposedAction()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Keep what was typed, stop what runs and close what the services hold."""
        self.hide()
        self.drafts.keep_last()
        self.history_page.keep_notes()
        try:
            place = self.history_page.state.place.to_address()
            self._services.history.set_preference(PLACE_PREFERENCE, place)
        except StoreError as error:
            log.warning("How the history was shown could not be kept: %s", error)
        self.watch.close()
        self.bridge.close()
        self._services.close()
        super().closeEvent(event)
