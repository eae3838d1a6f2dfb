"""Measuring a stored query again: what is asked, shown while it runs, and said in the end."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from desktop.bridge import Bridge
from desktop.history.measuring import MeasureAgainDialog
from desktop.services import Services
from desktop.theme.palette import DARK, LIGHT
from monitor.energy.account import Bill
from monitor.energy.interval import Interval
from monitor.energy.precision import mean_of
from monitor.engine.gguf import read_model_info
from monitor.engine.messages import Text
from monitor.meter import Ask
from monitor.models.library import sha256_of
from monitor.repeating import Plan, Repeated
from monitor.store.history import QueryStart
from monitor.store.records import QueryRecord
from tests.unit.builders import CPU, line, outcome, query_start


def bill(joules: float | None) -> Bill:
    if joules is None:
        return Bill((line(CPU, joules=None),))
    return Bill((replace(line(CPU), energy=Interval(joules, 0.04, 0.04, 0.001)),))


class Recorded(Bridge):
    """A bridge that tells of runs that were measured before."""

    joules: tuple[float | None, ...] = ()
    start: QueryStart
    record: QueryRecord
    asked: tuple[Ask, Plan] | None = None
    cancelled = False

    def measure(self, request: Ask, plan: Plan) -> None:
        self.asked = request, plan
        self._run(self._tell(plan), self.measured)

    def cancel(self) -> None:
        self.cancelled = True

    def _tell(self, plan: Plan) -> Iterator[object]:
        found = Repeated("a", plan, warm_up=self.record)
        yield found
        for joules in self.joules:
            run = replace(self.record, id="run", bill=bill(joules))
            records = (*found.records, run)
            found = replace(found, records=records, mean=mean_of([r.bill for r in records]))
            yield found
        yield replace(found, ended=True, stopped=self.cancelled)


@pytest.fixture
def bridge(qtbot: QtBot, services: Services, starter: Path) -> Iterator[Recorded]:
    info = read_model_info(starter)
    *_, digest = sha256_of(starter)
    made = Recorded(services)
    made.start = query_start(
        model=info, sha256=str(digest), modified_ns=starter.stat().st_mtime_ns,
        settings={**query_start().settings, "stop": "[]"},
    )  # fmt: skip
    began = services.history.begin(made.start)
    made.record = services.history.finish(began.query_id, outcome(bill=bill(12.0)))
    yield made
    made.close()
    services.close()


def opened(qtbot: QtBot, bridge: Recorded) -> MeasureAgainDialog:
    dialog = MeasureAgainDialog(bridge, bridge._services.history, bridge.record, LIGHT)
    qtbot.addWidget(dialog)
    dialog.show()
    qtbot.waitUntil(dialog.start.isEnabled)
    return dialog


def test_runs_are_shown_with_their_mean_and_a_verdict(qtbot: QtBot, bridge: Recorded) -> None:
    bridge.joules = (10.0, 10.1, 9.9, 10.0, 10.05)
    dialog = opened(qtbot, bridge)
    dialog.start.click()
    assert not dialog.start.isVisible()
    assert dialog.stop.isVisible()
    qtbot.waitUntil(lambda: "less than the stored query: −1" in dialog.verdict.text())
    qtbot.waitUntil(dialog.start.isVisible)
    assert "● 10.0 J (" in dialog.mean.text()
    assert "known to ± " in dialog.doubt.text()
    assert dialog.progress.text() == "5 runs."
    assert dialog.dots.accessibleDescription().startswith("● 10.0 J, ● 10.1 J")
    assert bridge.asked
    request, plan = bridge.asked
    assert request.fresh
    assert request.messages[-1].content == bridge.record.prompt
    assert plan == Plan(times=5)


def test_a_verdict_against_several_stored_runs_says_so(qtbot: QtBot, bridge: Recorded) -> None:
    history = bridge._services.history
    history.finish(history.begin(bridge.start).query_id, outcome(bill=bill(12.2)))
    bridge.joules = (10.0, 10.1, 9.9, 10.0, 10.05)
    dialog = opened(qtbot, bridge)
    dialog.start.click()
    qtbot.waitUntil(lambda: "mean of its 2 stored runs: −1" in dialog.verdict.text())


def test_a_precision_is_asked_for_and_what_it_takes_is_said(qtbot: QtBot, bridge: Recorded) -> None:
    bridge.joules = (8.0, 10.0, 12.0)
    dialog = opened(qtbot, bridge)
    dialog.by_precision.setChecked(True)
    assert not dialog.times.isEnabled()
    dialog.precision.setValue(3)
    dialog.most.setValue(9)
    assert dialog.plan() == Plan(precision=0.03, most=9)
    dialog.start.click()
    qtbot.waitUntil(lambda: "runs in all" in dialog.notes.text())
    qtbot.waitUntil(lambda: "cannot be told" in dialog.verdict.text())
    assert "settle it" in dialog.verdict.text()


def test_a_run_that_lacks_a_part_is_left_out_and_that_is_said(
    qtbot: QtBot, bridge: Recorded
) -> None:
    bridge.joules = (10.0, 10.1, None, 9.9)
    dialog = opened(qtbot, bridge)
    dialog.start.click()
    qtbot.waitUntil(lambda: "less than the stored query" in dialog.verdict.text())
    assert "● 10.0 J (" in dialog.mean.text()
    assert "1 of 4 (CPU package 0)" in dialog.notes.text()
    assert "One run is left out" in dialog.verdict.text()


def test_escape_stops_and_then_closes(qtbot: QtBot, bridge: Recorded) -> None:
    bridge.joules = (10.0,)
    dialog = opened(qtbot, bridge)
    dialog.start.click()
    dialog.reject()
    assert bridge.cancelled
    qtbot.waitUntil(lambda: not dialog.isVisible())


def test_a_model_that_is_gone_cannot_be_measured_and_that_is_said(
    qtbot: QtBot, bridge: Recorded
) -> None:
    assert bridge.record.model
    model = replace(bridge.record.model, path="/nowhere/gone.gguf")
    record = replace(bridge.record, model=model)
    dialog = MeasureAgainDialog(bridge, bridge._services.history, record, DARK)
    qtbot.addWidget(dialog)
    qtbot.waitUntil(lambda: "cannot be used" in dialog.progress.text())
    assert not dialog.start.isEnabled()


def test_only_its_own_runs_are_shown(qtbot: QtBot, bridge: Recorded) -> None:
    dialog = opened(qtbot, bridge)
    bridge.measured.emit(Repeated("b", Plan(times=2), ended=True))
    bridge.measured.emit(Text(0.0, "x", 1))
    assert dialog.progress.text() == ""
