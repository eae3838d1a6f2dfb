"""The compare page over a real database."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtWidgets import QStyleOptionHeader, QWidget
from pytestqt.qtbot import QtBot

from desktop.bridge import Bridge
from desktop.compare.cells import CELL, Cell, width_of
from desktop.compare.choice import EFFICIENCY, PREFERENCE, Choice, Grouping, View
from desktop.compare.labels import Name, place_names
from desktop.compare.model import Laid
from desktop.compare.overlay import Align, curve_of, total_power
from desktop.compare.page import ComparePage
from desktop.compare.rows import KEYS, MODEL, RANK, Heading
from desktop.compare.sides import MOST_ASKED, SidesView, asked
from desktop.compare.standing import family_of
from desktop.compare.ticks import energy_ticks, round_powers, share_ticks
from desktop.theme import runs
from desktop.theme.palette import DARK, LIGHT
from monitor.compare import contrast
from monitor.compare.side_by_side import Side
from monitor.energy.account import DECODE, PREFILL, Bill, Phase
from monitor.power.channel import Kind
from monitor.power.curve import Curve, Gap
from monitor.store.curves import StoredTrace, encode_trace
from monitor.store.filters import EVERYTHING
from monitor.store.history import History
from monitor.store.records import Tokens
from monitor.store.standings import Setup
from monitor.store.upkeep import purge_deleted
from tests.unit.builders import BILL, CPU, GPU, channel, line, stored_query
from tests.unit.test_compare_board import FACTS, begin_suite, items, runs_stored, stored_run, sure

MODELLED = channel("model:cpu", kind=Kind.MODELLED)


@pytest.fixture
def judged(history: History) -> list[str]:
    """Runs of two models that answer alike, of a worse one, and of one that was not measured."""
    suite_id = begin_suite(history)
    dark = [replace(each, energy_j=None) for each in items(6)]
    unsure = [sure(each, 5.0 if each.correct else 1.0) for each in items(10, energy_j=0.5)]
    asked = {"a": items(18, energy_j=4.0), "b": items(18, energy_j=1.0), "c": unsure}
    for name, each in asked.items():
        stored_run(history, suite_id, name, each, repeat=1)
    return [
        *(stored_run(history, suite_id, name, each) for name, each in asked.items()),
        stored_run(history, suite_id, "d", dark, of=Bill((line(CPU, PREFILL, None),))),
    ]


def opened(qtbot: QtBot, bridge: Bridge, history: History) -> ComparePage:
    page = ComparePage(bridge, history, LIGHT)
    qtbot.addWidget(page)
    page.resize(1100, 480)
    page.show()
    qtbot.waitUntil(lambda: page.model.tests is not None)
    return page


@pytest.fixture
def page(qtbot: QtBot, bridge: Bridge, history: History, judged: list[str]) -> ComparePage:
    assert judged
    return opened(qtbot, bridge, history)


def texts(page: ComparePage, key: str) -> list[str]:
    rows = page.leaderboard.table.rows
    found = [rows.index(row, KEYS.index(key)).data() for row in range(rows.rowCount())]
    return [text or "" for text in found]


def cell(page: ComparePage, row: int, key: str) -> Cell:
    found = page.leaderboard.table.rows.index(row, KEYS.index(key)).data(CELL)
    assert isinstance(found, Cell)
    return found


def choose(qtbot: QtBot, page: ComparePage, **changes: object) -> None:
    """Choose something and wait until it is reckoned."""
    with qtbot.waitSignal(page.model.reckoned):
        page.model.choose(**changes)


# --- the leaderboard ---------------------------------------------------------------------


def test_an_empty_page_says_what_to_do_and_offers_it(
    qtbot: QtBot, bridge: Bridge, history: History
) -> None:
    page = opened(qtbot, bridge, history)
    assert page.bench.isVisible()
    assert not page.tests.isVisible()
    with qtbot.waitSignal(page.bench_wanted):
        page.bench.click()


def test_rows_are_ranked_ties_are_joined_the_unknown_is_a_dash_and_all_can_be_copied(
    qtbot: QtBot, page: ComparePage
) -> None:
    assert texts(page, MODEL) == ["a Q4_K_M", "b Q4_K_M", "c Q4_K_M", "d Q4_K_M"]
    assert texts(page, RANK) == ["1=", "1=", "3=", "3="]
    assert [cell(page, row, RANK).joins for row in range(2)] == [(False, True), (True, False)]
    assert [cell(page, row, RANK).mark for row in range(4)] == ["", "★", "★", ""]
    assert texts(page, "energy") == ["● 4.00 J", "● 1.00 J", "● 500 mJ", "—"]
    assert cell(page, 3, "energy").bar is None
    assert cell(page, 0, "grams").note.count("–") == 1
    tip = page.leaderboard.table.rows.index(0, KEYS.index("energy")).data(
        Qt.ItemDataRole.ToolTipRole
    )
    assert "counted by the sensor" in tip
    assert "95 %" in tip
    rank_tip = page.leaderboard.table.rows.index(0, 0).data(Qt.ItemDataRole.ToolTipRole)
    assert "told apart from: b Q4_K_M" in rank_tip
    with qtbot.waitSignal(page.said):
        page.leaderboard.copy_tsv()
    lines = QGuiApplication.clipboard().text().splitlines()
    rows = [dict(zip(lines[0].split("\t"), each.split("\t"), strict=True)) for each in lines[1:]]
    assert rows[0]["score"] == "0.9"
    assert float(rows[1]["J/item low"]) < float(rows[1]["J/item"]) < float(rows[1]["J/item high"])
    assert (rows[1]["energy from"], rows[3]["energy from"], rows[3]["J/item"]) == (
        "counted",
        "",
        "",
    )
    page.leaderboard.copy_markdown()
    assert "| ★ | 1= | b Q4_K_M | 90.0 %" in QGuiApplication.clipboard().text()


def test_a_header_ranks_by_its_column_and_again_turns_the_order(
    qtbot: QtBot, page: ComparePage
) -> None:
    table = page.leaderboard.table
    section = KEYS.index("energy")
    with qtbot.waitSignal(page.model.reckoned):
        table.horizontalHeader().sectionClicked.emit(section)
    assert texts(page, MODEL)[:3] == ["c Q4_K_M", "b Q4_K_M", "a Q4_K_M"]
    assert texts(page, RANK) == ["1", "2", "3", "—"]
    assert page.leaderboard.rank_by.currentText() == "Energy an item"
    header = table.rows.headerData(section, Qt.Orientation.Horizontal)
    assert header.endswith("▴")
    table.horizontalHeader().sectionClicked.emit(section)
    assert texts(page, MODEL) == ["a Q4_K_M", "b Q4_K_M", "c Q4_K_M", "d Q4_K_M"]
    assert texts(page, RANK) == ["3", "2", "1", "—"]


def test_groups_have_headings_and_a_narrow_table_drops_columns(
    qtbot: QtBot, page: ComparePage
) -> None:
    page.model.choose(grouping=Grouping.QUANTISATION)
    table = page.leaderboard.table
    assert [row.text for row in table.rows.rows if isinstance(row, Heading)] == ["Q4_K_M"]
    assert texts(page, RANK)[0] == "Q4_K_M"
    assert table.columnSpan(0, 0) == len(KEYS)
    table.selectAll()
    assert table.selected_rows() == [0, 1, 2, 3]
    page.model.choose(grouping=Grouping.NOTHING)
    assert table.columnSpan(0, 0) == 1
    assert table.selected_rows() == [0, 1, 2, 3]
    choose(qtbot, page, sort="size")
    page.resize(700, 400)
    shown = page.leaderboard.table.shown_keys()
    assert {RANK, MODEL, "score", "energy", "size"} <= set(shown)
    assert "wh" not in shown
    assert not page.leaderboard.table.horizontalScrollBar().isVisible()
    hidden = page.leaderboard.hidden
    assert hidden.text() == f"{len(KEYS) - len(shown)} columns hidden"
    assert "Wh/1,000" in hidden.toolTip()
    page.resize(1800, 400)
    assert table.shown_keys() == list(KEYS)
    assert not hidden.isVisible()


def test_no_interval_is_cut(qtbot: QtBot, bridge: Bridge, history: History) -> None:
    suite_id = begin_suite(history)
    tokens = Tokens(prompt=12, completion=900_000)
    small = Bill((line(CPU, DECODE, 50.0),))
    for name in "ab":
        stored_run(history, suite_id, name, items(10), of=small, tokens=tokens)
    page = opened(qtbot, bridge, history)
    table = page.leaderboard.table
    column = KEYS.index("token")
    note = cell(page, 0, "token").note
    assert len(note) >= 17, note  # more than the usual width of the column holds
    for width in (1100, 800):
        page.resize(width, 480)
        assert table.columnWidth(column) >= width_of(cell(page, 0, "token"), table.font())
        assert not table.horizontalScrollBar().isVisible()


def test_models_left_out_by_the_menu_come_back_and_one_alone_is_not_good_enough(
    qtbot: QtBot, page: ComparePage
) -> None:
    page._list_models()
    actions = {action.text(): action for action in page.models.menu().actions()}
    with qtbot.waitSignal(page.model.reckoned):
        actions["a"].trigger()
    assert texts(page, MODEL) == ["b Q4_K_M", "c Q4_K_M", "d Q4_K_M"]
    assert "1 hidden" in page.models.text()
    choose(qtbot, page, hidden=("a", "b"))
    assert not page.good_enough.slider.isEnabled()
    assert "Two models with a measured energy" in page.good_enough.sentence.text()
    assert page.good_enough.sentence.objectName() == "muted"
    choose(qtbot, page, hidden=())
    assert len(texts(page, MODEL)) == 4


def test_what_is_chosen_is_there_the_next_time(
    qtbot: QtBot, bridge: Bridge, history: History, page: ComparePage
) -> None:
    weights = {"score": 2.0, "size": 1.5}
    choose(qtbot, page, sort=EFFICIENCY, weights=weights, points=3.5)
    page.model.choose(view=View.PLANE, is_log=False, grouping=Grouping.FAMILY)
    page.hide()
    qtbot.waitUntil(lambda: history.preference(PREFERENCE) is not None)
    again = opened(qtbot, bridge, history)
    assert again.model.choice == page.model.choice
    assert again.plane_view.isVisible()
    assert again.good_enough.slider.value() == 7
    assert again.leaderboard.rank_by.currentText() == "Efficiency"


@pytest.mark.parametrize(
    "kept", [None, [], {"sort": "beauty"}, {**Choice().to_json(), "points": "much"},
             {**Choice().to_json(), "weights": {"beauty": 1}}]
)  # fmt: skip
def test_a_choice_that_is_not_understood_is_as_at_first(kept: object) -> None:
    assert Choice.from_json(kept) == Choice()


def test_a_machine_and_a_test_that_are_gone_are_not_insisted_on(
    qtbot: QtBot, bridge: Bridge, history: History, judged: list[str]
) -> None:
    assert judged
    history.set_preference(PREFERENCE, replace(Choice(), machine="gone", exam="old-1").to_json())
    page = opened(qtbot, bridge, history)
    assert len(texts(page, MODEL)) == 4
    assert (page.model.choice.machine, page.model.choice.exam) == (None, None)
    assert not page.machines.isVisible()  # there is only one


# --- good enough and weights -------------------------------------------------------------


def test_good_enough_follows_the_slider_by_keyboard(qtbot: QtBot, page: ComparePage) -> None:
    good = page.good_enough
    assert "Within 2 points" in good.sentence.text()
    assert "b Q4_K_M" in good.sentence.text()
    assert good.sentence.objectName() == ""  # sure
    assert [cell(page, row, MODEL).is_picked for row in range(4)] == [False, True, False, False]
    assert cell(page, 1, MODEL).note.startswith("good enough")
    qtbot.keyClick(good.slider, Qt.Key.Key_End)
    assert good.slider.accessibleDescription() == "10 points"
    qtbot.waitUntil(lambda: "Within 10 points" in good.sentence.text())


def test_weights_show_their_formula_and_order_the_rows(qtbot: QtBot, page: ComparePage) -> None:
    panel = page.leaderboard.panel
    panel.show_weights(page.model.choice.weights)
    assert "1 × share(score) + 1 × share(log J/item)" in panel.formula.text()
    with qtbot.waitSignal(page.model.reckoned):
        panel.sliders["score"].setValue(0)
    assert page.model.choice.weights == {"energy": 1.0}
    assert texts(page, EFFICIENCY) == ["0.00", "0.67", "1.00", "—"]
    panel.sliders["energy"].setValue(0)
    assert "At least one weight" in panel.formula.text()
    assert page.model.choice.weights == {"energy": 1.0}


# --- score against energy ----------------------------------------------------------------


@pytest.fixture
def plane_page(page: ComparePage) -> ComparePage:
    page.model.choose(view=View.PLANE)
    return page


def test_a_point_says_what_it_is_and_a_click_selects_its_row(
    qtbot: QtBot, plane_page: ComparePage
) -> None:
    plane = plane_page.plane_view.plane
    spots = {spot.name: spot for spot in plane._spots}
    assert set(spots) == {"● a Q4_K_M", "● b Q4_K_M", "● c Q4_K_M"}  # what has an energy
    spot = spots["● b Q4_K_M"]
    at = plane._pixel(spot.joules, spot.score)
    assert plane.row_at(at) == spot.row
    tip = plane.tip(spot.row)
    assert "on the frontier" in tip
    assert "good enough" in tip
    assert "● 1.00 J" in tip
    qtbot.mouseClick(plane.viewport(), Qt.MouseButton.LeftButton, pos=at.toPoint())
    assert plane_page.leaderboard.table.selected_rows() == [spot.row]
    qtbot.keyClick(plane, Qt.Key.Key_Right)
    assert plane_page.leaderboard.table.selected_rows() == [spots["● a Q4_K_M"].row]
    assert "4.00 J" in plane.accessibleDescription()


def test_both_axes_of_energy_hold_every_point_in_both_themes(plane_page: ComparePage) -> None:
    plane = plane_page.plane_view.plane
    for is_log, theme in ((True, DARK), (False, LIGHT)):
        plane_page.set_theme(theme)
        plane_page.model.choose(is_log=is_log)
        (left, right), (bottom, top) = plane.plotItem.vb.viewRange()
        for spot in plane._spots:
            x = np.log10([spot.low_j, spot.high_j]) if is_log else [spot.low_j, spot.high_j]
            assert left < x[0] < x[1] < right
            assert bottom < spot.low < spot.high < top
    assert len(plane._names) == 3


def test_routing_is_simulated_on_demand_and_marked_so(
    qtbot: QtBot, plane_page: ComparePage, tmp_path: Path
) -> None:
    view = plane_page.plane_view
    view.routing.setChecked(True)
    assert "being simulated" in view._progress.text()
    qtbot.waitUntil(lambda: bool(plane_page.model.cascades))
    assert "None of 2 pairs" in view._progress.text()  # b alone is cheaper
    cascade, best = view.plane._cascades[0]
    at = view.plane._pixel(best.joules_per_item, best.score)
    assert "Simulated: c Q4_K_M passes" in view.plane._cascade_tip(at)
    assert cascade.kind is Kind.COUNTER
    assert "simulated" in view._legend.text()
    view.save_picture(tmp_path / "plane.png")
    assert QImage(str(tmp_path / "plane.png")).width() > 2 * view.plane.width()
    with pytest.raises(FileNotFoundError):
        view.save_picture(tmp_path / "missing" / "plane.png")
    view.routing.setChecked(False)
    assert plane_page.model.cascades is None
    assert not view.plane._cascades


def test_names_never_cover_each_other_or_a_point() -> None:
    random = np.random.default_rng(3)
    names = [Name(*random.uniform(100, 300, 2), 90.0, 14.0) for _ in range(25)]
    placed = place_names(names, (0.0, 0.0, 400.0, 400.0), np.empty((0, 4)), 6.0)
    boxes = [(at[0], at[1], at[0] + 90.0, at[1] + 14.0) for at in placed if at is not None] + [
        (n.x - 6, n.y - 6, n.x + 6, n.y + 6) for n in names
    ]
    count = sum(at is not None for at in placed)
    assert count > 8
    for n, one in enumerate(boxes[:count]):
        for other in boxes[n + 1 :]:
            assert (
                one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
            )


def test_axes_have_round_figures() -> None:
    assert [text for _, text in energy_ticks(0.4, 30.0, True)][:2] == ["500 mJ", "1 J"]
    assert round_powers(0.9, 210.0) == pytest.approx([1, 10, 100])
    assert round_powers(1.02, 1.09)[0] > 1.0
    assert next(text for _, text in share_ticks(0.41, 0.93)) == "45 %"
    assert energy_ticks(0.0, 8.0, False)[0] == (0.0, "0")


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("Qwen2.5 0.5B Instruct", "Qwen2.5"),
        ("SmolLM2-135M-Instruct", "SmolLM2"),
        ("Mixtral 8x7B", "Mixtral"),
        ("135M", "llama"),
        ("tiny", "llama"),
    ],
)
def test_a_family_is_a_name_as_far_as_its_size(name: str, family: str) -> None:
    setup = Setup("m", "m", name, "Q4_0", "aa", "llama", 1, 1, "0", 2, -1, None)
    assert family_of(setup) == family


# --- side by side ------------------------------------------------------------------------


def curve(time_s: list[float], power_w: list[float], gap: dict[int, Gap] | None = None) -> Curve:
    flags = np.zeros(len(time_s), np.uint8)
    for at, reason in (gap or {}).items():
        flags[at] = reason
    return Curve(np.array(time_s), np.zeros(len(time_s)), np.array(power_w), flags)


SECONDS = [float(n) for n in range(9)]
TRACE = StoredTrace(
    {
        CPU.key: curve(SECONDS, [10.0] * 9, {4: Gap.MISSED}),
        GPU.key: curve([0.5, 3.5, 6.5], [20.0, 26.0, 20.0]),
    },
    (Phase(PREFILL, 1.0, 2.0), Phase(DECODE, 2.0, 6.0)),
)


def test_total_power_is_the_sum_of_the_parts_and_a_gap_where_one_has_none() -> None:
    total = total_power(TRACE, BILL)
    assert total is not None
    time_s, power_w = total
    assert time_s.tolist() == SECONDS
    assert power_w[1:4] == pytest.approx([31.0, 33.0, 35.0])
    assert np.isnan(power_w[[0, 7, 8]]).all()  # the GPU was not read yet, or no more
    assert total_power(StoredTrace({CPU.key: TRACE.curves[CPU.key]}, TRACE.phases), BILL) is None


def test_total_power_is_what_was_counted_where_a_counter_was_silent() -> None:
    silent = Curve(
        np.array([0.0, 1.0, 5.0, 6.0]), np.array([0.0, 80.0, 120.0, 200.0]), np.full(4, 80.0),
        np.zeros(4, np.uint8),
    )  # fmt: skip
    bill = Bill(tuple(each for each in BILL.lines if each.channel is CPU))
    total = total_power(StoredTrace({CPU.key: silent}, TRACE.phases), bill)
    assert total is not None
    assert np.interp([0.5, 2.0, 4.0, 5.5], *total) == pytest.approx([80.0, 10.0, 10.0, 80.0])


def test_side_by_side_says_what_differs_in_words_and_aligns_the_curves(
    qtbot: QtBot, bridge: Bridge, history: History
) -> None:
    half = Bill(tuple(line(of.channel, of.phase, (of.joules or 0) / 2) for of in BILL.lines))
    modelled = Bill((line(MODELLED, PREFILL, 1.0), line(MODELLED, DECODE, 9.0)))
    packed = encode_trace(TRACE, 0.0)
    ids = [
        stored_query(history, trace=packed).id,
        stored_query(history, bill=half, trace=packed).id,
        stored_query(history, bill=modelled).id,
        stored_query(history, bill=Bill(())).id,
    ]
    page = opened(qtbot, bridge, history)
    page.show_ids(ids)
    qtbot.waitUntil(lambda: page.model.choice.view is View.SIDES)
    rows = page.sides.rows
    energies = [rows.index(0, column).data() for column in range(5)]
    assert energies[0] == "Energy"
    assert "(" in energies[1]
    assert "cannot tell\nthese two: −50 %" in energies[2]
    assert energies[3].startswith("○ 10.0 J")
    assert "not compared" in energies[3]
    assert energies[4] == "—"
    notes = page.sides._notes.text()
    assert "B: It is a run of the same prompt, model, settings and seed" in notes
    assert "C: It was measured of" in notes
    assert "No curve to draw: C, D" in page.sides._curve_note.text()
    assert [drawn.span_s for drawn in page.sides.plot._curves] == [(0.0, 5.0)] * 2
    page.sides.align.setCurrentIndex(1)
    page.sides.align.activated.emit(1)
    assert page.sides.plot._curves[0].span_s[0] == pytest.approx(-0.12)  # the first token's time
    assert "A: loading 500 ms, prefill 100 ms" in page.sides.bars.accessibleDescription()
    page.grab()


def test_figures_side_by_side_are_not_cut(qtbot: QtBot, bridge: Bridge, history: History) -> None:
    bill = Bill((line(CPU, PREFILL, 611.0), line(CPU, DECODE, 688.0)))
    tokens = Tokens(prompt=9000, completion=9000)
    page = opened(qtbot, bridge, history)
    page.resize(700, 400)
    page.show_ids([stored_query(history, bill=bill, tokens=tokens).id for _ in range(4)])
    qtbot.waitUntil(lambda: page.sides.rows.columnCount() == 5)
    table = page.sides.table
    for row in page.sides.rows.rows:
        for at, each in enumerate(row.cells):
            assert table.columnWidth(at + 1) >= width_of(each, table.font()), each.text


def test_a_query_without_phases_has_no_curve(history: History) -> None:
    record = stored_query(history)
    empty = StoredTrace(TRACE.curves, ())
    assert curve_of(0, record, empty, Align.PREFILL) is None


def test_what_runs_say_can_be_translated_word_for_word() -> None:
    said = {value for value in vars(contrast).values() if isinstance(value, str)}
    told = {text for text in said if text[:1].isupper() and " " in text and text.endswith(".")}
    assert told - {contrast.__doc__} <= {*runs.TEXTS, *runs.IN_WINDOW}


def test_the_window_names_its_own_button_instead_of_a_command(qtbot: QtBot) -> None:
    assert "llamawatt" in contrast.SINGLE
    assert "llamawatt" not in runs.translate(contrast.SINGLE)
    assert "choose “Measure again …”" in runs.translate(contrast.SINGLE)


def test_newest_runs_of_selected_rows_are_laid_side_by_side(
    qtbot: QtBot, page: ComparePage
) -> None:
    button = page.leaderboard.sides
    page.leaderboard.table.select_rows([0])
    assert not button.isEnabled()
    page.leaderboard.table.select_rows([0, 1])
    button.click()
    qtbot.waitUntil(lambda: page.sides.rows.columnCount() == 3)
    names = [page.sides.rows.index(row, 0).data() for row in range(page.sides.rows.rowCount())]
    assert "An item" in names
    assert "lower, −75 %" in page.sides.rows.index(names.index("An item"), 2).data()
    assert "B: The verdict compares 2 runs with 2 runs of the first." in page.sides._notes.text()


@pytest.fixture
def of_two_tests(qtbot: QtBot, bridge: Bridge, history: History) -> ComparePage:
    """Two models side by side, each of which has done a suite of two tests."""
    for model, right in (("a", 10), ("b", 15)):
        suite_id = begin_suite(history)
        stored_run(history, suite_id, model, items(right))
        stored_run(history, suite_id, model, items(right, energy_j=4.0), **FACTS)
    page = opened(qtbot, bridge, history)
    page.leaderboard.table.select_rows([0, 1])
    page.leaderboard.sides.click()
    qtbot.waitUntil(lambda: page.sides.rows.columnCount() == 3)
    return page


def test_of_a_suites_mean_it_is_said_which_test_is_laid_and_another_can_be_chosen(
    qtbot: QtBot, of_two_tests: ComparePage
) -> None:
    page = of_two_tests
    assert page.model.standing
    assert page.model.standing.board.exam.title == "Own suite · mean of 2"
    assert [cell(page, row, MODEL).note for row in range(2)] == [
        "1.00M parameters · 2 tests × 1 run"
    ] * 2
    assert page.one_test.isVisible()
    assert page._of_tests.text() == "The newest runs of one of 2 tests:"
    assert page.one_test.currentText() == "Facts"
    assert page.one_test.width() > page.one_test.fontMetrics().horizontalAdvance("Misconceptions")

    def energy() -> str:
        return str(page.sides.rows.index(0, 1).data())

    assert "80.0 J" in energy()
    other = page.one_test.findText("Sounds")
    page.one_test.setCurrentIndex(other)
    page.one_test.activated.emit(other)
    qtbot.waitUntil(lambda: "40.0 J" in energy())
    assert page.one_test.currentText() == "Sounds"
    ids = list(page.model.standing.entries[0].run_ids)
    page.show_ids([ids[0], page.model.standing.entries[1].run_ids[0]])
    qtbot.waitUntil(lambda: not page.one_test.isVisible())


def test_where_another_test_is_refused_the_one_that_is_laid_stays_named(
    qtbot: QtBot, of_two_tests: ComparePage, history: History
) -> None:
    page = of_two_tests
    history.edits.delete(history.browse.numbers(EVERYTHING, 10))
    assert purge_deleted(history.store, timedelta(seconds=-1)) == 4
    other = page.one_test.findText("Sounds")
    page.one_test.setCurrentIndex(other)
    with qtbot.waitSignal(page.model.refused):
        page.one_test.activated.emit(other)
    assert page.one_test.currentText() == "Facts"


def test_rows_of_unlike_numbers_of_items_tell_them(
    qtbot: QtBot, bridge: Bridge, history: History
) -> None:
    suite_id = begin_suite(history)
    stored_run(history, suite_id, "a", items(18), planned=20)
    stored_run(history, suite_id, "b", items(5, of=8), planned=8)
    page = opened(qtbot, bridge, history)
    assert [cell(page, row, MODEL).note.split(" · ")[-2] for row in range(2)] == [
        "20 items", "8 items",
    ]  # fmt: skip
    assert "Not every row has done as many items (8 to 20)" in page._notes.text()
    assert "single runs scatter is not known" in page._notes.text()


def test_the_verdict_is_that_of_the_runs_and_says_what_would_settle_it(
    qtbot: QtBot, bridge: Bridge, history: History
) -> None:
    ids = [
        runs_stored(history, prompt, joules)[0]
        for prompt, joules in (
            ("A", [10.0, 14.0, 9.0, 12.0]),
            ("B", [14.0, 12.0, 15.0, 10.0]),
            ("C", [90.0, 92.0, 91.0, 94.0]),
        )
    ]
    page = opened(qtbot, bridge, history)
    page.show_ids(ids)
    qtbot.waitUntil(lambda: page.sides.rows.columnCount() == 4)
    index = page.sides.rows.index
    assert "cannot tell\n+13 % (" in index(0, 2).data()
    assert "higher\n+7" in index(0, 3).data()
    tip = index(0, 2).data(Qt.ItemDataRole.ToolTipRole)
    assert "measured of these two: +40 % (" in tip
    assert "against A, at 95 %: cannot tell" in tip
    notes = page.sides._notes.text().splitlines()
    assert notes[0] == "B, C: The verdict compares 4 runs with 4 runs of the first."
    assert notes[1].startswith("B: About ")
    assert notes[1].endswith(" more runs of each would settle which takes less energy.")
    assert notes[2:] == []


def test_what_cannot_be_compared_is_said(qtbot: QtBot, page: ComparePage) -> None:
    with qtbot.waitSignal(page.said) as said:
        page.show_ids(["one"])
    assert "two to four" in said.args[0]
    with qtbot.waitSignal(page.said) as said:
        page.show_ids(["ffffffff", "eeeeeeee"])
    assert "no query" in said.args[0]


def test_every_control_has_a_name_and_can_be_reached_by_keyboard(page: ComparePage) -> None:
    controls: list[QWidget] = [
        page.tabs, page.tests, page.machines, page.models, page.good_enough.slider,
        page.leaderboard.table, page.leaderboard.rank_by, page.leaderboard.group_by,
        page.leaderboard.weights, page.leaderboard.copy, page.plane_view.plane, page.sides.table,
        page.sides.align, *page.leaderboard.panel.sliders.values(),
    ]  # fmt: skip
    for control in controls:
        assert control.accessibleName()
        assert control.focusPolicy() & Qt.FocusPolicy.TabFocus


def test_a_long_model_name_ends_in_an_ellipsis_and_is_whole_in_the_tooltip(
    qtbot: QtBot, history: History
) -> None:
    record = stored_query(history)
    assert record.model
    name = "My-Extremely-Long-Finetuned-Model-Name-SmolLM2-135M-Instruct-Roleplay"
    record = replace(record, model=replace(record.model, name=name))
    laid = (Side(record, "", {}, {}, None, {}, {}, ""),) * 2
    view = SidesView(LIGHT)
    qtbot.addWidget(view)
    view.resize(700, 400)
    view.show_laid(Laid(laid, (None, None)))
    with qtbot.waitExposed(view):
        view.show()
    header = view.table.horizontalHeader()
    option = QStyleOptionHeader()
    header.initStyleOptionForIndex(option, 1)
    first, second = option.text.split("\n")
    assert first.startswith("A · ")
    assert second.startswith("My-Ext")
    assert second.endswith("…")
    assert name in view.rows.headerData(1, Qt.Orientation.Horizontal, Qt.ItemDataRole.ToolTipRole)
    view.grab()


def test_a_test_whose_items_are_lost_says_why_it_lists_nothing(
    qtbot: QtBot, page: ComparePage, history: History
) -> None:
    assert "missing" not in page._notes.text()
    history.store.write(lambda db: db.execute("delete from bench_items")).result()
    page.refresh()
    qtbot.waitUntil(lambda: "items of its runs are missing" in page._notes.text())


def test_what_was_asked_stands_over_queries_side_by_side(
    qtbot: QtBot, bridge: Bridge, history: History
) -> None:
    ids = [stored_query(history, prompt).id for prompt in ("What is\na watt?",) * 2 + ("And",)]
    page = opened(qtbot, bridge, history)
    page.show_ids(ids[:2])
    qtbot.waitUntil(lambda: page.sides.rows.columnCount() == 3)
    assert page.sides._asked.text() == "What is a watt?"
    page.show_ids(ids[1:])
    qtbot.waitUntil(lambda: page.sides._asked.text() == "A: What is a watt? · B: And")
    assert asked(["x " * 400, "y"]).startswith("A: x x")
    assert len(asked(["x " * 400] * 4)) <= MOST_ASKED


def test_a_question_without_blanks_is_cut_and_one_without_words_is_a_dash() -> None:
    sky = "请解释为什么天空是蓝色的以及日落时为什么会变红" * 12
    assert asked([sky, sky]) == f"{sky[: MOST_ASKED - 1]}…"
    both = asked([sky, f"https://example.org/{'long' * 60}"])
    assert both.startswith(f"A: {sky[:100]}")
    assert "… · B: https://example.org/longlong" in both
    assert len(both) <= MOST_ASKED
    assert asked(["", "Which\n\n unit?"]) == "A: — · B: Which unit?"
    assert asked(["", " "]) == ""
