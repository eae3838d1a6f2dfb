"""The Monitor page: recording, marking, stopping, and the bill of any span of a known machine."""

import csv
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QInputDialog, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from desktop.bridge import Bridge
from desktop.live.moments import Moments
from desktop.navigation import Navigation
from desktop.notice import Notice
from desktop.services import Services
from desktop.theme.palette import DARK, LIGHT
from desktop.watch.clock import clock
from desktop.watch.deeds import WatchDeeds
from desktop.watch.model import LATELY, RUNNING
from desktop.watch.outline import outline, outlines_of, total_outline
from desktop.watch.plot import time_ticks
from desktop.watch.tables import BillTable, PartsTable
from desktop.watch.words import detail_of, energy_words
from monitor.energy.account import Bill, Line
from monitor.energy.interval import Interval
from monitor.power.channel import Channel, Kind, Probe, ProbeState, Reading
from monitor.power.trace import Trace
from monitor.recorded import Cost, Recorded, State, spans
from monitor.store.recordings import Recordings
from tests.desktop.simulated import services_over
from tests.unit.builders import channel, half_read, silent

CPU = replace(channel(label="CPU 0"), kind=Kind.COUNTER, period_s=0.001)
CPU_W = 30.0


class Machine:
    """A processor that counts 30 W."""

    name = "simulated"

    def probe(self) -> Probe:
        return Probe(self.name, ProbeState.AVAILABLE, "It is simulated.")

    def open(self) -> tuple[Channel, ...]:
        return (CPU,)

    def read(self) -> list[Reading]:
        now_s = time.monotonic()
        return [Reading(CPU.key, now_s, counter_j=CPU_W * now_s % CPU.range_j)]

    def close(self) -> None:
        """Nothing is held open."""


@pytest.fixture
def services() -> Services:
    return services_over(Machine())


@pytest.fixture
def watch(qtbot: QtBot, services: Services, bridge: Bridge) -> Iterator[WatchDeeds]:
    """The page in a window, with what it is connected to."""
    window = QWidget()
    window.resize(1000, 620)
    navigation, notice = Navigation(("watch",), ("Monitor",)), Notice(LIGHT)
    moments = Moments(services.sampler, window)
    deeds = WatchDeeds(bridge, services, moments, navigation, notice, LIGHT, window)
    layout = QVBoxLayout(window)
    for widget in (notice, navigation, deeds.page):
        layout.addWidget(widget)
    window.show()
    qtbot.waitUntil(lambda: deeds.page.shown.shown is not None)
    yield deeds
    deeds.close()
    window.close()


def recorded_for(qtbot: QtBot, watch: WatchDeeds, *marks: str) -> str:
    """Record a third of a second before, between and after marks; return what it is called."""
    watch.page.record.click()
    qtbot.waitUntil(lambda: watch.model.is_recording)
    for name in marks:
        qtbot.wait(150)
        watch.page.mark_name.setText(name)
        watch.page.mark_button.click()
    qtbot.wait(200)
    watch.page.record.click()
    qtbot.waitUntil(lambda: not watch.model.is_recording)
    shown = watch.page.shown
    qtbot.waitUntil(lambda: shown.shown is not None and shown.shown.name == watch.model.wanted)
    name = watch.model.wanted
    qtbot.waitUntil(lambda: name in [entry.name for entry in watch.page.list.entries])
    return name


def total(watch: WatchDeeds) -> str:
    return watch.page.shown.bill.item(0, 1).text()


def joules(text: str) -> float:
    mark, number, unit = text.split()
    assert mark == "●", "a figure says its kind"
    return float(number) * {"J": 1.0, "mJ": 1e-3}[unit]


def drag(watch: WatchDeeds, start_s: float, end_s: float) -> None:
    """Pull the mouse over the plot, from one moment to another."""
    plot = watch.page.shown.plot

    def at(time_s: float) -> QPoint:
        return plot.mapFromScene(plot.plotItem.vb.mapViewToScene(QPointF(time_s, 1.0)))

    none, left = Qt.MouseButton.NoButton, Qt.MouseButton.LeftButton
    points = (at(start_s), at((start_s + end_s) / 2), at(end_s))
    for kind, point, button in (
        (QMouseEvent.Type.MouseButtonPress, points[0], left),
        (QMouseEvent.Type.MouseMove, points[1], none),
        (QMouseEvent.Type.MouseMove, points[2], none),
        (QMouseEvent.Type.MouseButtonRelease, points[2], left),
    ):
        held = none if kind == QMouseEvent.Type.MouseButtonRelease else left
        place = QPointF(plot.viewport().mapToGlobal(point))
        event = QMouseEvent(kind, QPointF(point), place, button, held, Qt.KeyboardModifier(0))
        QApplication.sendEvent(plot.viewport(), event)


def test_record_mark_and_stop_keep_a_recording(qtbot: QtBot, watch: WatchDeeds) -> None:
    name = recorded_for(qtbot, watch, "saved")
    recording = watch.page.shown.recording
    assert recording is not None
    assert recording.state is State.DONE
    assert [mark.name for mark in recording.marks] == ["saved"]
    whole_j = CPU_W * recording.duration_s
    qtbot.waitUntil(lambda: abs(joules(total(watch)) - whole_j) < 0.02 * whole_j)
    assert [entry.name for entry in watch.page.list.entries] == [LATELY, name]
    assert watch.page.mark_name.text() == ""
    assert not watch.page.mark_button.isVisible()


def test_while_it_records_every_page_shows_it(qtbot: QtBot, watch: WatchDeeds) -> None:
    navigation = watch._navigation
    assert not navigation.recording.isVisible()
    watch.record_or_stop()
    qtbot.waitUntil(navigation.recording.isVisible)
    watch.page.hide()
    with qtbot.waitSignal(watch.model.progressed):
        pass
    assert "J" in watch.page.progress.text(), "it goes on while its page is hidden"
    assert watch.page.list.entries[1].name == RUNNING
    with qtbot.waitSignal(watch.wanted):
        navigation.recording.click()
    watch.record_or_stop()
    qtbot.waitUntil(lambda: not navigation.recording.isVisible())
    assert watch.page.progress.text() == ""


def test_a_span_chosen_meanwhile_stays_when_it_is_stopped(qtbot: QtBot, watch: WatchDeeds) -> None:
    watch.record_or_stop()
    qtbot.waitUntil(lambda: watch.model.is_recording)
    qtbot.wait(300)
    plot = watch.page.shown.plot
    watch.page._follow()
    qtbot.waitUntil(lambda: watch.model.wanted == RUNNING and plot.duration_s > 0.25)
    plot.select(0.05, 0.2)
    watch.record_or_stop()
    qtbot.waitUntil(lambda: watch.page.shown.shown.name not in (RUNNING, LATELY))
    assert plot.span_s == (0.05, 0.2)


def test_only_one_recording_at_a_time(qtbot: QtBot, watch: WatchDeeds, services: Services) -> None:
    watch.model.start("one")
    watch.model.start("two")
    qtbot.waitUntil(lambda: watch.model.is_recording)
    watch.model.start("three")
    watch.model.stop()
    watch.model.stop()
    qtbot.waitUntil(lambda: not watch.model.is_recording)
    assert [each.name for each in Recordings(services.history.store).listed()] == ["one"]


def test_a_span_pulled_with_the_mouse_is_billed(qtbot: QtBot, watch: WatchDeeds) -> None:
    recorded_for(qtbot, watch, "a", "b")
    shown = watch.page.shown
    drag(watch, 0.1, 0.3)
    low_s, high_s = shown.plot.span_s
    # The mouse moves in pixels: as near as one of them is wide.
    assert (low_s, high_s) == (pytest.approx(0.1, abs=0.01), pytest.approx(0.3, abs=0.01))
    span_j = CPU_W * (high_s - low_s)
    qtbot.waitUntil(lambda: abs(joules(total(watch)) - span_j) < 0.03 * span_j)
    assert shown.start.value() == pytest.approx(0.1, abs=0.06)
    # Taking hold of its end moves that end alone.
    drag(watch, high_s, 0.2)
    assert shown.plot.span_s == (pytest.approx(low_s), pytest.approx(0.2, abs=0.01))
    drag(watch, 0.4, 0.4)
    assert shown.plot.is_whole, "a click chooses everything"


def test_a_span_is_chosen_without_a_mouse(qtbot: QtBot, watch: WatchDeeds) -> None:
    recorded_for(qtbot, watch, "a", "b")
    shown = watch.page.shown
    plot, whole_s = shown.plot, shown.plot.duration_s
    plot.setFocus()
    for _ in range(3):
        qtbot.keyClick(plot, Qt.Key.Key_Left, Qt.KeyboardModifier.ControlModifier)
    assert plot.span_s == (0.0, pytest.approx(whole_s * 0.85))
    qtbot.keyClick(plot, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    assert plot.span_s == (pytest.approx(whole_s / 200), pytest.approx(whole_s * 0.85))
    qtbot.keyClick(plot, Qt.Key.Key_End)
    qtbot.keyClick(plot, Qt.Key.Key_Home)
    assert plot.is_whole
    shown.end.setValue(0.3)
    shown.start.setValue(0.1)
    assert plot.span_s == (pytest.approx(0.1), pytest.approx(0.3))
    qtbot.waitUntil(lambda: abs(joules(total(watch)) - CPU_W * 0.2) < 0.2)
    shown.whole.click()
    assert plot.is_whole


def test_parts_between_marks_are_rows_that_can_be_chosen_and_named(
    qtbot: QtBot, watch: WatchDeeds, services: Services
) -> None:
    name = recorded_for(qtbot, watch, "compile", "")
    parts = watch.page.shown.parts
    assert [parts.item(row, 0).text() for row in range(3)] == [
        "before the first mark",
        "compile",
        "Mark 2",
    ]
    recording = watch.page.shown.recording
    assert recording is not None
    parts.selectRow(1)
    first_s, second_s = (mark.at_s for mark in recording.marks)
    assert watch.page.shown.plot.span_s == (first_s, second_s)
    parts.item(2, 0).setText("render")
    kept = Recordings(services.history.store)
    qtbot.waitUntil(lambda: kept.get(name).marks[1].name == "render")
    assert kept.get(name).marks[1].at_s == second_s


def test_no_name_of_a_mark_covers_another(qtbot: QtBot, watch: WatchDeeds) -> None:
    recorded_for(qtbot, watch, "compile starts", "linking", "tests", "", "end of it all")
    plot = watch.page.shown.plot
    for width in (700, 400):
        plot.resize(width, plot.height())
        qtbot.wait(50)
        boxes = [
            text.mapRectToScene(text.boundingRect()) for _, text in plot.names if text.isVisible()
        ]
        assert len(boxes) >= 2
        for number, box in enumerate(boxes):
            assert not any(box.intersects(other) for other in boxes[:number])
            assert plot.plotItem.vb.sceneBoundingRect().adjusted(-1, -1, 1, 1).contains(box)


def test_another_tab_moves_nothing_and_the_field_for_a_name_says_what_it_is_for(
    qtbot: QtBot, watch: WatchDeeds
) -> None:
    recorded_for(qtbot, watch, "compile")
    shown = watch.page.shown
    assert shown.tabs.tabText(1) == "Parts (2)"
    before = shown.plot.geometry()
    shown.tabs.setCurrentIndex(1)
    qtbot.wait(50)
    assert shown.plot.geometry() == before
    field = watch.page.mark_name
    wide = field.fontMetrics().horizontalAdvance(field.placeholderText())
    assert field.width() >= wide + 20


def test_long_notes_are_scrolled_and_cover_no_row_of_the_bill(
    qtbot: QtBot, watch: WatchDeeds
) -> None:
    shown = watch.page.shown
    watch.model.priced.disconnect(shown.show_cost)  # it would say what is to be said of the span
    shown.resize(680, shown.minimumSizeHint().height())
    notes = shown.notes
    for lines in (1, 2, 12):
        notes.set_text("\n".join("Something was not read for a while." for _ in range(lines)))
        qtbot.wait(20)
        assert shown.bill.geometry().bottom() < notes.geometry().top()
        assert notes.geometry().bottom() < shown.bill.parentWidget().height()
        assert bool(notes.verticalScrollBar().maximum()) is (lines == 12)
        wants_keys = notes.focusPolicy() is not Qt.FocusPolicy.NoFocus
        assert wants_keys is (lines == 12)
    assert shown.bill.height() >= 72, "its head and two rows"


def test_in_a_low_window_what_is_shown_is_scrolled_and_not_pressed_together(
    qtbot: QtBot, watch: WatchDeeds
) -> None:
    shown = watch.page.shown
    watch.page.window().resize(900, 300)
    qtbot.wait(20)
    assert shown.height() >= shown.minimumSizeHint().height() > shown.parentWidget().height()
    for above, below in ((shown.plot, shown.start), (shown.start, shown.tabs)):
        assert above.geometry().bottom() < below.geometry().top()


def test_rename_note_and_undo_of_delete(
    qtbot: QtBot, watch: WatchDeeds, services: Services
) -> None:
    name = recorded_for(qtbot, watch)
    kept, shown = Recordings(services.history.store), watch.page.shown
    for action, text in (("Rename …", "An hour of work"), ("Note …", "on battery")):
        next(a for a in shown.more.menu().actions() if a.text() == action).trigger()
        dialog = watch._window.findChild(QInputDialog)
        dialog.setTextValue(text)
        dialog.accept()
        qtbot.waitUntil(lambda: watch._window.findChild(QInputDialog) is None)
    qtbot.waitUntil(lambda: kept.get(name).note == "on battery")
    qtbot.waitUntil(lambda: watch.page.list.entries[1].title == "An hour of work")
    qtbot.keyClick(watch.page.list, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: [each.name for each in watch.page.list.entries] == [LATELY])
    assert watch.model.wanted == LATELY
    watch._notice.press("Undo")
    qtbot.waitUntil(lambda: len(watch.page.list.entries) == 2)
    qtbot.waitUntil(lambda: shown.recording is not None and shown.recording.id == name)


def test_keys_open_the_recording_they_rest_on_and_delete_no_other(
    qtbot: QtBot, watch: WatchDeeds
) -> None:
    kept = recorded_for(qtbot, watch)
    page, shown = watch.page, watch.page.shown
    watch.model._timer.setInterval(100)  # of what goes on it tells ten times as often
    page.record.click()
    qtbot.waitUntil(lambda: [each.name for each in page.list.entries] == [LATELY, RUNNING, kept])
    qtbot.waitUntil(lambda: shown.shown is not None and shown.shown.name == RUNNING)
    qtbot.keyClick(page.list, Qt.Key.Key_Down)
    # What goes on is listed anew again and again, and must not take the keys back.
    watch.model.progressed.emit(page.list.entries[1].recording)
    assert page.list.currentIndex().row() == 2
    qtbot.waitUntil(lambda: shown.recording is not None and shown.recording.id == kept)
    qtbot.keyClick(page.list, Qt.Key.Key_Up)
    qtbot.keyClick(page.list, Qt.Key.Key_Delete)
    assert "still being recorded" in watch._notice.text()
    qtbot.keyClick(page.list, Qt.Key.Key_End)
    qtbot.keyClick(page.list, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: [each.name for each in page.list.entries] == [LATELY, RUNNING])


def test_the_curve_is_written_to_a_file(qtbot: QtBot, watch: WatchDeeds, tmp_path: Path) -> None:
    recorded_for(qtbot, watch)
    recording = watch.page.shown.recording
    assert recording is not None
    watch._ask_file(recording)
    dialog = watch._window.findChild(QFileDialog)
    dialog.setDirectory(str(tmp_path))
    dialog.fileSelected.emit(str(tmp_path / "curve.csv"))
    dialog.reject()
    qtbot.waitUntil(lambda: "curve.csv" in watch._notice.text())
    with (tmp_path / "curve.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 5
    assert {row["channel"] for row in rows} == {CPU.key}


def test_the_last_minutes_can_be_billed_and_are_held_still_meanwhile(
    qtbot: QtBot, watch: WatchDeeds
) -> None:
    shown = watch.page.shown
    assert watch.model.wanted == LATELY
    assert not shown.more.isVisible(), "there is nothing that could be renamed or deleted"
    qtbot.waitUntil(lambda: shown.plot.duration_s > 0.5)
    shown.plot.select(0.1, 0.4)
    qtbot.waitUntil(lambda: abs(joules(total(watch)) - CPU_W * 0.3) < 0.3)
    held = shown.shown
    watch.page._follow()
    qtbot.wait(100)
    assert shown.shown is held
    shown.keep.click()
    qtbot.waitUntil(lambda: shown.recording is not None)
    assert shown.recording is not None
    assert shown.recording.bill.total().joules == pytest.approx(CPU_W * 0.3, rel=0.02)
    qtbot.waitUntil(lambda: len(watch.page.list.entries) == 2)
    watch.model.open(LATELY)
    qtbot.waitUntil(lambda: shown.recording is None and shown.shown is not held)
    assert shown.plot.is_whole
    begun = shown.shown
    watch.page._follow()
    qtbot.waitUntil(lambda: shown.shown is not begun)


def test_what_is_shown_goes_on_after_it_could_not_be_read_or_reckoned_once(
    qtbot: QtBot, watch: WatchDeeds, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("it cannot be reckoned")

    with monkeypatch.context() as failing:
        failing.setattr("desktop.watch.model.lately", fail)
        with qtbot.waitSignal(watch.model._bridge.read_failed):
            watch.model.refresh()
    with qtbot.waitSignal(watch.model.opened):
        watch.model.refresh()
    shown = watch.page.shown.shown
    assert shown is not None
    with monkeypatch.context() as failing:
        failing.setattr("monitor.recorded.account", fail)
        with qtbot.waitSignal(watch.model._bridge.read_failed):
            watch.model.price(shown.recorded, 0.0, 0.1)
    with qtbot.waitSignal(watch.model.priced):
        watch.model.price(shown.recorded, 0.0, 0.1)


def test_record_and_stop_answer_though_the_history_cannot_be_read(
    qtbot: QtBot, watch: WatchDeeds, services: Services
) -> None:
    def run(statement: str) -> None:
        services.history.store.maintain(lambda db: db.execute(statement)).result()

    kept, record = Recordings(services.history.store), watch.page.record
    run("alter table preferences rename to set_aside")
    with qtbot.waitSignal(watch.model.said) as said:
        record.click()
    assert "cannot be read" in said.args[0]
    assert record.isEnabled()
    assert not watch.model.is_recording
    assert kept.listed() == []
    run("alter table set_aside rename to preferences")
    record.click()
    qtbot.waitUntil(lambda: watch.model.is_recording)
    qtbot.wait(150)
    # No baseline is to be had: what is recorded is kept all the same.
    run("drop table baselines")
    record.click()
    qtbot.waitUntil(lambda: not watch.model.is_recording)
    assert [each.state for each in kept.listed()] == [State.DONE]


def test_a_stop_that_failed_can_be_pressed_again(
    qtbot: QtBot, watch: WatchDeeds, services: Services
) -> None:
    def set_read_only(value: int) -> None:
        statement = f"pragma query_only = {value}"
        services.history.store.maintain(lambda db: db.execute(statement)).result()

    watch.page.record.click()
    qtbot.waitUntil(lambda: watch.model.is_recording)
    set_read_only(1)
    with qtbot.waitSignal(watch.model.said) as said:
        watch.page.record.click()
    assert "Press Stop again" in said.args[0]
    assert watch.model.is_recording
    assert watch.page.record.isEnabled()
    set_read_only(0)
    watch.page.record.click()
    qtbot.waitUntil(lambda: not watch.model.is_recording)
    assert [each.state for each in Recordings(services.history.store).listed()] == [State.DONE]


def test_closing_after_a_start_that_failed_ends_nothing(
    qtbot: QtBot, watch: WatchDeeds, bridge: Bridge, services: Services
) -> None:
    rename = "alter table preferences rename to set_aside"
    services.history.store.maintain(lambda db: db.execute(rename)).result()
    watch.record_or_stop()
    watch.close()
    failed: list[str] = []
    bridge.read_failed.connect(failed.append)
    bridge.close()
    qtbot.wait(50)
    assert failed == []
    assert Recordings(services.history.store).listed() == []


def test_only_the_span_chosen_last_is_priced_whatever_else_could_not_be_read(
    qtbot: QtBot, watch: WatchDeeds, bridge: Bridge
) -> None:
    recorded_for(qtbot, watch)
    shown, priced = watch.page.shown.shown, list[float]()
    assert shown is not None
    qtbot.wait(100)  # what the page asks for itself has been asked
    answered = list[object]()
    bridge.read(lambda: None, answered.append)
    qtbot.waitUntil(lambda: bool(answered))  # and, one after another, answered
    watch.model.priced.connect(lambda cost: priced.append(cost.end_s))
    go_on = threading.Event()
    bridge.read(go_on.wait, lambda _done: None)
    watch.model.price(shown.recorded, 0.0, 0.05)
    watch.model.price(shown.recorded, 0.0, 0.1)
    bridge.read_failed.emit("Something else.")
    go_on.set()
    qtbot.waitUntil(lambda: 0.1 in priced)
    assert priced == [0.1]


def test_a_part_that_was_half_read_says_so(qtbot: QtBot) -> None:
    recorded = half_read(replace(CPU, kind=Kind.POWER, period_s=0.1))
    table = PartsTable()
    qtbot.addWidget(table)
    table.show_parts([(span, recorded.cost(span.start_s, span.end_s))
                      for span in spans(recorded.recording)])  # fmt: skip
    last = table.columnCount() - 1
    assert table.horizontalHeaderItem(last).text() == "Read"
    assert [table.item(row, last).text() for row in range(2)] == ["50 %", "100 %"]


def test_a_sum_that_lacks_a_part_is_at_least_that(qtbot: QtBot) -> None:
    """In the list, above the plot and below it: nowhere does it pass for all of it."""
    recorded = half_read(replace(CPU, kind=Kind.POWER, period_s=0.1))
    recording, bill, parts = recorded.recording, BillTable(), PartsTable()
    for table in (bill, parts):
        qtbot.addWidget(table)
    costs = [recorded.cost(span.start_s, span.end_s) for span in spans(recording)]
    parts.show_parts(list(zip(spans(recording), costs, strict=True)))
    assert [parts.item(row, 3).text() for row in range(2)] == ["≥ ◐ 600 J", "◐ 1200 J"]
    bill.show_cost(recording.cost)
    assert bill.item(0, 1).text() == "≥ ◐ 1800 J"
    assert detail_of(recording) == "2:00 · ≥ ◐ 1800 J"
    lacking, whole = map(energy_words, costs)
    assert lacking.startswith("≥ ◐ 600 J (")
    assert "· ≥ " in lacking
    assert "≥" not in whole
    unread = replace(recording.bill.lines[0], energy=None, coverage=0.0, resolved=False)
    other = replace(unread, channel=CPU, energy=Interval(150.0, 1.0, 1.0, 1.0), resolved=True)
    words = energy_words(Cost(0.0, 10.0, Bill((other, unread)), None, None))
    assert "read for 0 % of the time" in words
    assert "too short" not in words, "it is not for its length that it is not known"
    words = energy_words(silent(replace(CPU, period_s=0.1)).cost(20.0, 50.0))
    assert "a sensor was silent throughout" in words
    assert "too short" not in words


def test_a_mean_is_of_the_time_that_was_read(qtbot: QtBot) -> None:
    """Half of ten seconds read is no half of the watts."""
    read = Line(CPU, "watch", Interval(150.0, 1.0, 1.0, 1.0), 30.0, 31.0, 50, 0.5, 10.0, True)
    table = BillTable()
    qtbot.addWidget(table)
    table.show_cost(Cost(0.0, 10.0, Bill((read,)), None, None))
    assert [table.item(row, 3).text() for row in (0, 1)] == ["● 30.0 W", "● 30.0 W"]


def test_closing_keeps_what_is_recorded(
    qtbot: QtBot, watch: WatchDeeds, bridge: Bridge, services: Services
) -> None:
    watch.record_or_stop()
    qtbot.waitUntil(lambda: watch.model.is_recording)
    qtbot.wait(200)
    watch.close()
    bridge.close()
    (kept,) = Recordings(services.history.store).listed()
    assert kept.state is State.DONE
    assert kept.bill.total().joules == pytest.approx(CPU_W * kept.duration_s, rel=0.02)


def test_a_mark_without_a_recording_offers_one(qtbot: QtBot, watch: WatchDeeds) -> None:
    watch.mark()
    watch._notice.press("Record")
    qtbot.waitUntil(lambda: watch.model.is_recording)


def test_theme_changes_the_page_and_back(qtbot: QtBot, watch: WatchDeeds) -> None:
    plot = watch.page.shown.plot

    def corner() -> float:
        return plot.grab().toImage().pixelColor(2, 2).lightnessF()

    watch.set_theme(DARK)
    assert corner() < 0.3
    watch.set_theme(LIGHT)
    assert corner() > 0.9


def test_an_outline_keeps_peaks_and_gaps_of_a_long_curve() -> None:
    trace = Trace()
    power = replace(CPU, kind=Kind.POWER)
    trace.add(power)
    for number in range(20_000):
        if 5_000 <= number < 6_000:
            trace.miss([power.key])
            continue
        watts = 500.0 if number == 12_345 else 20.0
        trace.record([Reading(power.key, number * 0.1, power_w=watts)])
    curve = trace.curve(power.key)
    x_s, power_w = outline(curve, 0.0, 2_000.0, 200)
    assert len(x_s) <= 400
    assert power_w[~(power_w != power_w)].max() == 500.0
    assert not ((x_s > 505) & (x_s < 595)).any(), "nothing is drawn where nothing was read"
    at_s, total_w = total_outline([curve, curve], 2_000.0, 200)
    assert total_w[10] == pytest.approx(40.0)
    assert all(w != w for w in total_w[(at_s > 505) & (at_s < 595)])


@pytest.mark.parametrize("duration_s", [100.0, 2_000.0])
def test_an_outline_is_level_while_a_counter_was_silent(duration_s: float) -> None:
    """Between 300 W at both ends; the duller the plot, the more readings a stroke is of."""
    counter, trace = replace(CPU, period_s=0.1, range_j=None), Trace()
    trace.add(counter)
    counter_j = 0.0
    for number in range(round(duration_s * 10)):
        is_silent = 200 < number < 800
        if is_silent:
            trace.miss([counter.key])
        else:
            trace.record([Reading(counter.key, number * 0.1, counter_j, 300.0)])
        counter_j += 6.0 if is_silent else 30.0
    whole = half_read(counter)
    recording = replace(whole.recording, duration_s=duration_s)
    (line,) = outlines_of(Recorded(recording, {counter.key: trace.curve(counter.key)}))
    at_s = [30.0, 50.0, 70.0]
    assert np.interp(at_s, line.time_s, line.power_w) == pytest.approx([60.4] * 3)
    assert np.nanmax(line.power_w) == 300.0


@pytest.mark.parametrize(
    ("duration_s", "last"), [(0.5, "0:00.5"), (45, "0:45"), (3_500, "50:00"), (30_000, "8:00:00")]
)
def test_the_time_axis_is_read_at_a_glance(duration_s: float, last: str) -> None:
    ticks = time_ticks(duration_s)
    assert ticks[-1][1] == last
    assert 3 <= len(ticks) <= 10


def test_a_clock_never_says_sixty_seconds() -> None:
    assert [clock(at_s) for at_s in (59.9, 60, 3_599.99, 3_600)] == ["0:59", "1:00", "59:59",
                                                                      "1:00:00"]  # fmt: skip
    assert clock(59.96, 0.1) == "0:59.9"


def test_enter_names_the_mark_just_made_until_the_focus_leaves(
    qtbot: QtBot, watch: WatchDeeds
) -> None:
    page = watch.page
    page.record.click()
    qtbot.waitUntil(lambda: watch.model.is_recording)

    def enter(text: str) -> None:
        page.mark_name.setText(text)
        QTest.keyClick(page.mark_name, Qt.Key.Key_Return)

    enter("first")
    watch.mark()
    enter("second")
    enter("third")
    watch.mark()
    page.mark_name.setFocus()
    page.record.setFocus()
    enter("fifth")
    page.record.click()
    qtbot.waitUntil(lambda: not watch.model.is_recording)
    qtbot.waitUntil(lambda: page.shown.shown is not None and page.shown.shown.name != RUNNING)
    recording = page.shown.recording
    assert recording
    assert [mark.name for mark in recording.marks] == ["first", "second", "third", "", "fifth"]


@pytest.mark.qt_log_ignore("This plugin does not support raise", extend=True)
def test_the_keys_of_the_small_window_open_and_close_it(watch: WatchDeeds) -> None:
    watch.toggle_meter()
    assert watch.meter
    assert watch.meter.isVisible()
    watch.toggle_meter()
    assert not watch.meter.isVisible()
