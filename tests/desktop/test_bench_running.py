"""What the page tells of a running benchmark, and what pressing its buttons too early does."""

import json
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from desktop.bench.lanes import Lane
from desktop.bench.model import Outlook, StepState
from desktop.bench.report_html import report_html
from desktop.history.phases import Phases
from desktop.theme.palette import LIGHT
from desktop.window import MainWindow
from monitor import figures
from monitor.bench.events import (
    AwaitingSensors,
    Left,
    Paused,
    Planned,
    Progressed,
    Resting,
    RunBegan,
    Spent,
    Step,
    WarmUp,
)
from monitor.bench.results import Accuracy
from monitor.bench.summary import SuiteResult
from monitor.bench.uncounted import CUT, WARM_UP
from monitor.engine.messages import LoadProgress
from monitor.loading import Identifying
from monitor.power.channel import Kind
from monitor.store.history import History
from monitor.store.records import Status
from tests.unit.builders import BILL, CPU, line, stored_query


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
    with qtbot.waitSignal(window.bench.looked):
        window.bench_page.setup.open_suite(two_parts)
    qtbot.waitUntil(window.bench_page.setup.start.isEnabled)
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
    qtbot.waitUntil(lambda: window.live.kind is not None)
    energy = figures.marked(window.live.kind, "300 J")
    assert energy != "300 J", "no figure without its kind"
    assert cost(4, Left(90.0, 300.0, is_rough=True)) == f" · roughly 1 min 30 s and {energy} left"
    assert cost(4, Left(90.0, 300.0, is_rough=False)) == f" · about 1 min 30 s and {energy} left"
    assert cost(10, Left(0.0, 0.0, is_rough=False)) == ""
    model._on_event(Resting("idle", 10.0))
    assert view._doing_words(model.running) == "measuring the idle machine, 10 s left …"
    model.running.doing_until_s = 0.0
    assert view._doing_words(model.running) == "measuring the idle machine, 0 s left …"
    model.running = None


def test_what_is_waited_for_is_named(qtbot: QtBot, window: MainWindow) -> None:
    model, view = window.bench, window.bench_page.running
    model._on_event(AwaitingSensors(5.0))
    view._refresh()
    assert view._doing.text() == "waiting for the sensors' first readings, 5 s at most …"
    model._on_event(Identifying(0.5))
    assert "once: 50 %" in model.preparing
    model._on_event(Planned("x", "T", (STEP,), ()))
    running = model.running
    assert running
    model._on_event(LoadProgress(0.25))
    assert view._doing_words(running) == "loading the model, 25 % …"
    model._on_event(RunBegan(STEP, "r", 0))
    model._on_event(WarmUp(is_over=False))
    assert "warming the model up" in view._doing_words(running)
    # Joules are told before there is an item, with their kind.
    running.spent = Spent(12.0, Kind.POWER, STEP.number, 12.0)
    assert view._under_way(running) == "warms up · ◐ 12.0 J so far"
    assert view._cost_words(running).startswith("◐ 12.0 J so far")
    model._on_event(WarmUp(is_over=True))
    assert view._doing_words(running).startswith("0 of 10 items")
    assert view._under_way(running) == "is under way · ◐ 12.0 J so far"
    # A part of the machine was not read.
    running.spent = replace(running.spent, is_least=True)
    assert view._under_way(running) == "is under way · ≥ ◐ 12.0 J so far"
    assert view._cost_words(running).startswith("≥ ◐ 12.0 J so far")
    model.running = None


def test_an_estimate_bears_the_kind_of_what_it_is_reckoned_from(
    qtbot: QtBot, window: MainWindow
) -> None:
    setup = window.bench_page.setup
    known = Outlook(items=4, seconds=90.0, joules=300.0, kind=Kind.MODELLED)
    assert "about 1 min 30 s and ○ 300 J, by earlier runs" in setup._estimate(known)
    new = setup._estimate(Outlook(items=4, unknown=("Knowledge",)))
    assert new == "4 items. No estimate yet: these models have not run Knowledge before."


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
            lambda: bool(
                (live := chosen.bench.running)
                and live.steps[1].done
                and live.spent
                and live.spent.joules
            ),
            timeout=60_000,
        )
        qtbot.keyClick(chosen, Qt.Key.Key_Escape)
    result: SuiteResult = ended.args[0]
    assert result.suite.status is Status.STOPPED
    qtbot.waitUntil(lambda: not chosen.bench.busy)
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
        lambda *arguments: looked.append(gate.wait(30)) or (_ for _ in ()).throw(OSError("x")),
    )
    for limit in range(1, 21):
        chosen.bench_page.setup.limit.setValue(limit)
    gate.set()
    qtbot.waitUntil(lambda: bool(looked))
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


def test_a_part_that_has_no_item_yet_waits_or_is_under_way(qtbot: QtBot) -> None:
    states = [StepState(replace(STEP, number=number)) for number in (0, 1)]
    lane = Lane(states, LIGHT, "#0072b2")
    qtbot.addWidget(lane)
    lane.show_states(states, 0, None)
    assert [each.text() for each in lane._scores] == ["is under way", "waits"]
    lane.show_states(states, 0, None, "is under way · 12 J so far")
    assert [each.text() for each in lane._scores] == ["is under way · 12 J so far", "waits"]


def test_the_history_shows_what_of_a_run_is_in_no_item(qtbot: QtBot, tmp_path: Path) -> None:
    with closing(History(tmp_path / "history.db")) as history:
        plain = Phases(stored_query(history), None)
        qtbot.addWidget(plain)
        beside = (line(CPU, WARM_UP, 35.0), line(CPU, CUT, 75.0))
        run = stored_query(history, bill=replace(BILL, lines=(*BILL.lines, *beside)))
        view = Phases(run, None)
        qtbot.addWidget(view)
    texts = [each.text() for each in view.findChildren(QLabel)]
    assert "Warm-up (in no item)" in texts
    assert any("35" in text for text in texts)
    assert "Unfinished items" in texts
    assert "Items computed again" not in texts
    assert "Warm-up (in no item)" not in [each.text() for each in plain.findChildren(QLabel)]
