"""What the page tells of a running benchmark, and what pressing its buttons too early does."""

import json
import threading
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from desktop.bench.lanes import Lane
from desktop.bench.model import StepState
from desktop.bench.report_html import report_html
from desktop.theme.palette import LIGHT
from desktop.window import MainWindow
from monitor.bench.events import Left, Paused, Planned, Progressed, Resting, RunBegan, Step
from monitor.bench.results import Accuracy
from monitor.bench.summary import SuiteResult
from monitor.store.records import Status


@pytest.fixture
def two_parts(tmp_path: Path) -> Path:
    lines = [
        {"question": f"Number {n}: what does a dog do?", "choices": ["It barks.", "It sings."],
         "answer": n % 2}
        for n in range(160)
    ]  # fmt: skip
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    path = tmp_path / "two.toml"
    path.write_text(
        'title = "Two"\nidle_s = 0\nwarm_up = 0\n'
        '[[parts]]\nname = "First"\ntask = "custom"\ndata = "a.jsonl"\nlimit = 4\n'
        '[[parts]]\nname = "Second"\ntask = "custom"\ndata = "a.jsonl"\n'
    )
    return path


@pytest.fixture
def chosen(qtbot: QtBot, window: MainWindow, two_parts: Path) -> MainWindow:
    window.show_page("bench")
    window.bench_page.setup.threads.setValue(2)
    with qtbot.waitSignal(window.bench.looked, timeout=10_000):
        window.bench_page.setup.open_suite(two_parts)
    qtbot.waitUntil(window.bench_page.setup.start.isEnabled, timeout=10_000)
    return window


STEP = Step(0, "P", "quality", "custom", "M", 0, 0, 10)


def test_a_late_word_of_the_pause_does_not_outlive_it(qtbot: QtBot, window: MainWindow) -> None:
    model = window.bench
    model._on_event(Planned("x", "T", (STEP,), ()))
    model._on_event(RunBegan(STEP, "r", 0))
    model.set_paused(True)
    model.set_paused(False)
    model._on_event(Paused())  # was on its way
    model._on_event(Progressed(STEP, (), 4, None, 1.0, None))
    assert model.running
    assert not model.running.is_paused
    model.running = None


def test_what_is_left_is_told_as_surely_as_it_is_known(qtbot: QtBot, window: MainWindow) -> None:
    model, view = window.bench, window.bench_page.running

    def cost(done: int, left: Left | None) -> str:
        model._on_event(Progressed(STEP, (), done, None, 12.0, left))
        assert model.running
        return view._cost_words(model.running).partition(" so far")[2]

    model._on_event(Planned("x", "T", (STEP,), ()))
    assert "not known yet" in cost(1, None)
    assert cost(4, Left(90.0, 300.0, is_rough=True)) == " · roughly 1 min 30 s and 300 J left"
    assert cost(4, Left(90.0, 300.0, is_rough=False)) == " · about 1 min 30 s and 300 J left"
    assert cost(10, Left(0.0, 0.0, is_rough=False)) == ""
    model._on_event(Resting("idle", 10.0))
    assert model.running.doing == "measuring the idle machine for 10 s …"
    model.running = None


def test_pause_cannot_be_pressed_before_there_is_something_to_hold(
    qtbot: QtBot, chosen: MainWindow
) -> None:
    with qtbot.waitSignal(chosen.bench.ended, timeout=60_000):
        chosen.bench_page.setup.start.click()
        chosen.bench_page.running.pause.click()
        pressed = chosen.bench_page.running.pause.isChecked()
        running = chosen.bench.running
        said = bool(running and running.is_paused)
        chosen.bench.stop() if running else qtbot.waitUntil(
            lambda: chosen.bench.running is not None, timeout=30_000
        )
        chosen.bench.stop()
    assert pressed == said


def test_gone_on_with_counts_what_was_done_before(qtbot: QtBot, chosen: MainWindow) -> None:
    page = chosen.bench_page
    with qtbot.waitSignal(chosen.bench.ended, timeout=60_000) as ended:
        page.setup.start.click()
        qtbot.waitUntil(
            lambda: bool(chosen.bench.running and chosen.bench.running.steps[1].done),
            timeout=60_000,
        )
        qtbot.keyClick(chosen, Qt.Key.Key_Escape)
    result: SuiteResult = ended.args[0]
    assert result.suite.status is Status.STOPPED
    qtbot.waitUntil(lambda: not chosen.bench.busy, timeout=10_000)
    with qtbot.waitSignal(chosen.bench.ended, timeout=60_000):
        chosen.bench.resume(result.suite.id)
        qtbot.waitUntil(
            lambda: bool(chosen.bench.running and chosen.bench.running.steps[1].curve),
            timeout=60_000,
        )
        running = chosen.bench.running
        assert running
        seen = running.steps[0].done, running.steps[0].joules
        chosen.bench.stop()
    assert seen[0] == 4
    assert seen[1]
    # No figure without its kind.
    html = report_html(result, LIGHT)
    run = result.runs[0]
    from monitor import figures

    each = figures.energy(run.prefill_j_per_token)
    assert f">{each}<" not in html


def test_only_the_last_choice_is_looked_at(
    qtbot: QtBot, chosen: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, looked = threading.Event(), []
    monkeypatch.setattr(
        "desktop.bench.model.make_plan",
        lambda *arguments: looked.append(gate.wait(5)) or (_ for _ in ()).throw(OSError("x")),
    )
    for limit in range(1, 21):
        chosen.bench_page.setup.limit.setValue(limit)
    gate.set()
    qtbot.wait(800)
    assert len(looked) <= 3


def test_the_plot_of_a_running_score_says_of_what_it_is(qtbot: QtBot) -> None:
    curve = [(n, Accuracy(0.5, 0.1, 0.3, 0.7, n)) for n in range(1, 9)]
    state = StepState(STEP, done=8, joules=4.0, curve=curve)
    lane = Lane([state], LIGHT, "#0072b2")
    qtbot.addWidget(lane)
    lane.show()
    lane.show_states([state], STEP.number, None)
    assert lane.plot.isVisible()
    assert [each.text() for each in lane.findChildren(QLabel) if each.text() == "Running score: P"]
