"""The benchmark page with the real starter model."""

import json
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from desktop.window import MainWindow
from monitor.bench.summary import SuiteResult
from monitor.engine.messages import Scored
from monitor.store.records import Status

ANIMALS = ("dog", "cat", "horse", "cow")
WORDS = ("barks", "meows", "neighs", "moos")


@pytest.fixture
def suite_file(tmp_path: Path) -> Path:
    """Questions, some of which a small model gets wrong, and no idle measuring."""
    lines = [
        {
            "question": f"Number {n}: what does a {animal} do?",
            "choices": [f"It {sound}.", "It sings in the choir on Sundays.", "It."],
            "answer": n % 2,
        }
        for n, (animal, sound) in enumerate(
            pair for _ in range(60) for pair in zip(ANIMALS, WORDS, strict=True)
        )
    ]
    (tmp_path / "animals.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    path = tmp_path / "animals.toml"
    path.write_text(
        'title = "Animals"\nidle_s = 0\nwarm_up = 0\n[[parts]]\nname = "Sounds"\n'
        'task = "custom"\ndata = "animals.jsonl"\n'
    )
    return path


@pytest.fixture
def chosen(qtbot: QtBot, window: MainWindow, suite_file: Path) -> MainWindow:
    """The window with the suite chosen and looked at."""
    window.show_page("bench")
    window.bench_page.setup.threads.setValue(2)
    window.bench_page.setup.limit.setValue(12)
    with qtbot.waitSignal(window.bench.looked):
        window.bench_page.setup.open_suite(suite_file)
    qtbot.waitUntil(window.bench_page.setup.start.isEnabled)
    return window


def run(qtbot: QtBot, window: MainWindow) -> SuiteResult:
    """Start what is chosen and wait for its report."""
    with qtbot.waitSignal(window.bench.ended, timeout=60_000) as ended:
        qtbot.mouseClick(window.bench_page.setup.start, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not window.bench.busy)
    result: SuiteResult = ended.args[0]
    return result


def texts(window: MainWindow) -> str:
    return window.bench_page.report.browser.toPlainText()


def test_from_choosing_to_the_report(qtbot: QtBot, chosen: MainWindow, tmp_path: Path) -> None:
    page = chosen.bench_page
    assert "No estimate yet" in page.setup._say.text()
    result = run(qtbot, chosen)
    assert result.suite.status is Status.DONE
    assert page.view is page.report
    report = texts(chosen)
    assert page.report.browser.verticalScrollBar().value() == 0, "its head is not cut"
    printed = result.runs[0].printed
    assert printed
    assert "Animals" in report
    assert f"{100 * printed.value:.1f} %" in report
    assert "○" in report
    assert chosen.live.boundaries_s
    # Every item, then only those the model got wrong.
    qtbot.waitUntil(lambda: page.report.items.rowCount() == 12)
    page.report.wrong.setChecked(True)
    assert 0 < page.report.items.rowCount() == round(12 * (1 - printed.value))
    page.report.save_markdown(tmp_path / "report.md")
    assert "# Animals" in (tmp_path / "report.md").read_text()
    page.report.save_pdf(tmp_path / "report.pdf")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
    # Back at the set-up, the run is listed and foretells the next one.
    with qtbot.waitSignal(chosen.bench.looked):
        page.report.left.emit()
    assert "by earlier runs" in page.setup._say.text()
    qtbot.waitUntil(lambda: page.setup.earlier.table.rowCount() == 1)
    page.setup.earlier.open.click()
    qtbot.waitUntil(lambda: page.view is page.report)


def test_paused_stopped_and_gone_on_with(qtbot: QtBot, chosen: MainWindow) -> None:
    page = chosen.bench_page
    page.setup.limit.setValue(40)
    batches: list[Scored] = []
    chosen.bridge.benched.connect(lambda e: batches.append(e) if isinstance(e, Scored) else None)
    qtbot.mouseClick(page.setup.start, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(batches), timeout=60_000)
    page.running.pause.setChecked(True)
    # The batch under way is finished, however long it takes; then no other comes.
    held = 0
    while len(batches) > held:
        held = len(batches)
        qtbot.wait(1200)
    running = chosen.bench.running
    assert running
    assert running.is_paused
    assert "Paused" in page.running._doing.text()
    with qtbot.waitSignal(chosen.bench.ended) as ended:
        qtbot.keyClick(chosen, Qt.Key.Key_Escape)
    result: SuiteResult = ended.args[0]
    assert result.suite.status is Status.STOPPED
    assert 0 < result.runs[0].row.sums.done < 40
    qtbot.waitUntil(lambda: not chosen.bench.busy)
    page.report.left.emit()
    earlier = page.setup.earlier
    qtbot.waitUntil(lambda: earlier.table.rowCount() == 1)
    assert not earlier.go_on.isHidden()
    with qtbot.waitSignal(chosen.bench.ended, timeout=60_000) as ended:
        earlier.go_on.click()
    again: SuiteResult = ended.args[0]
    assert again.suite.status is Status.DONE
    assert again.runs[0].row.sums.done == 40


def test_chat_and_benchmark_wait_for_each_other(qtbot: QtBot, chosen: MainWindow) -> None:
    send = chosen.chat_page.composer.send_button
    chosen.chat_page.prompt.setPlainText("What is a watt?")
    assert send.isEnabled()
    with qtbot.waitSignal(chosen.bench.ended, timeout=60_000):
        qtbot.mouseClick(chosen.bench_page.setup.start, Qt.MouseButton.LeftButton)
        assert not send.isEnabled()
        assert "benchmark" in send.toolTip()
        assert not chosen.asking.send("What is a watt?")
        assert chosen.chat_page.prompt.toPlainText() == "What is a watt?"
    qtbot.waitUntil(send.isEnabled)
    chosen.chat_page.composer.send()
    chosen.bench_page.report.left.emit()
    assert not chosen.bench_page.setup.start.isEnabled()
    with qtbot.waitSignal(chosen.asking.answered, timeout=60_000):
        pass
    qtbot.waitUntil(chosen.bench_page.setup.start.isEnabled)


def test_what_cannot_start_says_why(
    qtbot: QtBot, window: MainWindow, suite_file: Path, tmp_path: Path
) -> None:
    setup = window.bench_page.setup
    window.show_page("bench")
    broken = tmp_path / "broken.toml"
    broken.write_text("[[parts]]\nkind = 'party'\n")
    setup.open_suite(broken)
    assert "a task, or a kind" in setup._say.text()
    (tmp_path / "animals.jsonl").unlink()
    setup.open_suite(suite_file)
    qtbot.waitUntil(lambda: "no file" in setup._say.text())
    assert not setup.start.isEnabled()
    for row in range(setup.models.count()):
        setup.models.item(row).setCheckState(Qt.CheckState.Unchecked)
    assert "at least one model" in setup._say.text()
    assert not setup.start.isEnabled()


def test_two_runs_show_what_flipped(qtbot: QtBot, chosen: MainWindow) -> None:
    chosen.bench_page.setup.repeats.setValue(2)
    chosen.bench_page.setup.limit.setValue(4)
    with qtbot.waitSignal(chosen.bench.looked):
        chosen.bench_page.setup.look()
    result = run(qtbot, chosen)
    assert len(result.runs) == 2
    report = chosen.bench_page.report
    assert report.tabs.isTabVisible(2)
    qtbot.waitUntil(lambda: "0 of 4 items flipped" in report.sentence.text())
    assert report.flips.rowCount() == 0


def test_closing_in_the_middle_keeps_what_is_done(
    qtbot: QtBot, chosen: MainWindow, home: Path
) -> None:
    from monitor.store.history import History

    chosen.bench_page.setup.limit.setValue(200)
    qtbot.mouseClick(chosen.bench_page.setup.start, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(
        lambda: bool(chosen.bench.running and chosen.bench.running.done), timeout=60_000
    )
    chosen.close()
    history = History(home / "history.db")
    suite = history.benchmarks.suites()[0]
    assert suite.status is Status.STOPPED
    assert history.benchmarks.runs(suite.id)[0].sums.done > 0
    history.close()


def test_controls_have_names(window: MainWindow) -> None:
    page = window.bench_page
    assert all(button.text() for button in page.findChildren(QPushButton))
    for field in (page.setup.repeats, page.setup.limit, page.setup.budget, page.setup.models):
        assert field.accessibleName()
