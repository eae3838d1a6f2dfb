"""Getting queries out and in, and looking after the history's file, in a real window."""

import csv
import json
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QFileDialog, QLabel
from pytestqt.qtbot import QtBot

from desktop.storage.dialog import StorageDialog
from desktop.window import MainWindow
from monitor.store.backups import list_backups
from monitor.store.filters import EVERYTHING, Filter
from monitor.store.history import History
from monitor.store.retention import Rules, read_rules
from tests.unit.builders import query_start, stored_query


@pytest.fixture
def filled(window: MainWindow) -> MainWindow:
    """The window over three queries."""
    for prompt in ("one", "two", "three"):
        stored_query(window._services.history, prompt)
    return window


@pytest.fixture
def dialog(qtbot: QtBot, filled: MainWindow) -> StorageDialog:
    """The dialog about the file, open and read."""
    filled.deeds.open_storage()
    found = filled.findChild(StorageDialog)
    assert isinstance(found, StorageDialog)
    qtbot.waitUntil(lambda: "MB" in texts(found.size_tab) or "kB" in texts(found.size_tab))
    return found


def texts(widget: object) -> str:
    return "\n".join(label.text() for label in widget.findChildren(QLabel))  # type: ignore[attr-defined]


def export(qtbot: QtBot, window: MainWindow, suffix: str, path: Path, at: int = 0) -> None:
    form = [form for form in window.deeds.exporter.forms() if form.suffix == suffix][at]
    window.deeds.exporter.write(form, Filter(text="t"), path)
    qtbot.waitUntil(lambda: "Wrote" in window.notice.text())
    window.notice.hide()


def test_what_is_shown_is_exported_in_every_form(
    qtbot: QtBot, filled: MainWindow, tmp_path: Path
) -> None:
    table = tmp_path / "queries.csv"
    export(qtbot, filled, "csv", table)
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["prompt"] for row in rows} == {"two", "three"}
    assert all(float(row["energy_j"]) > 0 for row in rows)
    for suffix, at, beginning in (
        ("jsonl", 0, b"{"),
        ("csv", 1, b"timestamp"),
        ("html", 0, b"<!DOCTYPE html>"),
        ("pdf", 0, b"%PDF"),
        ("md", 0, b"---"),
    ):
        path = tmp_path / f"out{at}.{suffix}"
        export(qtbot, filled, suffix, path, at)
        assert path.read_bytes().startswith(beginning), suffix


def test_the_ending_that_was_typed_says_which_form_is_meant(
    qtbot: QtBot, filled: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, kind, beginning in (
        ("typed.jsonl", "Report to share (*.html)", b"{"),
        ("chosen.csv", "CodeCarbon's emissions (*.csv)", b"timestamp"),
        ("typed.CSV", "Report to share (*.html)", b"id,"),
        ("neither.txt", "JSON Lines with bills (*.jsonl)", b"{"),
    ):
        path = tmp_path / name
        answer = (str(path), kind)
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, answer=answer: answer)
        filled.deeds.exporter.ask(EVERYTHING)
        qtbot.waitUntil(lambda: "Wrote" in filled.notice.text())
        filled.notice.hide()
        assert path.read_bytes().startswith(beginning), name


def test_a_single_query_is_exported_as_a_capsule_that_comes_back_in(
    qtbot: QtBot, filled: MainWindow, tmp_path: Path
) -> None:
    exporter, browse = filled.deeds.exporter, filled._services.history.browse
    one = browse.numbers()[:1]
    (form,) = [form for form in exporter.forms() if form.takes_one]
    assert [form.can_write(chosen) for chosen in (None, one, browse.numbers())] == [
        False, True, False,
    ]  # fmt: skip
    path = tmp_path / "capsule.json"
    exporter.write(form, EVERYTHING, path, one)
    qtbot.waitUntil(lambda: "Wrote" in filled.notice.text())
    assert json.loads(path.read_text())["query"]["id"] == browse.ids_of(one)[0]
    exporter.take_in(path)
    qtbot.waitUntil(lambda: "here already" in filled.notice.text())


def test_an_export_that_cannot_be_written_says_why(
    qtbot: QtBot, filled: MainWindow, tmp_path: Path
) -> None:
    form = filled.deeds.exporter.forms()[0]
    filled.deeds.exporter.write(form, EVERYTHING, tmp_path / "nowhere" / "out.html")
    qtbot.waitUntil(lambda: "There is no folder" in filled.notice.text())


def test_emissions_come_back_in_once(qtbot: QtBot, filled: MainWindow, tmp_path: Path) -> None:
    path = tmp_path / "emissions.csv"
    export(qtbot, filled, "csv", path, at=1)
    content = path.read_text().replace("llamawatt", "elsewhere")
    header, *rows = content.splitlines()
    place = header.split(",").index("run_id")
    for at, row in enumerate(rows):
        cells = row.split(",")
        cells[place] = f"1234567{at}-0000-4000-8000-000000000000"
        rows[at] = ",".join(cells)
    path.write_text("\n".join([header, *rows]) + "\n")
    filled.deeds.exporter.take_in(path)
    qtbot.waitUntil(lambda: "Queries taken in: 2" in filled.notice.text())
    assert len(filled._services.history.browse.numbers(Filter(kinds=("import",)))) == 2
    filled.notice.hide()
    filled.deeds.exporter.take_in(path)
    qtbot.waitUntil(lambda: "here already: 2" in filled.notice.text())
    # One of the runs went on: it ends a second later.
    names, first = header.split(","), rows[0].split(",")
    ended, lasted = names.index("timestamp"), names.index("duration")
    first[ended] = (datetime.fromisoformat(first[ended]) + timedelta(seconds=1)).isoformat()
    first[lasted] = str(float(first[lasted]) + 1)
    path.write_text("\n".join([header, ",".join(first), *rows[1:]]) + "\n")
    filled.deeds.exporter.take_in(path)
    told = "Queries taken in: 0; brought up to date: 1; here already: 1."
    qtbot.waitUntil(lambda: told in filled.notice.text())


def test_a_chart_is_saved_as_a_picture(qtbot: QtBot, filled: MainWindow, tmp_path: Path) -> None:
    page = filled.history_page
    filled.show_page("history")
    page.tabs.setCurrentIndex(1)
    qtbot.waitUntil(lambda: bool(page.over_time.chart.colors()))
    path = tmp_path / "chart.png"
    assert page.over_time.save_picture(path)
    assert QImage(str(path)).width() > 2 * page.over_time.width()
    assert page.over_time._title() == "Energy by day, split by model"
    assert not page.over_time.save_picture(tmp_path / "nowhere" / "chart.png")


def test_the_file_is_told_by_what_it_holds(dialog: StorageDialog, filled: MainWindow) -> None:
    assert {"Bills", "Queries", "Prompts and answers"} <= set(texts(dialog.size_tab).splitlines())
    assert str(filled._services.history.store.path) in texts(dialog)


def test_rules_for_curves_are_kept(qtbot: QtBot, dialog: StorageDialog, filled: MainWindow) -> None:
    store = filled._services.history.store
    tab = dialog.curves_tab
    qtbot.waitUntil(lambda: "No curve is old enough" in texts(tab))
    tab.whole.setValue(30)
    tab.fine.setValue(10)
    qtbot.waitUntil(lambda: read_rules(store) == Rules(30, 30))
    tab.thins.setChecked(False)
    qtbot.waitUntil(lambda: read_rules(store) == Rules(None, None))


def test_a_backup_is_made_listed_and_gone_back_to(
    qtbot: QtBot, dialog: StorageDialog, filled: MainWindow
) -> None:
    tab = dialog.backups_tab
    tab.make.click()
    qtbot.waitUntil(lambda: tab.list.count() == 1)
    (backup,) = list_backups(filled._services.history.store.path)
    with closing(History(backup.path)) as kept:
        assert len(kept.browse.numbers()) == 3
    dialog.restore_wanted.emit(backup)
    assert filled.backup_to_restore == backup.path
    assert not filled.isVisible()


def test_another_machines_history_is_merged(
    qtbot: QtBot, dialog: StorageDialog, filled: MainWindow, tmp_path: Path
) -> None:
    with closing(History(tmp_path / "other.db")) as other:
        stored_query(other, "from elsewhere")
        other.begin(query_start(prompt="still running"))
    dialog.merge(tmp_path / "other.db")
    qtbot.waitUntil(lambda: "1 queries" in texts(dialog))
    assert "1 still run over there: merge again" in texts(dialog)
    assert filled._services.history.browse.rows(limit=1)[0].prompt == "from elsewhere"
    dialog.merge(tmp_path / "nothing.db")
    qtbot.waitUntil(lambda: "There is no file" in texts(dialog))
