"""The model library in a real dialog: found, searched, sorted, added to, and chosen from."""

import threading
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QObject, QPoint, QPointF, Qt, QUrl, Slot
from PySide6.QtGui import QDesktopServices, QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QLabel, QLineEdit, QMessageBox, QPushButton, QToolButton
from pytestqt.qtbot import QtBot

from desktop.bridge import Bridge
from desktop.models.dialog import ModelsDialog
from desktop.models.drops import dropped_paths
from desktop.models.rows import KEYS
from desktop.services import Services
from desktop.theme.palette import DARK, LIGHT
from monitor.models.chosen import add_path
from monitor.models.library import model_places
from monitor.models.places import unread_programs
from monitor.paths import models_folder
from tests.unit.builders import F32, outcome, query_start, write_gguf


@pytest.fixture(autouse=True)
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person's own folder with a program's models in it."""
    person = tmp_path / "person"
    monkeypatch.setenv("HOME", str(person))
    model(person / ".lmstudio/models/a/Qwen-1B-Q8_0.gguf", rows=4)
    return person


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two models, and a file that is none."""
    model(tmp_path / "disk/deep/Zephyr.gguf", rows=8)
    model(tmp_path / "disk/alpha.gguf")
    (tmp_path / "disk/page.gguf").write_text("<html>")
    return tmp_path / "disk"


@pytest.fixture
def dialog(qtbot: QtBot, bridge: Bridge, services: Services, starter: Path) -> ModelsDialog:
    dialog = ModelsDialog(bridge, services.history, LIGHT)
    qtbot.addWidget(dialog)
    dialog.show()
    wait_found(qtbot, dialog)
    return dialog


def model(path: Path, rows: int = 2) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_gguf(path, tensors=[(rows, 256, F32)])


def wait_found(qtbot: QtBot, dialog: ModelsDialog) -> None:
    qtbot.waitUntil(lambda: not dialog.looking.is_busy and "model" in dialog.library.told.text())


def column(dialog: ModelsDialog, key: str = "model") -> list[str]:
    rows = dialog.library.table.rows
    return [rows.index(row, KEYS.index(key)).data() for row in range(rows.rowCount())]


def choose(dialog: ModelsDialog, name: str) -> None:
    dialog.library.table.selectRow(column(dialog).index(name))


def add(qtbot: QtBot, dialog: ModelsDialog, *paths: Path) -> None:
    with qtbot.waitSignal(dialog.changed):
        dialog.add_paths(paths)
    wait_found(qtbot, dialog)


def test_what_is_on_this_machine_is_listed(dialog: ModelsDialog) -> None:
    assert column(dialog) == ["Qwen-1B-Q8_0", "SmolLM2-135M-Instruct"]
    assert column(dialog, "origin") == ["LM Studio", "LlamaWatt"]
    assert column(dialog, "fit") == ["fits", "fits"]
    assert column(dialog, "token") == ["—", "—"]
    assert "2 models" in dialog.library.told.text()


def test_a_folder_is_added_with_what_is_wrong_in_it(
    qtbot: QtBot, dialog: ModelsDialog, folder: Path
) -> None:
    add(qtbot, dialog, folder)
    assert {"Zephyr", "alpha", "page"} < set(column(dialog))
    assert "1 cannot be used" in dialog.library.told.text()
    choose(dialog, "page")
    assert "web page" in dialog.library.details.text()
    assert not dialog.library.details.load.isEnabled()


def test_a_search_narrows_the_list_and_says_when_nothing_is_left(
    qtbot: QtBot, dialog: ModelsDialog, folder: Path
) -> None:
    add(qtbot, dialog, folder)
    for text, left in (
        ("ZEPH", ["Zephyr"]),
        ("lm q8_0", ["Qwen-1B-Q8_0"]),
        ("disk deep", ["Zephyr"]),
        ("apache", []),
        ("", ["alpha", "Qwen-1B-Q8_0", "SmolLM2-135M-Instruct", "Zephyr", "page"]),
    ):
        dialog.library.search.setText(text)
        assert column(dialog) == left
        assert dialog.library.message.isVisible() is not bool(left)
        assert dialog.library.details.isVisible() is bool(left)
    dialog.library.search.setText("mixtral")
    assert "mixtral" in dialog.library.message.text()


def test_columns_sort_with_the_unknown_last_and_the_chosen_model_stays_so(
    qtbot: QtBot, dialog: ModelsDialog, folder: Path
) -> None:
    add(qtbot, dialog, folder)
    choose(dialog, "Zephyr")
    sizes = ["alpha", "Qwen-1B-Q8_0", "Zephyr", "SmolLM2-135M-Instruct"]
    for order, expected in (
        (Qt.SortOrder.AscendingOrder, [*sizes, "page"]),
        (Qt.SortOrder.DescendingOrder, [*reversed(sizes), "page"]),
    ):
        dialog.library.table.sortByColumn(KEYS.index("size"), order)
        assert column(dialog) == expected
        assert dialog.library.table.current().model.name == "Zephyr"
    for key in KEYS:
        dialog.library.table.sortByColumn(KEYS.index(key), Qt.SortOrder.AscendingOrder)
        assert len(column(dialog)) == 5


def test_details_tell_memory_at_several_contexts_and_what_was_measured(
    qtbot: QtBot, dialog: ModelsDialog, services: Services, starter: Path
) -> None:
    choose(dialog, "SmolLM2-135M-Instruct")
    told = dialog.library.details.text()
    for words in ("30 layers", "apache-2.0", "At 4,096 tokens", "At 8,192 tokens", str(starter)):
        assert words in told
    assert "has not answered here" in told
    info = dialog.library.table.current().model.info
    assert info is not None
    began = services.history.begin(query_start(model=info, modified_ns=starter.stat().st_mtime_ns))
    services.history.finish(began.query_id, outcome())
    dialog.refresh()
    wait_found(qtbot, dialog)
    assert "1 answer" in dialog.library.details.text()
    assert column(dialog, "token")[1].startswith("◐")


def test_loading_is_asked_for_by_button_and_by_keyboard(
    qtbot: QtBot, dialog: ModelsDialog, starter: Path
) -> None:
    choose(dialog, "SmolLM2-135M-Instruct")
    with qtbot.waitSignal(dialog.chosen) as chosen:
        qtbot.mouseClick(dialog.library.details.load, Qt.MouseButton.LeftButton)
    assert chosen.args == [starter]
    assert not dialog.isVisible()
    dialog.show()
    wait_found(qtbot, dialog)
    with qtbot.waitSignal(dialog.chosen) as chosen:
        qtbot.keyClick(dialog.library.table, Qt.Key.Key_Return)
    assert chosen.args == [starter]


def test_a_model_that_cannot_be_used_is_not_loaded(
    qtbot: QtBot, dialog: ModelsDialog, folder: Path
) -> None:
    add(qtbot, dialog, folder)
    choose(dialog, "page")
    with qtbot.assertNotEmitted(dialog.chosen, wait=50):
        qtbot.keyClick(dialog.library.table, Qt.Key.Key_Return)
    assert dialog.isVisible()


def test_removing_asks_and_forgets_what_a_model_is_listed_by(
    qtbot: QtBot, dialog: ModelsDialog, services: Services, folder: Path
) -> None:
    add(qtbot, dialog, folder)
    choose(dialog, "Zephyr")
    dialog.library.details.remove.click()
    box = dialog.findChild(QMessageBox)
    assert box is not None
    assert str(folder) in box.text()
    with qtbot.waitSignal(dialog.changed):
        next(b for b in box.findChildren(QPushButton) if b.text() == "Remove").click()
    wait_found(qtbot, dialog)
    assert column(dialog) == ["Qwen-1B-Q8_0", "SmolLM2-135M-Instruct"]
    assert (folder / "deep/Zephyr.gguf").exists()


@pytest.mark.parametrize(
    ("name", "why"), [("Qwen-1B-Q8_0", "LM Studio"), ("SmolLM2-135M-Instruct", "with LlamaWatt")]
)
def test_what_was_not_added_cannot_be_removed_and_says_why(
    dialog: ModelsDialog, name: str, why: str
) -> None:
    choose(dialog, name)
    assert not dialog.library.details.remove.isEnabled()
    assert why in dialog.library.details.remove.toolTip()


def test_what_cannot_be_added_is_said_and_the_rest_is_added(
    qtbot: QtBot, dialog: ModelsDialog, folder: Path
) -> None:
    add(qtbot, dialog, folder / "page.gguf", folder / "alpha.gguf")
    assert "web page" in dialog.problem.text()
    assert dialog.problem.isVisible()
    assert "alpha" in column(dialog)
    add(qtbot, dialog, folder)
    assert not dialog.problem.isVisible()


def mime(*paths: Path) -> QMimeData:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths] + [QUrl("https://x.org/a.gguf")])
    return data


def test_folders_and_gguf_files_can_be_dropped(
    qtbot: QtBot, dialog: ModelsDialog, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "note.txt").write_text("")
    data = mime(folder, folder / "alpha.gguf", tmp_path / "note.txt")
    assert dropped_paths(data) == [folder, folder / "alpha.gguf"]
    copy, left, none = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier(0)
    enter = QDragEnterEvent(QPoint(5, 5), copy, data, left, none)
    dialog.dragEnterEvent(enter)
    assert enter.isAccepted()
    with qtbot.waitSignal(dialog.changed):
        dialog.dropEvent(QDropEvent(QPointF(5, 5), copy, data, left, none))
    wait_found(qtbot, dialog)
    assert {"Zephyr", "alpha"} < set(column(dialog))


def test_nothing_else_can_be_dropped(dialog: ModelsDialog, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("")
    data = mime(tmp_path / "note.txt")
    copy, left, none = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier(0)
    enter = QDragEnterEvent(QPoint(5, 5), copy, data, left, none)
    enter.ignore()
    dialog.dragEnterEvent(enter)
    assert not enter.isAccepted()


def test_places_tell_what_is_read_and_switch_programs_off(
    qtbot: QtBot, dialog: ModelsDialog, services: Services, person: Path
) -> None:
    places = dialog.places
    qtbot.waitUntil(lambda: "lmstudio" in places.switches)
    assert str(person / ".lmstudio/models") in places.text()
    assert "not found on this machine" in places.text()
    assert str(models_folder()) in places.text()
    places.switches["lmstudio"].click()
    qtbot.waitUntil(lambda: "not read" in places.text())
    assert column(dialog) == ["SmolLM2-135M-Instruct"]
    assert unread_programs(services.history) == {"lmstudio"}
    places.switches["lmstudio"].click()
    qtbot.waitUntil(lambda: len(column(dialog)) == 2)


def test_a_place_that_is_gone_is_said_and_can_be_removed(
    qtbot: QtBot, dialog: ModelsDialog, services: Services, tmp_path: Path
) -> None:
    (tmp_path / "usb").mkdir()
    add(qtbot, dialog, tmp_path / "usb")
    (tmp_path / "usb").rmdir()
    dialog.refresh()
    qtbot.waitUntil(lambda: "It is not there now" in dialog.places.text())
    wanted = f"Remove {tmp_path / 'usb'} from the list"
    button = next(
        b for b in dialog.places.findChildren(QToolButton) if b.accessibleName() == wanted
    )
    button.click()
    box = dialog.findChild(QMessageBox)
    assert box is not None
    with qtbot.waitSignal(dialog.changed):
        box.findChildren(QPushButton)[0].click()
    assert len(model_places(services.history)[0]) == 2


def test_a_models_folder_is_shown(qtbot: QtBot, dialog: ModelsDialog, starter: Path) -> None:
    class Opened(QObject):
        urls: list[QUrl] = []  # noqa: RUF012

        @Slot(QUrl)
        def take(self, url: QUrl) -> None:
            self.urls.append(url)

    opened = Opened()
    QDesktopServices.setUrlHandler("file", opened, "take")
    try:
        choose(dialog, "SmolLM2-135M-Instruct")
        dialog.library.details.folder.click()
    finally:
        QDesktopServices.unsetUrlHandler("file")
    assert [url.toLocalFile() for url in opened.urls] == [str(starter.parent)]


def test_a_look_tells_how_far_it_is_and_can_be_stopped(
    qtbot: QtBot, bridge: Bridge, services: Services, folder: Path
) -> None:
    for number in range(60):
        model(folder / f"{number}.gguf")
    add_path(services.history, folder)
    dialog = ModelsDialog(bridge, services.history, LIGHT)
    qtbot.addWidget(dialog)
    told: list[str] = []
    dialog.looking.counted.connect(lambda _number: told.append(dialog.library.told.text()))
    dialog.show()
    assert "Looking" in dialog.library.message.text()
    assert dialog.library.stop.isVisible()
    wait_found(qtbot, dialog)
    assert [text[-9:] for text in told] == ["20 so far", "40 so far", "60 so far"]
    assert not dialog.library.stop.isVisible()
    held = threading.Event()
    bridge.work(held.wait, lambda _done: None)
    dialog.refresh()
    qtbot.mouseClick(dialog.library.stop, Qt.MouseButton.LeftButton)
    held.set()
    wait_found(qtbot, dialog)
    assert column(dialog) == ["SmolLM2-135M-Instruct"]


def test_without_any_model_it_says_what_to_do(
    qtbot: QtBot,
    bridge: Bridge,
    services: Services,
    monkeypatch: pytest.MonkeyPatch,
    person: Path,
) -> None:
    monkeypatch.setattr("monitor.models.starter.PACKAGE", "no_package_of_that_name")
    monkeypatch.setenv("HOME", str(person / "nobody"))
    dialog = ModelsDialog(bridge, services.history, LIGHT)
    qtbot.addWidget(dialog)
    dialog.show()
    wait_found(qtbot, dialog)
    assert "There is no model yet" in dialog.library.message.text()
    assert dialog.library.message.isVisible()


def test_it_stands_in_both_themes_and_small_windows(qtbot: QtBot, dialog: ModelsDialog) -> None:
    label = QLabel("other")
    dialog.add_tab(label, "Download")
    assert dialog.tabs.tabText(1) == "Download"
    dialog.set_theme(DARK)
    for width, shown in ((1000, 9), (600, 4)):
        dialog.resize(width, 480)
        qtbot.waitUntil(lambda width=width: dialog.width() == width)
        table = dialog.library.table
        assert sum(not table.isColumnHidden(at) for at in range(len(KEYS))) == shown
        assert table.columnWidth(0) >= 150


def test_enter_in_the_search_loads_nothing(qtbot: QtBot, dialog: ModelsDialog) -> None:
    dialog.add_tab(QLineEdit(), "More")
    with qtbot.assertNotEmitted(dialog.chosen, wait=200):
        qtbot.keyClick(dialog.library.search, Qt.Key.Key_Return)
    assert dialog.isVisible()
