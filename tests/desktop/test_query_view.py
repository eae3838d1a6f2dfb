"""A query's page: its curve and its answer point at each other, heat is told as it is."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QMouseEvent, QTextCursor, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QToolButton
from pytestqt.qtbot import QtBot

from desktop.chat.answer import AnswerText
from desktop.chat.energy.forecast import ForecastLabel
from desktop.history.curve import MOST_POINTS, CurvePlot, peaks
from desktop.history.headline import Headline
from desktop.history.limited_text import MOST_LINES, LimitedText
from desktop.history.page import VIEW_WIDTH
from desktop.history.query_view import QueryDialog, QueryView
from desktop.history.scrub import Scrub
from desktop.history.timed_text import TimedText
from desktop.history.tint import LEVELS, tint
from desktop.theme.palette import DARK, LIGHT, Theme
from monitor import figures
from monitor.attachments import Attachment, with_attachments
from monitor.carbon.intensity import Zone
from monitor.details import Details
from monitor.energy.account import DECODE, PREFILL, Bill, Phase, account
from monitor.energy.baseline import AboveIdle
from monitor.energy.forecast import Fit, Forecast
from monitor.energy.interval import Interval
from monitor.energy.notes import Notes, Unread
from monitor.energy.wall import WallEquivalent, WallUnknown
from monitor.power.channel import Channel, Doubt, Kind, Reading
from monitor.power.curve import Curve
from monitor.power.trace import Trace
from monitor.store.curves import StoredTrace, encode_trace
from monitor.store.forecasts import Score
from monitor.store.history import History
from monitor.store.marks import TextMarks, encode_marks
from monitor.store.records import QueryRecord, Seconds, Status, Tokens
from tests.unit.builders import CPU, GPU, LACKING, line, outcome, query_start

PHASES = (Phase(PREFILL, 0.0, 1.0), Phase(DECODE, 1.0, 9.0))
WORDS = (
    "Watts",
    " are",
    " joules",
    " a",
    " second",
    " 🔋",
    ".\r\n",
    " Paid",
    " by",
    " the",
    " hour",
)
TEXT = "".join(WORDS)
ENDS = np.cumsum([len(word) for word in WORDS])


@dataclass(frozen=True)
class Kept:
    """A query as the history hands it out."""

    record: QueryRecord
    trace: StoredTrace
    marks: TextMarks


def read(trace: Trace, channel: Channel, spacing_s: float) -> None:
    """Record 20 W, and 80 W from second 5 on."""
    trace.add(channel)
    for time_s in np.arange(-1.0, 10.0, spacing_s).tolist():
        joules = 100.0 + 20 * time_s + 60 * max(time_s - 5, 0.0)
        watts = 20.0 if time_s < 5 else 80.0
        is_power = channel.kind is Kind.POWER
        trace.record([Reading(channel.key, time_s, None if is_power else joules, watts)])


def ask(
    path: Path,
    words: tuple[str, ...] = WORDS,
    channels: tuple[Channel, ...] = (CPU,),
    **changes: object,
) -> Kept:
    """Store a query whose words came at even times, and read it back."""
    trace = Trace()
    for channel in channels:
        read(trace, channel, 0.25)
    curves = {channel.key: trace.curve(channel.key) for channel in channels}
    marks = TextMarks(
        np.linspace(1.0, 9.0, len(words) + 1)[1:], np.cumsum([len(word) for word in words])
    )
    fields = {
        "text": "".join(words),
        "bill": account(trace, channels, PHASES),
        "tokens": Tokens(prompt=300, reused=200, completion=len(words), thinking=3),
        "seconds": Seconds(None, 1.0, 1.0, 8.0, 9.0, 2.0),
        "thinking_j": 40.0,
        "trace": encode_trace(StoredTrace(curves, PHASES), 0.0),
        "marks": encode_marks(marks),
    } | changes
    with closing(History(path)) as history:
        query_id = history.begin(query_start()).query_id
        history.finish(query_id, outcome(**fields))
        stored, kept = history.trace(query_id), history.marks(query_id)
        assert stored
        assert kept
        return Kept(history.record(query_id), stored, kept)


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return ask(tmp_path / "history.db")


@pytest.fixture
def scrub(qtbot: QtBot, kept: Kept) -> Iterator[Scrub]:
    view = QueryView(LIGHT)
    qtbot.addWidget(view)
    view.resize(620, 700)
    view.show_details(Details(kept.record, kept.trace, kept.marks))
    view.settle()
    with qtbot.waitExposed(view):
        view.show()
    scrub = view.findChild(Scrub)
    assert scrub
    yield scrub
    view.close()


def drawn(qtbot: QtBot, scrub: Scrub) -> Scrub:
    """Draw a curve and its answer by themselves, at once."""
    qtbot.addWidget(scrub)
    for draw in scrub.parts:
        draw()
    return scrub


def marked(text: TimedText) -> str:
    return "".join(selection.cursor.selectedText() for selection in text.extraSelections())


def texts(view: QueryView) -> str:
    return "\n".join(each.text() for each in view.findChildren(QLabel))


def place_of(scrub: Scrub, time_s: float) -> QPoint:
    at = scrub.curve.plotItem.vb.mapViewToScene(QPointF(time_s, 10.0))
    return scrub.curve.mapFromScene(at)


def test_what_is_doubtful_in_a_bill_stands_over_it(qtbot: QtBot, kept: Kept) -> None:
    view = QueryView(LIGHT)
    qtbot.addWidget(view)
    notes = Notes(
        (Doubt("cpu", "%1: its counter is odd.", ("CPU 0",)),),
        (Unread("gpu", "Card", 0.5, "it did not answer"),),
    )
    view.show_details(Details(replace(kept.record, notes=notes)))
    warnings = [each.text() for each in view.findChildren(QLabel, "warning")]
    assert (
        "CPU 0: its counter is odd. Card was read 50 % of the time: it did not answer." in warnings
    )
    view.show_details(Details(kept.record))
    assert not view.findChildren(QLabel, "warning")


def test_moving_along_the_curve_marks_what_was_written_then(qtbot: QtBot, scrub: Scrub) -> None:
    assert scrub.text
    qtbot.mouseMove(scrub.curve.viewport(), place_of(scrub, 3.5))
    qtbot.waitUntil(lambda: marked(scrub.text) == " joules")
    assert "● 20.0 W" in scrub.readout.text()
    qtbot.mouseMove(scrub.curve.viewport(), place_of(scrub, 0.5))
    qtbot.waitUntil(lambda: marked(scrub.text) == "")


def test_a_silence_is_drawn_and_told_at_what_was_counted(qtbot: QtBot) -> None:
    """Three seconds between 80 W at both ends, in which 30 J were counted."""
    time_s = np.array([0.0, 1.0, 4.0, 5.0])
    counted = Curve(
        time_s, np.array([0.0, 80.0, 110.0, 190.0]), np.full(4, 80.0), np.zeros(4, np.uint8)
    )
    plot = CurvePlot(LIGHT)
    qtbot.addWidget(plot)
    plot.show_trace(StoredTrace({CPU.key: counted}, (Phase(DECODE, 0.0, 5.0),)), [CPU])
    told = [plot.power_at(moment_s)[0][1] for moment_s in (0.5, 1.5, 2.5, 3.5, 4.5)]
    assert told == pytest.approx([80.0, 10.0, 10.0, 10.0, 80.0])


def test_the_wheel_over_the_curve_scrolls_the_page(qtbot: QtBot, scrub: Scrub) -> None:
    page = scrub.window()
    assert isinstance(page, QueryView)
    bar, plot = page.verticalScrollBar(), scrub.curve
    page.ensureWidgetVisible(plot)
    before = bar.value()
    assert bar.maximum() > before
    over_plot = QPointF(plot.mapTo(page, plot.rect().center()))
    QTest.wheelEvent(page.windowHandle(), over_plot, QPoint(0, -120))
    assert bar.value() > before


def test_a_long_prompt_is_a_heading_of_two_lines_and_stands_whole_below_the_bill(
    qtbot: QtBot, tmp_path: Path
) -> None:
    files = [
        Attachment(Path(name), name, text, len(text), "UTF-8", False)
        for name, text in (
            ("note.txt", "The secret word is ELEPHANT."),
            ("long.txt", "7\n" * 50_000),
        )
    ]
    question = "What is the secret word? " * 12
    prompt = with_attachments(question, files)
    kept = ask(tmp_path / "history.db")
    view = QueryView(LIGHT)
    qtbot.addWidget(view)
    view.resize(380, 500)
    view.show_details(Details(replace(kept.record, prompt=prompt), kept.trace, kept.marks))
    view.settle()
    with qtbot.waitExposed(view):
        view.show()
    heading = view.findChild(Headline)
    assert heading
    assert heading.text().startswith("What is the secret word?")
    assert heading.text().endswith("…")
    assert heading.text().count("\n") == 1
    assert heading.height() <= 3 * heading.fontMetrics().height()
    assert "With note.txt, long.txt" in texts(view)
    assert "ELEPHANT" not in texts(view)
    whole = next(
        each for each in view.findChildren(LimitedText) if "ELEPHANT" in each.toPlainText()
    )
    assert whole.toPlainText() == prompt
    assert whole.verticalScrollBar().maximum() > 0
    assert whole.height() < view.height()
    energy = next(each for each in view.findChildren(QLabel) if each.text() == "Energy")
    assert whole.mapTo(view.widget(), QPoint()).y() > energy.mapTo(view.widget(), QPoint()).y()


def test_files_without_a_question_are_the_heading(qtbot: QtBot, kept: Kept) -> None:
    file = Attachment(Path("note.txt"), "note.txt", "Hello", 5, "UTF-8", False)
    view = QueryView(LIGHT)
    qtbot.addWidget(view)
    prompt = with_attachments("", [file])
    view.show_details(Details(replace(kept.record, prompt=prompt), kept.trace, kept.marks))
    view.settle()
    with qtbot.waitExposed(view):
        view.show()
    heading = view.findChild(Headline)
    assert heading
    assert heading.text() == "note.txt"


def test_arrow_keys_go_from_word_to_word(qtbot: QtBot, scrub: Scrub) -> None:
    assert scrub.text
    seen = []
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_End, Qt.Key.Key_Left):
        qtbot.keyClick(scrub.curve, key)
        seen.append(marked(scrub.text))
    assert seen == ["Watts", " are", " hour", " the"]
    assert "● 80.0 W" in scrub.readout.text()
    assert scrub.curve.accessibleDescription() == scrub.readout.text()
    qtbot.keyClick(scrub.curve, Qt.Key.Key_Home)
    qtbot.keyClick(scrub.curve, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    assert marked(scrub.text) == " hour"


def test_the_caret_in_the_text_marks_the_curve_beyond_an_emoji_too(
    qtbot: QtBot, scrub: Scrub
) -> None:
    assert scrub.text
    cursor = scrub.text.textCursor()
    # Qt counts the emoji for two.
    cursor.setPosition(TEXT.index("Paid") + 2)
    scrub.text.setTextCursor(cursor)
    assert marked(scrub.text) == " Paid"
    assert scrub.curve.moment_s == pytest.approx(1 + 8 * 8 / 11, abs=1e-3)
    cursor.movePosition(QTextCursor.MoveOperation.Start)
    scrub.text.setTextCursor(cursor)
    assert marked(scrub.text) == "Watts"


def test_the_mouse_over_the_text_marks_the_curve(qtbot: QtBot, scrub: Scrub) -> None:
    assert scrub.text
    cursor = QTextCursor(scrub.text.document())
    cursor.setPosition(TEXT.index("second") + 3)
    at = scrub.text.cursorRect(cursor).center()
    qtbot.mouseMove(scrub.text.viewport(), at)
    qtbot.waitUntil(lambda: marked(scrub.text) == " second")
    assert scrub.curve.moment_s == pytest.approx(1 + 8 * 5 / 11, abs=1e-3)


def test_the_text_is_scrolled_to_what_the_curve_points_at(qtbot: QtBot, tmp_path: Path) -> None:
    words = tuple(f" word{n}\n" for n in range(300))
    kept = ask(tmp_path / "long.db", words)
    view = QueryView(LIGHT)
    qtbot.addWidget(view)
    view.resize(620, 700)
    view.show_details(Details(kept.record, kept.trace, kept.marks))
    view.settle()
    view.show()
    scrub = view.findChild(Scrub)
    assert scrub
    assert scrub.text
    line_height = scrub.text.fontMetrics().lineSpacing()
    assert scrub.text.viewport().height() // line_height == MOST_LINES
    for moment_s in (8.5, 1.1, 5.0):
        scrub.curve.pointed.emit(moment_s)
        selection = scrub.text.extraSelections()[0]
        cursor = selection.cursor
        assert cursor.selectedText().strip().startswith("word")
        assert scrub.text.viewport().rect().contains(scrub.text.cursorRect(cursor).center())


def test_heat_tints_the_half_that_took_more_and_says_how_it_knows(
    qtbot: QtBot, scrub: Scrub
) -> None:
    assert scrub.text
    scrub.heat.setChecked(True)
    layouts = [
        scrub.text.document().findBlockByNumber(n).layout()
        for n in range(scrub.text.document().blockCount())
    ]
    qtbot.waitUntil(lambda: all(layout.formats() for layout in layouts))
    grounds = [
        range_.format.background().color().name() for each in layouts for range_ in each.formats()
    ]
    assert grounds[0] == LIGHT.surface
    assert grounds[-1] == tint(LIGHT, LEVELS - 1)
    told = "\n".join(each.text() for each in scrub.findChildren(QLabel))
    assert "● 14.5 J" in told
    assert "● 58.2 J a token" in told
    assert "regressed" not in told
    scrub.heat.setChecked(False)
    qtbot.waitUntil(lambda: not layouts[0].formats())


def test_heat_of_short_tokens_is_said_to_be_regressed(qtbot: QtBot, tmp_path: Path) -> None:
    kept = ask(tmp_path / "short.db", tuple("ab" for _ in range(200)), (CPU, GPU))
    scrub = drawn(qtbot, Scrub(kept.record, kept.trace, kept.marks, DARK, is_warm=True))
    told = "\n".join(each.text() for each in scrub.findChildren(QLabel))
    assert "regressed: tokens are shorter than the 250 ms the sensor tells apart" in told
    assert "◐ " in told


def test_heat_outlasts_another_theme_and_another_query(qtbot: QtBot, kept: Kept) -> None:
    view = QueryView(LIGHT)
    qtbot.addWidget(view)
    view.show_details(Details(kept.record, kept.trace, kept.marks))
    view.settle()
    first = view.findChild(Scrub)
    assert first
    first.heat.setChecked(True)
    view.set_theme(DARK)
    view.settle()
    again = view.findChild(Scrub)
    assert again
    assert again.heat.isChecked()


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_text_is_legible_on_every_tint(theme: Theme) -> None:
    def luminance(color: str) -> float:
        """Of a colour as WCAG 2.1 defines it."""
        parts = QColor(color).getRgbF()[:3]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    def contrast(one: str, other: str) -> float:
        high, low = sorted((luminance(one), luminance(other)), reverse=True)
        return (high + 0.05) / (low + 0.05)

    tints = [tint(theme, level) for level in range(LEVELS)]
    assert len(set(tints)) == LEVELS
    assert min(contrast(theme.text, each) for each in tints) >= 4.5
    assert contrast(tints[0], tints[-1]) >= 1.5


def test_the_watts_of_each_channel_say_their_kind(qtbot: QtBot, tmp_path: Path) -> None:
    kept = ask(tmp_path / "two.db", channels=(CPU, GPU))
    view = QueryView(LIGHT)
    qtbot.addWidget(view)
    view.show_details(Details(kept.record, kept.trace, kept.marks))
    view.settle()
    scrub = view.findChild(Scrub)
    assert scrub
    qtbot.keyClick(scrub.curve, Qt.Key.Key_End)
    assert "◐ 160 W" in scrub.readout.text()
    assert f"{CPU.label} ● 80.0 W  ·  {GPU.label} ◐ 80.0 W" in scrub.readout.text()
    cells = [each.text() for each in view.findChildren(QLabel)]
    for channel in (CPU, GPU):
        name = cells.index(channel.label)
        mark = figures.MARKS[channel.kind]
        assert [cell.split()[0] for cell in cells[name + 1 : name + 3]] == [mark, mark]
        assert [cell.split()[2] for cell in cells[name + 1 : name + 3]] == ["W", "W"]


def test_without_marks_the_answer_is_formatted_and_the_curve_says_why(
    qtbot: QtBot, kept: Kept
) -> None:
    view = QueryView(LIGHT)
    qtbot.addWidget(view)
    view.show_details(Details(kept.record, kept.trace))
    view.settle()
    scrub = view.findChild(Scrub)
    assert scrub
    assert scrub.text is None
    assert "not known" in scrub.curve.toolTip()
    assert view.findChild(AnswerText)
    qtbot.keyClick(scrub.curve, Qt.Key.Key_End)
    assert "● 80.0 W" in scrub.readout.text()


def test_no_turn_of_the_window_draws_both_the_curve_and_the_answer(
    qtbot: QtBot, kept: Kept
) -> None:
    """An hour of readings and a book of words would hold up all else together."""
    view = QueryView(LIGHT)
    qtbot.addWidget(view)
    view.show_details(Details(kept.record, kept.trace, kept.marks))
    drawn_after = []
    while view._rest:
        view._draw_part()
        scrub = view.findChild(Scrub)
        drawn_after.append((bool(scrub and scrub.curve.parts), bool(scrub and scrub.text)))
        if scrub:
            scrub.curve.pointed.emit(5.0)  # whatever is there, it can be pointed at
    assert [
        now
        for now, before in zip(drawn_after, [(False, False), *drawn_after], strict=False)
        if now != before
    ] == [(True, False), (True, True)]


@pytest.mark.parametrize("count", [100, 5_000, 71_999])
def test_a_long_curve_is_drawn_in_few_points_with_its_peaks_and_gaps(count: int) -> None:
    time_s = np.arange(count) / 20
    power_w = 50 + 10 * np.sin(time_s)
    power_w[count // 2], power_w[count // 3], power_w[-1] = 400.0, 3.0, 200.0
    few_s, few_w = peaks(time_s, power_w)
    assert len(few_s) == len(few_w) <= 4 * MOST_POINTS
    assert (few_w.min(), few_w.max(), few_w[-2:].max()) == (3.0, 400.0, 200.0)
    assert abs(few_s[few_w.argmax()] - time_s[count // 2]) <= count / 20 / MOST_POINTS
    power_w[count // 4] = np.nan
    few_s, few_w = peaks(time_s, power_w)
    unread_s = few_s[np.isnan(few_w)]
    assert len(unread_s)
    assert np.all(np.abs(unread_s - time_s[count // 4]) <= count / 20 / MOST_POINTS)


def test_where_nothing_was_read_there_is_no_figure(qtbot: QtBot, kept: Kept) -> None:
    scrub = drawn(qtbot, Scrub(kept.record, kept.trace, kept.marks, LIGHT))
    scrub.curve.pointed.emit(-1.02)
    assert scrub.readout.text().endswith("—")


def test_without_energy_heat_cannot_be_switched_on(qtbot: QtBot, kept: Kept) -> None:
    record = replace(kept.record, bill=replace(kept.record.bill, lines=()))
    scrub = drawn(qtbot, Scrub(record, kept.trace, kept.marks, LIGHT))
    assert not scrub.heat.isEnabled()
    assert "No sensor" in scrub.heat.toolTip()


def test_the_hardware_s_share_stands_beside_the_grams_and_not_in_them(
    qtbot: QtBot, tmp_path: Path, kept: Kept
) -> None:
    def shown(record: QueryRecord) -> str:
        view = QueryView(LIGHT)
        qtbot.addWidget(view)
        view.show_details(Details(record, None, None))
        view.settle()
        return texts(view)

    bare = shown(kept.record)
    told = shown(ask(tmp_path / "other.db", embodied_g=0.012).record)
    assert "hardware's share" not in bare
    assert "beside it the hardware's share: 12.0 mg" in told
    carbon = kept.record.footprint
    assert carbon
    assert figures.mass(carbon.grams) in told
    assert f"SCI without the hardware: {figures.mass(carbon.grams)} a query" in bare
    assert f"SCI, both together: {figures.mass(carbon.grams + 0.012)} a query" in told
    run = shown(replace(kept.record, kind="bench"))
    assert f"SCI without the hardware: {figures.mass(carbon.grams)} a run" in run


def test_a_query_that_lacks_a_part_is_marked_and_one_without_grams_says_why(
    qtbot: QtBot, kept: Kept
) -> None:
    def titles(record: QueryRecord) -> tuple[list[str], str]:
        view = QueryView(LIGHT)
        qtbot.addWidget(view)
        view.show_details(Details(record, None, None))
        view.settle()
        shown = [each.text() for each in view.findChildren(QLabel, "title")]
        return [each for each in shown if each.startswith("≥ ")], texts(view)

    assert titles(kept.record)[0] == []
    marked, told = titles(replace(kept.record, bill=LACKING))
    assert len(marked) == 3, "energy, CO2 and a token"
    assert "SCI without the hardware: ≥ " in told
    assert "too short to resolve" not in told, "what was not read was not too short"
    assert "GPU 0 was not read" in told
    lines = told.splitlines()
    assert lines[lines.index("Total of the parts") :].count("≥ ● 6.00 J") == 1
    assert lines.count("≥ ● 3.00 J") == 2, "prefill and decode"
    assert "≥ ● 40.0 J" in lines[lines.index("of it thinking") :]
    assert "of the total" not in told
    short = Bill((line(CPU, DECODE, 6.0, resolved=False),))
    assert "too short to resolve" in titles(replace(kept.record, bill=short))[1]
    caf = Zone("CAF", "Central African Republic", 2022, 0.0)
    assert "There is no figure of the grid of CAF" in titles(replace(kept.record, zone=caf))[1]


def test_without_a_baseline_the_page_offers_to_measure_one(qtbot: QtBot, kept: Kept) -> None:
    dialog = QueryDialog(Details(kept.record), LIGHT)
    qtbot.addWidget(dialog)
    (button,) = [b for b in dialog.findChildren(QToolButton) if b.text() == "Measure idle …"]
    with qtbot.waitSignal(dialog.baseline_wanted):
        button.click()


def test_the_page_names_the_idle_it_is_above_and_tells_the_wall(qtbot: QtBot, kept: Kept) -> None:
    above = AboveIdle(30.0, 28.0, 33.0, "a", "2026-03-02T12:00:00+00:00", (), 10.0)
    told = WallEquivalent(Interval(520.0, 10.0, 10.0, 0.0), "b", ("GPU 0",))
    view = QueryView(LIGHT)
    qtbot.addWidget(view)
    view.show_details(Details(replace(kept.record, above_idle=above), wall=told))
    assert "● 30.0 J (28.0–33.0 J) above idle, which was ● 10.0 W on 2026-03-02" in texts(view)
    assert "At the wall, by the machine's calibration: ○ 520 J (510–530 J)." in texts(view)
    assert "Extrapolated: GPU 0 drew more or less than was calibrated." in texts(view)
    view.show_details(Details(kept.record, wall=WallUnknown("b", ("GPU 0", "GPU 1"))))
    assert "not known, as GPU 0, GPU 1 hardly worked in the calibration. Calibrate" in texts(view)


def test_phases_tell_thinking_and_what_reuse_saved(qtbot: QtBot, kept: Kept) -> None:
    view = QueryView(LIGHT)
    qtbot.addWidget(view)
    view.show_details(Details(kept.record, kept.trace, kept.marks))
    view.settle()
    told = texts(view)
    assert "of it thinking" in told
    assert "3\n1.50 t/s" in told
    # 20 J of prefill, and 400 J of decode.
    assert "● 40.0 J\n10 % of the total" in told
    assert "100\n+ 200 reused\n100 t/s" in told
    assert "Reused: 200 tokens, about ● 40.0 J" in told


def test_a_short_prompt_is_credited_by_earlier_ones(qtbot: QtBot, kept: Kept) -> None:
    record = replace(kept.record, tokens=replace(kept.record.tokens, prompt=210))
    view = QueryView(LIGHT)
    qtbot.addWidget(view)
    view.show_details(Details(record, kept.trace))
    view.settle()
    assert "saved" not in texts(view)
    view.show_details(
        Details(record, kept.trace, earlier=Fit(0.0, 0.1, 0.08, 0.12, 0.5, Kind.POWER))
    )
    view.settle()
    assert "Reused: 200 tokens, about ◐ 20.0 J (16.0–24.0 J) saved" in texts(view)


@pytest.mark.parametrize(
    ("high_j", "status", "ending"),
    [
        (500.0, Status.DONE, "held"),
        (400.0, Status.DONE, "missed"),
        (500.0, Status.STOPPED, "not scored"),
    ],
)
def test_a_forecast_is_set_against_what_came(
    qtbot: QtBot, kept: Kept, high_j: float, status: Status, ending: str
) -> None:
    forecast = Forecast(300.0, 200.0, high_j, 34, Kind.COUNTER)
    record = replace(kept.record, status=status)
    dialog = QueryDialog(Details(record, kept.trace, kept.marks, forecast), LIGHT)
    qtbot.addWidget(dialog)
    told = "\n".join(each.text() for each in dialog.findChildren(QLabel))
    assert f"Foretold ● 300 J (200–{high_j:.0f} J): {ending}" in told


def test_the_forecast_label_says_what_it_rests_on(qtbot: QtBot) -> None:
    made = ForecastLabel(LIGHT)
    qtbot.addWidget(made)
    assert made.text() == "no forecast yet"
    made.show_forecast(None, None, known=5)
    assert "after 3 more answers" in made.toolTip()
    made.show_forecast(Forecast(12.0, 8.0, 19.0, 34, Kind.POWER, 150), Score(9, 7))
    assert made.text() == "about ◐ 12.0 J (8.00–19.0 J)"
    assert "7 of the last 9 held" in made.toolTip()
    assert "150 tokens" in made.toolTip()
    made.show_forecast(None, None, known=20)
    assert "cut short" in made.toolTip()


def test_a_benchmark_of_many_items_makes_the_page_no_wider_than_its_panel(
    qtbot: QtBot, tmp_path: Path
) -> None:
    items = tuple(Phase(PREFILL, 0.2 * n, 0.2 * n + 0.1) for n in range(40))
    stored = ask(tmp_path / "history.db")
    record = replace(stored.record, settings={"llama_cpp": "a_build_of_one_very_long_word" * 4})
    view = QueryView(LIGHT)
    qtbot.addWidget(view)
    view.resize(400, 500)
    view.show_details(Details(record, replace(stored.trace, phases=items), stored.marks))
    view.settle()
    with qtbot.waitExposed(view):
        view.show()
    page = view.widget()
    qtbot.waitUntil(lambda: page.width() <= view.viewport().width())
    scrub = view.findChild(Scrub)
    assert scrub
    legend = [each for each in scrub.findChildren(QLabel) if "prefill" in each.text()]
    assert [each.text().count("prefill") for each in legend] == [1]
    values = [each.toPlainText() for each in view.findChildren(LimitedText)]
    assert record.id in values, "it is copied as it is"
    bars = [each.verticalScrollBar() for each in view.findChildren(LimitedText)]
    assert not any(bar.isVisible() for bar in bars), "each is shown whole"


def turn(text: LimitedText, notches: int) -> bool:
    """Turn the wheel over a text, downwards if negative; return whether the text took it."""
    middle = QPointF(text.viewport().rect().center())
    event = QWheelEvent(
        middle, QPointF(text.viewport().mapToGlobal(middle.toPoint())), QPoint(),
        QPoint(0, 120 * notches), Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(text.viewport(), event)
    return event.isAccepted()


def test_the_wheel_scrolls_the_page_where_a_text_has_no_more_or_came_below_a_still_mouse(
    qtbot: QtBot,
) -> None:
    text = LimitedText("\n".join(map(str, range(200))))
    qtbot.addWidget(text)
    text.resize(300, 200)
    with qtbot.waitExposed(text):
        text.show()
    bar = text.verticalScrollBar()
    assert not turn(text, -1), "the mouse was not moved over it"
    assert bar.value() == 0
    move = QPointF(20, 20)
    QApplication.sendEvent(
        text.viewport(),
        QMouseEvent(
            QEvent.Type.MouseMove, move, move, Qt.MouseButton.NoButton, Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
        ),
    )  # fmt: skip
    assert turn(text, -1)
    assert bar.value() > 0
    bar.setValue(bar.maximum())
    assert not turn(text, -1), "there is no more of it"


def test_a_query_that_writes_nothing_tells_what_reading_its_prompt_took(
    qtbot: QtBot, tmp_path: Path
) -> None:
    trace = Trace()
    read(trace, CPU, 0.25)
    kept = ask(
        tmp_path / "history.db",
        text="",
        bill=account(trace, [CPU], PHASES[:1]),
        tokens=Tokens(prompt=300, reused=200),
        seconds=Seconds(None, 1.0, None, None, 1.0),
    )
    view = QueryView(LIGHT)
    qtbot.addWidget(view)
    view.show_details(Details(kept.record))
    shown = texts(view)
    assert "Prefill energy a token" in shown
    assert "● 200 mJ" in shown  # 20 J of prefill over the 100 tokens that were computed
    assert figures.rate(100.0) in shown
    assert "first token" not in shown


def test_the_page_of_a_long_benchmark_is_not_scrolled_sideways(
    qtbot: QtBot, tmp_path: Path
) -> None:
    kept = ask(tmp_path / "history.db", tokens=Tokens(prompt=1_124_459, reused=1_022_550))
    view = QueryView(LIGHT)
    qtbot.addWidget(view)
    view.resize(VIEW_WIDTH, 400)
    view.show_details(Details(kept.record))
    view.settle()
    view.show()
    qtbot.waitUntil(lambda: view.verticalScrollBar().maximum() > 0)
    assert view.horizontalScrollBar().maximum() == 0


def test_no_line_of_a_text_is_cut_that_began_with_no_room(qtbot: QtBot) -> None:
    text = LimitedText("One\nTwo")
    qtbot.addWidget(text)
    text.setStyleSheet("border: 1px solid black; padding: 4px;")
    text.resize(300, 3)
    text.show()
    lines = 2 * text.fontMetrics().lineSpacing()
    qtbot.waitUntil(lambda: text.height() > lines)
    assert text.viewport().height() >= lines + text.document().documentMargin()
