"""A real window over real services, offscreen."""

import threading
from collections.abc import Iterator
from functools import partial

import pytest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from desktop.app import make_application
from desktop.bridge import Bridge
from desktop.services import Services, start_services
from desktop.theme.palette import LIGHT
from desktop.window import MainWindow
from monitor.presets import keep_preset, set_default
from monitor.store.history import History
from tests.desktop.talking import SHORT

LASTING = ("power-", "window-reads", "hub", "live-carbon")
"""Beginnings of the names of threads that end by themselves a little later."""


WAIT_MS = 30_000
"""So long is waited for what comes at once on a machine that has nothing else to do."""


@pytest.fixture
def qtbot(qapp: QApplication, request: pytest.FixtureRequest) -> QtBot:
    """pytest-qt's own, which waits longer than its five seconds: a busy machine may take those to
    start an engine or to give a thread its turn. What comes at once is not waited for longer."""
    bot = QtBot(request)
    bot.waitUntil = partial(bot.waitUntil, timeout=WAIT_MS)  # type: ignore[method-assign]
    bot.waitSignal = partial(bot.waitSignal, timeout=WAIT_MS)  # type: ignore[method-assign]
    return bot


@pytest.fixture(scope="session")
def qapp_cls() -> object:
    """Let pytest-qt use the program's own application object."""
    return lambda _arguments: make_application()


@pytest.fixture(autouse=True)
def application(qapp: object, own_settings: None) -> object:
    """Have the application there before any widget: Qt ends a process that makes one without.

    Which test is the first of its process is chance.
    """
    return qapp


@pytest.fixture
def services() -> Services:
    """Everything the window works with, over an empty history; what uses it closes it."""
    return start_services()


@pytest.fixture
def history(services: Services) -> History:
    """What is stored."""
    return services.history


@pytest.fixture
def bridge(qtbot: QtBot, services: Services) -> Iterator[Bridge]:
    """What asks beside the window's thread, where there is no window; its end closes everything.

    Before qtbot's, which closes dialogs: no thread of the bridge may be the last owner of one.
    """
    made = Bridge(services)
    yield made
    made.close()
    services.close()


@pytest.fixture
def host(qtbot: QtBot) -> QWidget:
    """What owns a dialog, as the window does: no thread of the bridge may be its last owner."""
    made = QWidget()
    qtbot.addWidget(made)
    return made


@pytest.fixture
def window(qtbot: QtBot, services: Services) -> Iterator[MainWindow]:
    """The window, shown, with the library read; its threads must end with it."""
    before = set(threading.enumerate())
    keep_preset(services.history, SHORT)
    set_default(services.history, SHORT.name)
    window = MainWindow(services, LIGHT)
    window.show()
    qtbot.waitUntil(lambda: window.engine.model is not None)
    qtbot.waitUntil(lambda: window.chat.setup.name == SHORT.name)
    yield window
    window.close()
    left = {t for t in threading.enumerate() if t.is_alive()} - before
    assert not [t.name for t in left if not t.name.startswith(LASTING)]
    window.deleteLater()
