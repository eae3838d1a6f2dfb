"""How fast the program answers: cancel, start of the window.

Run with ``pytest tests/speed -m speed -n 0 -s``.
"""

import statistics
import threading
import time
from pathlib import Path

import psutil
import pytest
from pytestqt.qtbot import QtBot

from desktop.services import start_services
from desktop.theme.palette import LIGHT
from desktop.window import MainWindow
from monitor.engine.client import Engine
from monitor.engine.messages import (
    ChatMessage,
    DecodeStarted,
    Done,
    Generate,
    Load,
    PrefillStarted,
    Sampling,
)

pytestmark = [pytest.mark.speed, pytest.mark.timeout(300)]

ROUNDS = 7


@pytest.mark.parametrize("phase", [PrefillStarted, DecodeStarted])
def test_cancel(starter: Path, phase: type) -> None:
    """Budget: 200 ms, in prefill as well as decode."""
    engine = Engine()
    for _ in engine.load(Load(str(starter), context=4096, threads=psutil.cpu_count() or 1)):
        pass
    question = "word " * 3000 if phase is PrefillStarted else "Write a very long story."
    waits_ms = []
    for number in range(ROUNDS):
        cancelled_s = 0.0

        def cancel() -> None:
            nonlocal cancelled_s
            cancelled_s = time.monotonic()
            engine.cancel()

        message = ChatMessage("user", f"{number} {question}")
        for answer in engine.work(Generate((message,), Sampling(temperature=0))):
            if isinstance(answer, phase):
                threading.Timer(0.3, cancel).start()
            if isinstance(answer, Done):
                assert answer.reason == "cancelled"
                waits_ms.append((time.monotonic() - cancelled_s) * 1e3)
    engine.stop()
    print(f"cancel in {phase.__name__}: median {statistics.median(waits_ms):.0f} ms, "
          f"longest {max(waits_ms):.0f} ms (budget 200)")  # fmt: skip


def test_window_is_usable(qtbot: QtBot) -> None:
    """Budget: 1.5 s after start, with Python and Qt already loaded."""
    start_s = time.monotonic()
    window = MainWindow(start_services(), LIGHT)
    window.show()
    qtbot.waitUntil(lambda: window.engine.model is not None, timeout=10_000)
    print(f"window usable after {time.monotonic() - start_s:.2f} s (budget 1.5)")
    window.close()
