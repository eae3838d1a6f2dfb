"""The history page over a real database."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from desktop.history.model import PAGE
from desktop.window import MainWindow
from monitor.carbon.intensity import find_zone
from monitor.energy.account import DECODE, Bill, Line
from monitor.energy.interval import Interval
from monitor.engine.gguf import read_model_info
from monitor.power.channel import Accuracy, Channel, Domain, Kind, Role
from monitor.store.history import History, QueryStart
from monitor.store.outcomes import Outcome
from monitor.store.records import Seconds, Status, Tokens

CHANNEL = Channel(
    "rapl:package-0", "CPU 0", Domain.CPU, "package-0", Kind.COUNTER, Role.PART, 0.001, 0.0,
    Accuracy(0.05, 0.05, 0.0, "test"),
)  # fmt: skip


def store(history: History, starter: Path, number: int, joules: float | None) -> None:
    began = history.begin(
        QueryStart(
            kind="ask",
            model=read_model_info(starter),
            sha256="0" * 64,
            modified_ns=0,
            settings={
                "llama_cpp": "0", "context": 512, "threads": 2, "gpu_layers": -1,
                "temperature": 0.7, "top_k": 40, "top_p": 0.95, "min_p": 0.05,
                "repeat_penalty": 1.0, "max_tokens": None, "stop": "[]",
            },
            seed=number,
            system="",
            prompt=f"Question {number}",
            zone=find_zone("WORLD"),
            pue=1.0,
            conversation_id=None,
        )
    )  # fmt: skip
    energy = None if joules is None else Interval(joules, 0.1, 0.1, 0.0)
    line = Line(CHANNEL, DECODE, energy, 10.0, 12.0, 20, 1.0, 2.0, True)
    history.finish(
        began.query_id,
        Outcome(
            Status.DONE, f"Answer {number}", Tokens(10, 0, 50), Seconds(None, 0.1, 0.1, 2.0, 2.1),
            Bill((line,)),
        ),
    )  # fmt: skip


FEW = 10


@pytest.fixture
def few(window: MainWindow, starter: Path) -> MainWindow:
    """The window over a few queries, the fourth of them without energy."""
    for number in range(FEW):
        store(window._services.history, starter, number, None if number == 3 else 20.0 + number)
    return window


@pytest.fixture
def filled(window: MainWindow, starter: Path) -> MainWindow:
    """The window over more queries than are read at once."""
    for number in range(PAGE + 30):
        store(window._services.history, starter, number, 20.0 + number)
    return window


def texts(window: MainWindow) -> str:
    return "\n".join(label.text() for label in window.history_page.view.findChildren(QLabel))


def test_newest_first_older_ones_as_it_scrolls_and_a_row_opens(
    qtbot: QtBot, filled: MainWindow
) -> None:
    page = filled.history_page
    filled.show_page("history")
    qtbot.waitUntil(lambda: page.model.rowCount() == PAGE, timeout=5_000)
    assert page.model.index(0, 2).data() == f"Question {PAGE + 29}"
    page.table.scrollToBottom()
    qtbot.waitUntil(lambda: page.model.rowCount() == PAGE + 30, timeout=5_000)
    prompts = [page.model.index(row, 2).data() for row in range(page.model.rowCount())]
    assert prompts == [f"Question {number}" for number in range(PAGE + 29, -1, -1)]
    page.table.selectRow(5)
    qtbot.waitUntil(lambda: f"Question {PAGE + 24}" in texts(filled), timeout=5_000)
    assert "● " in texts(filled)


def test_missing_energy_is_a_dash_and_never_zero(qtbot: QtBot, few: MainWindow) -> None:
    page = few.history_page
    few.show_page("history")
    qtbot.waitUntil(lambda: page.model.rowCount() == FEW, timeout=5_000)
    row = FEW - 1 - 3
    assert page.model.index(row, 3).data() == "—"
    assert page.model.index(row, 4).data() == "—"
    assert "●" in page.model.index(row - 1, 3).data()


def test_interval_and_kind_are_in_the_tooltip(qtbot: QtBot, few: MainWindow) -> None:
    page = few.history_page
    few.show_page("history")
    qtbot.waitUntil(lambda: page.model.rowCount() == FEW, timeout=5_000)
    tip = page.model.index(0, 3).data(Qt.ItemDataRole.ToolTipRole)
    assert "28.9 J – 29.1 J" in tip
    assert "counted" in tip
