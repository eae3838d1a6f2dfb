"""How fast the program answers: cancel, start of the window, the sampler's share of a core.

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
from monitor.power.sampler import Sampler
from tests.hardware.curve import PowerCurve
from tests.hardware.nvml import FakeGpu, load_in_process, write_script
from tests.hardware.sysfs import FakeSysfs, RaplZone

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
    qtbot.waitUntil(lambda: window.chat.model is not None, timeout=10_000)
    print(f"window usable after {time.monotonic() - start_s:.2f} s (budget 1.5)")
    window.close()


def test_sampler_share_of_a_core(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nvml_library: Path
) -> None:
    """Budget: 1 % of a core at 10 Hz with 2 packages, DRAM, psys and 4 GPUs."""
    power = PowerCurve.constant(50.0)
    zones = [
        RaplZone("intel-rapl:0", "package-0", power),
        RaplZone("intel-rapl:0:0", "dram", power),
        RaplZone("intel-rapl:1", "package-1", power),
        RaplZone("intel-rapl:1:0", "dram", power),
        RaplZone("intel-rapl:2", "psys", power),
    ]
    script = tmp_path / "gpus"
    with FakeSysfs(tmp_path / "sys", zones, update_s=0.02) as machine:
        monkeypatch.setenv("LLAMAWATT_SYSFS", str(machine.root))
        write_script(script, [FakeGpu(uuid=f"GPU-{i}") for i in range(4)], machine.epoch_s)
        load_in_process(nvml_library / "libnvidia-ml.so.1", script)
        with Sampler() as sampler:
            sampler.wait_ready()
            assert len(sampler.channels()) == 9
            process = psutil.Process()
            before, start_s = process.cpu_times(), time.monotonic()
            time.sleep(10)
            after, end_s = process.cpu_times(), time.monotonic()
    used_s = after.user + after.system - before.user - before.system
    print(f"sampler: {100 * used_s / (end_s - start_s):.2f} % of a core (budget 1)")
