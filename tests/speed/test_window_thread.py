"""The window's thread, watched while everything the chat does is going on.

Run with ``pytest tests/speed/test_window_thread.py -m speed -n 0 -s``.
"""

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PySide6.QtCore import QObject, Qt, QTimer
from PySide6.QtWidgets import QDialog
from pytestqt.qtbot import QtBot

from desktop.app import keep_garbage_small
from desktop.keyboard.finder import Finder
from desktop.services import start_services
from desktop.theme.palette import LIGHT
from desktop.window import MainWindow
from monitor.paths import database_path
from monitor.presets import Preset, checked
from tests.integration.hub_server import Hub, standing_in
from tests.speed.test_conversations import fill_with_talks
from tests.unit.builders import write_gguf

pytestmark = [pytest.mark.speed, pytest.mark.timeout(600)]

BUDGET_MS = 50

TICK_MS = 2

WAIT_MS = 120_000


class Watchdog(QObject):
    """Beats every two milliseconds and notes how much later each beat was than it should be."""

    def __init__(self) -> None:
        super().__init__()
        self.late_ms: list[float] = []
        self._last_s = 0.0
        self._timer = QTimer(self, interval=TICK_MS)
        self._timer.timeout.connect(self._beat)

    def _beat(self) -> None:
        now_s = time.monotonic()
        self.late_ms.append((now_s - self._last_s) * 1e3 - TICK_MS)
        self._last_s = now_s

    @contextmanager
    def watching(self, name: str) -> Iterator[None]:
        """Print the longest halt of what the block does."""
        self.late_ms.clear()
        self._last_s = time.monotonic()
        self._timer.start()
        yield
        self._timer.stop()
        halts = sorted(self.late_ms)
        print(
            f"{name}: longest halt {halts[-1]:.0f} ms, "
            f"99 % of {len(halts)} beats within {halts[int(0.99 * len(halts))]:.0f} ms"
        )


@pytest.fixture
def window(qtbot: QtBot) -> Iterator[MainWindow]:
    database_path().parent.mkdir(parents=True, exist_ok=True)
    fill_with_talks(database_path())
    window = MainWindow(start_services(), LIGHT)
    window.show()
    qtbot.waitUntil(lambda: window.engine.model is not None, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: window.chat_page.side.is_read, timeout=WAIT_MS)
    qtbot.wait(1500)
    keep_garbage_small()
    yield window
    window.close()
    window.deleteLater()
    gc.unfreeze()


def test_the_window_goes_on_whatever_is_done(
    qtbot: QtBot, window: MainWindow, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Budget: never held for more than 50 ms; a conversation opens in 150, a search takes 100."""
    dog, chat, side = Watchdog(), window.chat, window.chat_page.side

    def until(holds: Callable[[], object]) -> None:
        qtbot.waitUntil(holds, timeout=WAIT_MS)

    with dog.watching("loading a model"):
        window.models.choose(window.engine.model)
        until(lambda: window.engine.is_loaded and not window.engine.busy)
    chat.set_setup(Preset("", sampling=checked({"max_tokens": 400, "seed": 1})))
    with dog.watching("streaming an answer"):
        window.chat_page.prompt.setPlainText("Write a long Python program, then explain it.")
        window.chat_page.composer.send()
        until(lambda: not window.engine.busy)
        qtbot.wait(300)
    with dog.watching("opening 10 conversations"):
        for row in side.model.rows[1:11]:
            start_s = time.monotonic()
            chat.open_conversation(row.id)
            until(lambda row=row: chat.conversation_id == row.id)
            print(f"  opened after {(time.monotonic() - start_s) * 1e3:.0f} ms (budget 150)")
            qtbot.wait(200)
    with dog.watching("searching conversations"):
        for text in ("wala", "wa", "joume ki", "unheard", ""):
            before, start_s = side.model.rows, time.monotonic()
            side.search.setText(text)
            until(lambda before=before: side.model.rows is not before)
            print(f"  “{text}” after {(time.monotonic() - start_s) * 1e3:.0f} ms (budget 100 + 80)")
            qtbot.wait(100)
    with dog.watching("searching everything"):
        window.commands.open_finder()
        (finder,) = (each for each in window.findChildren(QDialog) if isinstance(each, Finder))
        for text in ("w", "wala", "wala jou"):
            finder.field.setText(text)
            qtbot.wait(600)
        finder.close()
    weights = write_gguf(tmp_path / "quiz-Q8_0.gguf").read_bytes() + bytes(64 << 20)
    hub = Hub(files={"quiz-Q8_0.gguf": weights}, hits=[{"id": "who/quiz"}], pause_s=0.001)
    with standing_in(hub, monkeypatch, tmp_path / "cache"):
        with dog.watching("opening the library"):
            window.models.open_library()
            qtbot.wait(700)
        pane = window.models._downloads
        assert pane is not None
        with dog.watching("searching for and downloading a model"):
            pane.search.setText("quiz")
            pane.search.returnPressed.emit()
            until(lambda: pane.repositories.count() > 0)
            qtbot.keyClick(pane.repositories, Qt.Key.Key_Return)
            until(lambda: pane.view.files.rowCount() > 0)
            pane.view.files.selectRow(0)
            pane.view.fetch.click()
            until(lambda: pane.fetching.is_busy)
            until(lambda: not pane.fetching.is_busy)
    for name in ("bench", "history", "compare", "sensors", "chat"):
        with dog.watching(f"the page {name}"):
            window.show_page(name)
            qtbot.wait(700)
