"""Cost of a frame of a streaming answer that has 20,000 characters, 700 pixels wide.

Run with ``pytest tests/speed -m speed -n 0 -s``. The budget is 16 ms a frame of the window's
thread, laid out and painted.
"""

import gc
import time

import numpy as np
import pytest
from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QApplication, QScrollArea
from pytestqt.qtbot import QtBot

from desktop.chat.rendering.view import AnswerView
from desktop.theme.palette import LIGHT

pytestmark = pytest.mark.speed

LENGTH, PIECE, BUDGET_MS = 20_000, 20, 16.0

PROSE = "The **power** of a processor, in `watts`, is what its *energy* changes by in a second. "
CODE = (
    "def power_w(first: Reading, second: Reading) -> float:\n    return first.energy_j / 2  # J\n\n"
)
MIXED = (
    f"## A heading\n\n{PROSE * 3}\n\n- one $x^2$\n- two\n- three\n\n```python\n{CODE}```\n\n"
    f"| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n\n{PROSE * 2}\n\n"
)
ANSWERS = {
    "mixed": MIXED * (LENGTH // len(MIXED) + 1),
    "one paragraph": PROSE * (LENGTH // len(PROSE) + 1),
    "one block of code": "```python\n" + CODE * (LENGTH // len(CODE) + 1),
    "one table": "| a | b |\n|---|---|\n" + "| some words | **12.4** |\n" * (LENGTH // 25),
    "one list": "- an item of *some* words\n" * (LENGTH // 25),
    "one thought": "<think>" + PROSE * (LENGTH // len(PROSE) + 1),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_frame_of_a_long_answer(qtbot: QtBot, name: str) -> None:
    text = ANSWERS[name][:LENGTH]
    area = QScrollArea()
    area.setWidgetResizable(True)
    view = AnswerView(LIGHT)
    area.setWidget(view)
    qtbot.addWidget(area)
    area.resize(700, 600)
    area.show()
    times_ms = []
    for start in range(0, LENGTH, PIECE):
        view.append(text[start : start + PIECE])
        view._frame.stop()
        start_s = time.thread_time()
        view._show_more()
        _finish_frame(area)
        times_ms.append((time.thread_time() - start_s) * 1e3)
    late_ms = times_ms[-200:]
    # The worst are Python's collections of garbage, about 40 ms each in a process as large as this.
    start_s = time.thread_time()
    view.finish()
    _finish_frame(area)
    end_ms = (time.thread_time() - start_s) * 1e3
    print(
        f"{name}: median {np.median(late_ms):.1f}, 99 % {np.quantile(times_ms, 0.99):.1f}, "
        f"worst {max(times_ms):.1f} ms a frame (budget {BUDGET_MS:.0f}); the last {end_ms:.1f} ms"
    )
    assert np.median(late_ms) <= BUDGET_MS
    assert np.quantile(times_ms, 0.99) <= BUDGET_MS
    assert end_ms <= BUDGET_MS


def _finish_frame(area: QScrollArea) -> None:
    """Lay out what has changed, scroll to its end, as a conversation does, and paint."""
    QApplication.sendPostedEvents(None, QEvent.Type.LayoutRequest)
    area.verticalScrollBar().setValue(area.verticalScrollBar().maximum())
    QApplication.processEvents()


def test_opening_a_whole_answer(qtbot: QtBot) -> None:
    for name, text in ANSWERS.items():
        gc.collect()
        view = AnswerView(LIGHT)
        qtbot.addWidget(view)
        view.resize(700, 600)
        view.show()
        start_s = time.thread_time()
        view.set_text(text)
        first_ms = (time.thread_time() - start_s) * 1e3
        view.settle()
        all_ms = (time.thread_time() - start_s) * 1e3
        print(f"{name}: returns after {first_ms:.1f} ms, all is drawn after {all_ms:.1f} ms")
        assert first_ms <= 50
