"""Starts Qt, builds the services and opens the window, or draws its pages into files."""

import argparse
import faulthandler
import gc
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QByteArray, QSettings, QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QMessageBox

from desktop.chat.kept_drafts import KeptDrafts
from desktop.other_window import WindowLock, tell_of_another
from desktop.platform import platform_problem
from desktop.screenshots import draw_pages
from desktop.services import start_services
from desktop.theme.style import apply_theme, wanted_theme
from desktop.window import PAGES, MainWindow
from monitor.display import display_problem
from monitor.logs import logging_to_file
from monitor.paths import database_path, home
from monitor.store.backups import restore
from monitor.store.database import StoreError


def main() -> int:
    """Run the window, or ``--screenshots DIR``; return the exit status."""
    parser = argparse.ArgumentParser(prog="llamawatt-desktop")
    parser.add_argument("--screenshots", type=Path, metavar="DIR")
    parser.add_argument("--page", choices=PAGES)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.screenshots:
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    elif problem := display_problem() or platform_problem():
        print(problem, file=sys.stderr)
        return 2
    if sys.stderr:
        faulthandler.enable()
    try:
        with logging_to_file():
            app = make_application()
            if options.screenshots:
                return _draw(app, options)
            return run_window(app)
    except (StoreError, OSError) as problem:
        print(problem, file=sys.stderr)
        return 1


def _draw(app: QApplication, options: argparse.Namespace) -> int:
    pages = [options.page] if options.page else list(PAGES)
    files = [str(file) for file in draw_pages(app, options.screenshots, pages)]
    print(json.dumps({"files": files}) if options.json else "\n".join(files))
    return 0


SWITCH_S = 0.001
"""The window waits so long at most for a thread that reckons in Python, each time it needs to go
on; Python's own 5 ms add up to a visible halt while thousands of rows are read."""


SETTLED_MS = 4000
"""By then the window stands, and all that lasts as long as the program is there."""


def keep_garbage_small() -> None:
    """Look for garbage once, and leave out what is there now whenever it is looked for again.

    Going through all the objects of Qt, numpy and the program takes 30 to 60 ms, at any moment.
    """
    gc.collect()
    gc.freeze()


def make_application() -> QApplication:
    """Return the application object with its name and theme."""
    sys.setswitchinterval(SWITCH_S)
    app = QApplication.instance()
    if not isinstance(app, QApplication):
        app = QApplication(sys.argv[:1])
    app.setOrganizationName("llamawatt")
    app.setApplicationName("llamawatt")
    app.setApplicationDisplayName("LlamaWatt")
    QGuiApplication.setDesktopFileName("llamawatt")
    apply_theme(app, wanted_theme())
    return app


def run_window(app: QApplication) -> int:
    """Open the window and run until it is closed; open it again over a backup that was chosen."""
    typed: dict[str, str] = {}
    lock = WindowLock(home())  # freed with this process, however that ends
    while True:
        try:
            services = start_services()
        except (StoreError, OSError) as error:
            QMessageBox.critical(None, "LlamaWatt", str(error))
            return 1
        if typed:  # it was kept in the file that was put aside
            KeptDrafts(services.history).go_back(typed)
        window = MainWindow(services, wanted_theme())
        tell_of_another(window.notice, lock)
        status = _run(app, window)
        typed = {}
        window.deleteLater()
        if window.backup_to_restore is None:
            return status
        try:
            restore(database_path(), window.backup_to_restore)
            typed = window.chat_page.composer.unsent()
        except (StoreError, OSError) as error:
            QMessageBox.critical(None, "LlamaWatt", str(error))


def _run(app: QApplication, window: MainWindow) -> int:
    following = _follow_system(app, window)
    QTimer.singleShot(SETTLED_MS, app, keep_garbage_small)
    # Python handles signals between bytecodes only: a timer gives it the chance.
    signal.signal(signal.SIGINT, lambda *_: window.close())
    signal.signal(signal.SIGTERM, lambda *_: window.close())
    ticker = QTimer(app, interval=250)
    ticker.timeout.connect(lambda: None)
    ticker.start()
    geometry = QSettings().value("geometry")
    if isinstance(geometry, QByteArray):
        window.restoreGeometry(geometry)
    window.show()
    status = app.exec()
    ticker.stop()
    QGuiApplication.styleHints().colorSchemeChanged.disconnect(following)
    QSettings().setValue("geometry", window.saveGeometry())
    return status


def _follow_system(app: QApplication, window: MainWindow) -> Callable[[], None]:
    """Change with the system from light to dark and back."""

    def change() -> None:
        theme = wanted_theme()
        apply_theme(app, theme)
        window.set_theme(theme)

    QGuiApplication.styleHints().colorSchemeChanged.connect(change)
    return change
