"""Pictures of every page, drawn from the present history without a screen."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtWidgets import QApplication

from desktop.services import start_services
from desktop.theme.palette import DARK, LIGHT
from desktop.theme.style import apply_theme
from desktop.window import MainWindow
from monitor.bench.summary import SuiteResult

SIZE = (1180, 760)

SETTLE_S = 3.0
"""The live plot gets a few seconds of this machine's power before it is drawn."""


def draw_pages(app: QApplication, folder: Path, pages: Sequence[str]) -> list[Path]:
    """Draw some pages in both themes.

    :return: the PNG files written: ``chat-light.png`` and so on
    :raises StoreError: if the history cannot be opened
    """
    window = MainWindow(start_services(), LIGHT)
    window.resize(*SIZE)
    window.show()
    _open_latest_conversation(app, window)
    _open_latest_report(window)
    _wait(app, SETTLE_S)
    files = []
    for theme in (LIGHT, DARK):
        apply_theme(app, theme)
        window.set_theme(theme)
        for page in pages:
            window.show_page(page)
            _wait(app, 0.4)
            file = folder / f"{page}-{theme.name}.png"
            if not window.grab().save(str(file)):
                raise OSError(f"{file} could not be written.")
            files.append(file)
    window.close()
    return files


def _open_latest_conversation(app: QApplication, window: MainWindow) -> None:
    rows = window.chat_page.side.model
    _wait(app, 5, lambda: window.chat_page.side.is_read)
    if rows.rows:
        window.chat.open_conversation(rows.rows[0].id)


def _open_latest_report(window: MainWindow) -> None:
    """Show the newest benchmark's report, once it is read; without one the set-up stays."""
    opened: list[str] = []

    def open_first(found: list[SuiteResult]) -> None:
        if found and not opened:
            opened.append(found[0].suite.id)
            window.bench_page.open_suite(opened[0])

    window.bench.listed.connect(open_first)
    window.bench.list_earlier()


def _wait(app: QApplication, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s and not until():
        app.processEvents()
        time.sleep(0.01)
