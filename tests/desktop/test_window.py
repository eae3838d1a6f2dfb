"""The window as a whole: pages, themes, zones, screenshots, its end."""

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from pyqtgraph import PlotWidget
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractScrollArea,
    QApplication,
    QScrollArea,
    QToolButton,
    QWidget,
)
from pytestqt.qtbot import QtBot

from desktop.history.query_view import QueryDialog
from desktop.keyboard.hits import action_source
from desktop.models.dialog import ModelsDialog
from desktop.settings.baseline import BaselineDialog
from desktop.settings.carbon import CarbonDialog
from desktop.theme.palette import DARK, LIGHT, Theme
from desktop.theme.style import apply_theme, system_theme, wanted_theme
from desktop.window import PAGES, MainWindow
from monitor import cli
from monitor.recorded import State
from monitor.store.history import History
from monitor.store.recordings import Recordings
from tests.unit.builders import stored_query, write_gguf


def luminance(color: str) -> float:
    """Relative luminance of ``#rrggbb`` (WCAG 2.2)."""
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_texts_and_curves_can_be_told_from_their_ground(theme: Theme) -> None:
    for ground in (theme.ground, theme.surface, theme.raised):
        assert contrast(theme.text, ground) >= 7
        assert contrast(theme.muted, ground) >= 4.5
    assert contrast(theme.on_accent, theme.accent) >= 4.5
    assert contrast(theme.warning, theme.ground) >= 4.5
    for ground in (theme.surface, theme.prefill, theme.decode):
        for colors in theme.series.values():
            assert contrast(colors[0], ground) >= 3, (colors[0], ground)


def test_pages_are_reached_by_keyboard(qtbot: QtBot, window: MainWindow) -> None:
    for number, name in (
        (2, "bench"),
        (3, "history"),
        (4, "compare"),
        (5, "watch"),
        (6, "sensors"),
        (1, "chat"),
    ):
        key = getattr(Qt.Key, f"Key_{number}")
        qtbot.keyClick(window, key, Qt.KeyboardModifier.ControlModifier)
        assert PAGES[window.pages.currentIndex()] == name


def test_the_pages_are_named_in_full_however_low_the_window_is(
    qtbot: QtBot, window: MainWindow
) -> None:
    low, buttons = window.navigation, window.navigation.findChildren(QToolButton)
    pages = [button for button in buttons if button.isCheckable()]
    for height, style in (
        (600, Qt.ToolButtonStyle.ToolButtonTextUnderIcon),
        (300, Qt.ToolButtonStyle.ToolButtonTextOnly),
        (600, Qt.ToolButtonStyle.ToolButtonTextUnderIcon),
    ):
        low.resize(low.width(), height)
        assert {button.toolButtonStyle() for button in pages} == {style}
        assert low.minimumSizeHint().height() <= height


def test_the_command_knows_the_pages(window: MainWindow) -> None:
    assert tuple(window.page_titles()) == cli.PAGES == PAGES


def test_everything_that_takes_focus_has_a_name(qtbot: QtBot, window: MainWindow) -> None:
    for name in PAGES:
        window.show_page(name)
        for widget in window.findChildren(QWidget):
            takes_focus = widget.focusPolicy() != Qt.FocusPolicy.NoFocus
            if takes_focus and widget.isVisible() and not widget.objectName().startswith("qt_"):
                text = getattr(widget, "text", lambda: "")()
                described = widget.accessibleName() or text
                is_container = isinstance(widget, QScrollArea)
                is_viewport = isinstance(widget.parent(), QAbstractScrollArea)
                assert described or is_container or is_viewport, (name, widget)


def test_no_plot_opens_a_menu_of_its_own(window: MainWindow) -> None:
    plots = window.findChildren(PlotWidget)
    assert len(plots) >= 6
    for plot in plots:
        assert not plot.plotItem.menuEnabled(), plot
        assert not plot.plotItem.vb.menuEnabled(), plot


def test_theme_changes_everywhere_and_back(qtbot: QtBot, window: MainWindow) -> None:
    application = QApplication.instance()
    assert isinstance(application, QApplication)

    def corner() -> float:
        return window.grab().toImage().pixelColor(4, window.height() // 2).lightnessF()

    light = corner()
    apply_theme(application, DARK)
    window.set_theme(DARK)
    dark = corner()
    apply_theme(application, LIGHT)
    window.set_theme(LIGHT)
    assert light > 0.8
    assert dark < 0.25
    assert corner() == pytest.approx(light)


@pytest.mark.qt_log_ignore("This plugin does not support raise", extend=True)
def test_closing_keeps_a_recording_and_takes_the_small_window_along(
    qtbot: QtBot, window: MainWindow
) -> None:
    """By keys alone, from whatever page: record, mark, open the small window, close."""
    control = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    qtbot.keyClick(window, Qt.Key.Key_R, control)
    qtbot.waitUntil(lambda: window.watch.model.is_recording)
    assert PAGES[window.pages.currentIndex()] == "watch"
    window.show_page("history")
    qtbot.keyClick(window, Qt.Key.Key_F9)
    qtbot.keyClick(window, Qt.Key.Key_W, control)
    meter = window.watch.meter
    assert meter is not None
    assert meter.isVisible()
    path = window._services.history.store.path
    window.close()
    assert not meter.isVisible()
    with closing(History(path)) as again:
        (kept,) = Recordings(again.store).listed()
    assert kept.state is State.DONE
    assert len(kept.marks) == 1


# The platform without a screen says so of every window that is brought to the front.
@pytest.mark.qt_log_ignore("does not support raise")
def test_recording_by_keys_works_from_the_small_window_and_presses_nothing_else(
    qtbot: QtBot, window: MainWindow
) -> None:
    control = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    page = window.watch.page
    window.show_page("watch")
    page.record.setFocus()
    qtbot.keyClick(window, Qt.Key.Key_R, control)
    qtbot.waitUntil(lambda: window.watch.model.is_recording)
    focused = window.focusWidget()
    assert focused is page.mark_name
    qtbot.keyClicks(focused, "all cores")
    qtbot.keyClick(window, Qt.Key.Key_W, control)
    meter = window.watch.meter
    assert meter is not None
    qtbot.keyClick(meter, Qt.Key.Key_F9)
    assert [mark.name for mark in window.watch.model._recorder.now().marks] == ["all cores"]
    qtbot.keyClick(meter, Qt.Key.Key_R, control)
    qtbot.waitUntil(lambda: not window.watch.model.is_recording)
    assert not isinstance(window.focusWidget(), QAbstractButton)


def test_the_theme_is_found_by_its_words_and_kept(qtbot: QtBot, window: MainWindow) -> None:
    find = action_source("Actions", window.commands.actions).find
    for typed in ("dark", "theme"):
        assert find(typed)[0].title == "Change between light and dark"
    settings = [hit.title for hit in find("settings")]
    for title in ("How the model is loaded", "Choose where the electricity is from", "Wall plugs"):
        assert title in settings
    find("dark")[0].does()
    assert window._theme is DARK
    assert wanted_theme() is DARK
    find("dark")[0].does()
    assert window._theme is LIGHT
    assert wanted_theme() is system_theme()


def test_nothing_is_wider_than_a_small_window(qtbot: QtBot, window: MainWindow) -> None:
    window.resize(1024, 640)
    qtbot.waitUntil(lambda: window.size().width() == 1024)
    assert window.minimumSizeHint().width() <= 1024
    assert window.minimumSizeHint().height() <= 640


def test_zone_is_found_chosen_and_kept(qtbot: QtBot, window: MainWindow) -> None:
    window.settings.choose_zone()
    dialog = window.findChild(CarbonDialog)
    qtbot.waitUntil(lambda: dialog.zones.zone is not None)
    qtbot.keyClicks(dialog.zones.search, "norw")
    dialog.use.click()
    history = window._services.history
    qtbot.waitUntil(lambda: history.preference("zone") == "NOR")
    qtbot.waitUntil(lambda: "Norway" in window.strip._zone.text())
    qtbot.waitUntil(lambda: window.findChild(CarbonDialog) is None)


def test_a_querys_page_leads_to_the_baseline(qtbot: QtBot, window: MainWindow) -> None:
    """From the history, and from a bill in the chat."""
    window.open_query(stored_query(window._services.history).id)
    qtbot.waitUntil(lambda: window.findChild(QueryDialog) is not None)
    for asker in (window.findChild(QueryDialog), window.history_page):
        asker.baseline_wanted.emit()
        dialog = window.findChild(BaselineDialog)
        assert dialog.isVisible()
        dialog.accept()
        qtbot.waitUntil(lambda: window.findChild(BaselineDialog) is None)
    window.findChild(QueryDialog).close()


def test_empty_history_says_what_to_do(qtbot: QtBot, window: MainWindow) -> None:
    window.show_page("history")
    qtbot.waitUntil(lambda: window.history_page._whole.currentIndex() == 1)


def test_screenshots_draw_every_page_in_both_themes(tmp_path: Path) -> None:
    command = Path(sys.executable).parent / "llamawatt"
    subprocess.run([command, "screenshots", tmp_path / "shots"], check=True, timeout=110)
    for name in PAGES:
        for theme in ("light", "dark"):
            image = QImage(str(tmp_path / "shots" / f"{name}-{theme}.png"))
            colors = {image.pixel(x, y) for x in range(0, 1180, 7) for y in range(0, 760, 7)}
            assert image.width() == 1180
            assert len(colors) > 10, "a blank page"


def test_history_that_cannot_be_opened_is_told(home: Path) -> None:
    from desktop.services import start_services
    from monitor.store.database import StoreError

    home.mkdir(parents=True)
    (home / "history.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreError, match="cannot be opened"):
        start_services()


def test_models_dropped_on_the_window_are_taken_into_the_library(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    write_gguf(folder / "alpha.gguf")
    window.models.drop([folder])
    qtbot.waitUntil(
        lambda: any(model.path.name == "alpha.gguf" for model in window.models.models),
    )
    assert window.findChild(ModelsDialog).isVisible()
