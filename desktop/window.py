"""The main window: navigation, pages, status strip, and the live power dock."""

import logging
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QCloseEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QMainWindow,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from desktop.advice import Advice
from desktop.bench.model import BenchModel
from desktop.bench.page import BenchPage
from desktop.bridge import Bridge
from desktop.chat.model import ChatModel
from desktop.chat.page import ChatPage
from desktop.compare.page import ComparePage
from desktop.history.deeds import HistoryDeeds
from desktop.history.page import HistoryPage
from desktop.history.query_view import QueryDialog
from desktop.history.state import Place
from desktop.live.dock import LiveDock
from desktop.live.model import LiveModel
from desktop.navigation import Navigation
from desktop.notice import Notice
from desktop.sensors.page import SensorsPage
from desktop.services import Services
from desktop.settings.zones import ZoneDialog
from desktop.strip import StatusStrip
from desktop.theme.icons import icon
from desktop.theme.palette import Theme
from monitor.bench.summary import SuiteResult
from monitor.carbon.intensity import Zone
from monitor.engine.gguf import ModelFileError, read_model_info
from monitor.meter import ZONE_PREFERENCE, chosen_zone
from monitor.models.library import Found, list_models, model_places, remember_file
from monitor.store.backups import Backup
from monitor.store.database import StoreError
from monitor.store.filters import EVERYTHING
from monitor.store.records import QueryRecord

log = logging.getLogger(__name__)

PAGES = ("chat", "bench", "history", "compare", "sensors")

UPKEEP_MS = 20_000
"""Backup and thinning wait until the window is there and the models are listed."""

MODEL_PREFERENCE, DRAFT_PREFERENCE, PLACE_PREFERENCE = "model", "draft", "history_place"


class MainWindow(QMainWindow):
    """The program's window.

    :param services: started; the window closes them
    :param theme: colours to begin with
    """

    def __init__(self, services: Services, theme: Theme) -> None:
        super().__init__()
        self._services, self._theme = services, theme
        self._models: list[Found] = []
        self.backup_to_restore: Path | None = None
        self.bridge = Bridge(services, self)
        self.live = LiveModel(services.sampler)
        self.chat = ChatModel(self.bridge, services.history, self)
        self.bench = BenchModel(self.bridge, services.history, self)
        self.setWindowTitle("LlamaWatt")
        self.resize(1180, 760)
        self.setMinimumSize(900, 560)
        self._build()
        self._connect()
        self._restore_state()

    # --- building ------------------------------------------------------------------------

    def _build(self) -> None:
        self.strip = StatusStrip(self.live)
        self.notice = Notice(self._theme)
        self.chat_page = ChatPage(self.chat, self._theme)
        history = self._services.history
        self.bench_page = BenchPage(self.bench, self.bridge, history, self.live, self._theme)
        self.history_page = HistoryPage(self.bridge, history, self._theme)
        self.compare_page = ComparePage(self.bridge, history, self._theme)
        self.sensors_page = SensorsPage(self._services.sampler, self._theme)
        self.pages = QStackedWidget()
        for page in (
            self.chat_page,
            self.bench_page,
            self.history_page,
            self.compare_page,
            self.sensors_page,
        ):
            self.pages.addWidget(page)
        self.navigation = Navigation(
            PAGES,
            (
                self.tr("Chat"),
                self.tr("Bench"),
                self.tr("History"),
                self.tr("Compare"),
                self.tr("Sensors"),
            ),
        )
        self.dock = LiveDock(self.live, self._theme)
        self.deeds = HistoryDeeds(
            self.history_page, self.bridge, self._services, self.chat, self.notice, self
        )
        self.advice = Advice(self.bridge, self._services, self.notice, self)
        middle = QWidget()
        row = QHBoxLayout(middle)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.navigation)
        row.addWidget(self.pages, 1)
        self._splitter = QSplitter(Qt.Orientation.Vertical)
        self._splitter.addWidget(middle)
        self._splitter.addWidget(self.dock)
        self._splitter.setStretchFactor(0, 1)
        self._splitter.setSizes([520, 190])
        whole = QWidget()
        column = QVBoxLayout(whole)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.strip)
        column.addWidget(self.notice)
        column.addWidget(self._splitter, 1)
        self.setCentralWidget(whole)

    def _connect(self) -> None:
        self.navigation.wanted.connect(self.show_page)
        self.bridge.happened.connect(self.live.follow)
        self.bridge.repeated.connect(self.live.follow)
        self.deeds.answered.connect(self.strip.add_answer)
        self.bridge.benched.connect(self.live.follow_bench)
        self.bridge.idle.connect(self.live.end_phase)
        self.bench.began.connect(self.chat.look_busy)
        self.chat.busy_changed.connect(self.bench.changed)
        self.bench.ended.connect(self._on_benched)
        self.bench_page.report.failed.connect(self.notice.say)
        self.bridge.failed.connect(self.notice.say)
        self.advice.wanted.connect(lambda: self.show_page("sensors"))
        self.deeds.compare_wanted.connect(self._compare)
        self.deeds.restore_wanted.connect(self._restore)
        self.compare_page.said.connect(self.notice.say)
        self.compare_page.bench_wanted.connect(lambda: self.show_page("bench"))
        self.bridge.read_failed.connect(self.notice.say)
        self.chat.load_changed.connect(self.strip.show_load)
        self.chat.context_changed.connect(self.strip.show_context)
        self.chat.model_changed.connect(self._show_model)
        self.chat.answered.connect(self._on_answered)
        self.chat_page.bill_opened.connect(self.open_bill)
        self.strip.menu_wanted.connect(self._list_models)
        self.strip.model_chosen.connect(self._choose)
        self.strip.file_wanted.connect(self._open_file)
        stop = QShortcut(QKeySequence("Esc"), self)
        stop.activated.connect(self._stop)
        self.strip.unload_wanted.connect(self.chat.unload)
        self.strip.zone_wanted.connect(self._choose_zone)
        self.sensors_page.engine_wanted.connect(
            lambda: self.bridge.work(
                self.advice.describe_engine, lambda found: self.sensors_page.set_engine(*found)
            )
        )

    def _restore_state(self) -> None:
        self.set_theme(self._theme)
        self.show_page("chat")
        self._list_models()
        self.bridge.read(lambda: chosen_zone(self._services.history), self.strip.show_zone)
        self.advice.look()
        self.bridge.read(
            lambda: self._services.history.preference(DRAFT_PREFERENCE, ""), self._restore_draft
        )
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

    def _restore_draft(self, draft: str) -> None:
        if draft and not self.chat_page.prompt.toPlainText():
            self.chat_page.prompt.setPlainText(draft)

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
            self.sensors_page,
            self.dock,
        ):
            part.set_theme(theme)

    # --- what happens --------------------------------------------------------------------

    def show_page(self, name: str) -> None:
        """Show a page: chat, bench, history, compare or sensors."""
        self.pages.setCurrentIndex(PAGES.index(name))
        self.navigation.show_page(name)

    def _stop(self) -> None:
        """Stop what runs, whatever page is shown."""
        if self.bench.is_running:
            self.bench.stop()
        elif self.chat.busy:
            self.chat.stop()

    def _on_benched(self, _result: SuiteResult) -> None:
        if not self.bench_page.isVisible():
            self.notice.say(self.tr("The benchmark has ended; its report is on the Bench page."))
        if self.history_page.isVisible():
            self.history_page.refresh()
        if self.compare_page.isVisible():
            self.compare_page.refresh()

    def _on_answered(self, record: QueryRecord) -> None:
        self.strip.add_answer(record)
        if record.notice:
            self.notice.say(record.notice)
        if self.history_page.isVisible():
            self.history_page.refresh()

    def _compare(self, query_ids: list[str]) -> None:
        self.show_page("compare")
        self.compare_page.show_ids(query_ids)

    def _restore(self, backup: Backup) -> None:
        """Close, so that a backup can take the history's place; the program opens again."""
        self.backup_to_restore = backup.path
        self.close()

    def _show_model(self) -> None:
        chosen = next((m for m in self._models if m.path == self.chat.model), None)
        self.strip.show_model(chosen, self.chat.place if self.chat.is_loaded else "")

    def _list_models(self) -> None:
        history = self._services.history
        self.bridge.work(
            lambda: (list_models(*model_places(history)), history.preference(MODEL_PREFERENCE)),
            self._show_models,
        )

    def _show_models(self, found: tuple[list[Found], str | None]) -> None:
        self._models, preferred = found
        if self.chat.model is None:
            usable = [model for model in self._models if model.info]
            chosen = [model for model in usable if str(model.path) == preferred] or usable
            if chosen:
                self.chat.choose_model(chosen[0].path, load=False)
        self.strip.show_models(self._models, self.chat.model, self.chat.is_loaded)
        self.bench_page.setup.show_models(self._models, self.chat.model)
        self._show_model()

    def _choose(self, path: Path) -> None:
        if self.chat.busy:
            self.notice.say(
                self.tr("Stop what is running first; then another model can be chosen.")
            )
            return
        self.notice.hide()
        history = self._services.history
        self.bridge.change(lambda: history.set_preference(MODEL_PREFERENCE, str(path)))
        self.chat.choose_model(path, load=True)

    def _open_file(self) -> None:
        name, _ = QFileDialog.getOpenFileName(
            self, self.tr("Open a model"), "", self.tr("GGUF models (*.gguf);;All files (*)")
        )
        if name:
            self.open_model_file(Path(name))

    def open_model_file(self, path: Path) -> None:
        """Take a model file into the library and load it, or say why not."""
        history = self._services.history

        def look() -> str:
            try:
                read_model_info(path)
            except ModelFileError as error:
                return str(error)
            remember_file(history, path)
            return ""

        def go_on(problem: str) -> None:
            if problem:
                self.notice.say(problem)
            else:
                self._choose(path)
                self._list_models()

        self.bridge.work(look, go_on)

    def _choose_zone(self) -> None:
        self.bridge.read(lambda: chosen_zone(self._services.history), self._ask_zone)

    def _ask_zone(self, current: Zone) -> None:
        dialog = ZoneDialog(current, self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.accepted.connect(lambda: self._set_zone(dialog.zone))
        dialog.open()

    def _set_zone(self, zone: Zone) -> None:
        history = self._services.history
        self.bridge.change(lambda: history.set_preference(ZONE_PREFERENCE, zone.code))
        self.strip.show_zone(zone)

    def open_bill(self, record: QueryRecord) -> None:
        """Open what an answer cost in a window of its own."""
        history = self._services.history
        self.bridge.read(
            lambda: history.trace(record.id),
            lambda trace: QueryDialog(record, trace, self._theme, self).show(),
        )

    def closeEvent(self, event: QCloseEvent) -> None:
        """Keep what was typed, stop what runs and close what the services hold."""
        self.hide()
        draft = self.chat_page.prompt.toPlainText()
        try:
            self._services.history.set_preference(DRAFT_PREFERENCE, draft)
            place = self.history_page.state.place.to_address()
            self._services.history.set_preference(PLACE_PREFERENCE, place)
        except StoreError as error:
            # Told of while it could still be read; it must not keep the window from closing.
            log.warning("What was typed could not be kept: %s", error)
        self.bridge.close()
        self._services.close()
        super().closeEvent(event)
