"""What the window says of the idle machine and of the wall, over simulated sensors."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QWidget
from pytestqt.qtbot import QtBot

from desktop.bridge import Bridge
from desktop.services import Services
from desktop.settings.baseline import BaselineDialog, IdleKeeper
from desktop.settings.calibration import CalibrationDialog
from desktop.theme.palette import DARK, LIGHT
from monitor.energy.baseline import Baseline, IdleLine
from monitor.power.channel import Channel, Domain, Kind, Probe, ProbeState, Reading, Role
from monitor.power.gauge import Gauge, GaugeReading, Quantity
from monitor.quiet import present_conditions
from monitor.staircase import Work
from monitor.store.baselines import Baselines
from monitor.store.calibrations import Calibrations
from tests.desktop.simulated import services_over
from tests.hardware.processor import fake_processor
from tests.unit.builders import channel

CPU = replace(channel(label="CPU 0"), kind=Kind.POWER, period_s=0.02)
GPU = replace(
    channel("intelgpu:0000:03:00.0", domain=Domain.GPU, label="Intel GPU 0"), kind=Kind.POWER
)
PLUG = replace(CPU, key="plug:0", label="Plug", domain=Domain.SYSTEM, role=Role.WHOLE)

Compute = Callable[[float], None]


class Machine:
    """A source whose plug reads 30 W and a quarter more than its processor draws."""

    name = "simulated"

    def __init__(self, has_plug: bool = True) -> None:
        self.has_plug, self.cpu_w = has_plug, 12.0

    @contextmanager
    def drawing(self, cpu_w: float) -> Iterator[None]:
        self.cpu_w = cpu_w
        yield
        self.cpu_w = 12.0

    def probe(self) -> Probe:
        return Probe(self.name, ProbeState.AVAILABLE, "It is simulated.")

    def open(self) -> tuple[Channel, ...]:
        return (CPU, PLUG) if self.has_plug else (CPU,)

    def read(self) -> list[Reading]:
        now_s, cpu_w = time.monotonic(), self.cpu_w
        read = [Reading(CPU.key, now_s, power_w=cpu_w)]
        return [*read, Reading(PLUG.key, now_s, power_w=30 + 1.25 * cpu_w)][: 1 + self.has_plug]

    def close(self) -> None:
        """Nothing is held open."""


@pytest.fixture
def compute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Compute:
    """Let the processor have computed for so many seconds; measuring is quick."""
    monkeypatch.setattr("monitor.quiet.SETTLE_S", 0.05)
    monkeypatch.setattr("monitor.energy.baseline.BLOCK_S", 0.1)
    monkeypatch.setattr("desktop.settings.baseline.LOOK_MS", 50)
    return fake_processor(tmp_path, monkeypatch).has_computed


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def services(machine: Machine) -> Services:
    return services_over(machine)


def texts(widget: QWidget) -> str:
    shown = (each.text() for each in widget.findChildren(QLabel) if not each.isHidden())
    return "\n".join(shown)


# --- the idle machine ------------------------------------------------------------------------


@pytest.fixture
def dialog(qtbot: QtBot, compute: Compute, services: Services, bridge: Bridge) -> BaselineDialog:
    made = BaselineDialog(bridge, services.history, services.sampler, seconds=0.8)
    qtbot.addWidget(made)
    made.show()
    qtbot.waitUntil(lambda: "Nothing was measured yet" in texts(made))
    return made


def test_idle_is_measured_with_a_button_and_shown(
    qtbot: QtBot, dialog: BaselineDialog, services: Services
) -> None:
    with qtbot.waitSignal(dialog.kept):
        qtbot.mouseClick(dialog.measure, Qt.MouseButton.LeftButton)
        assert dialog.cancel.isVisible()
        assert not dialog.measure.isVisible()
    qtbot.waitUntil(lambda: "◐ 12.0 W" in texts(dialog))
    assert "Total of the parts" in texts(dialog)
    assert "Plug (cross-check)" in texts(dialog)
    assert dialog.measure.isVisible()
    (kept,) = Baselines(services.history.store).newest(5)
    assert kept.total() == (pytest.approx(12.0), pytest.approx(0.0, abs=1e-6))


def test_a_busy_machine_is_told_of_and_nothing_is_kept(
    qtbot: QtBot, dialog: BaselineDialog, services: Services, compute: Compute
) -> None:
    began_s = time.monotonic()
    dialog.start()
    while dialog.cancel.isVisible():
        compute(1.9 * (time.monotonic() - began_s))
        qtbot.wait(30)
    assert "The processor was busy" in dialog.told.text()
    assert Baselines(services.history.store).newest() == []


def test_escape_stops_a_measurement_before_it_closes(
    qtbot: QtBot, dialog: BaselineDialog, services: Services
) -> None:
    # At once: a busy machine may look again only when it is over.
    dialog.start()
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert dialog.isVisible()
    assert "nothing was kept" in dialog.told.text()
    qtbot.wait(900)
    assert Baselines(services.history.store).newest() == []
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.isVisible()


def test_a_stale_baseline_says_why(
    qtbot: QtBot, compute: Compute, services: Services, bridge: Bridge
) -> None:
    before = replace(present_conditions(), boot_id="another start")
    line = IdleLine(CPU, 12.0, 0.2, 60)
    made = Baseline("", datetime.now(UTC).isoformat(), 60.0, before, (line,))
    Baselines(services.history.store).keep(made)
    dialog = BaselineDialog(bridge, services.history, services.sampler)
    qtbot.addWidget(dialog)
    dialog.show()
    qtbot.waitUntil(lambda: "the machine was restarted since" in texts(dialog))


@pytest.mark.parametrize("is_busy", [False, True])
def test_a_quiet_machine_is_measured_by_itself_and_a_busy_one_is_not(
    qtbot: QtBot, compute: Compute, services: Services, bridge: Bridge, is_busy: bool
) -> None:
    keeper = IdleKeeper(bridge, services.history, services.sampler, lambda: is_busy, quiet_s=0.8)
    kept: list[bool] = []
    keeper.kept.connect(lambda: kept.append(True))
    for _ in range(12):
        keeper.look()
        qtbot.wait(100)
    if not is_busy:
        qtbot.waitUntil(lambda: bool(keeper.look() or kept))
    assert len(Baselines(services.history.store).newest(5)) == len(kept) == (not is_busy)
    keeper.deleteLater()


class Offloaded(Machine):
    """A machine whose processor rests while its GPU computes."""

    load = Gauge("simulated:gpu:load", "GPU 0 load", Quantity.UTILISATION, Domain.GPU, "gpu")
    gpu_percent = 99.0

    def gauges(self) -> tuple[Gauge, ...]:
        return (self.load,)

    def read_gauges(self) -> list[GaugeReading]:
        return [GaugeReading(self.load.key, time.monotonic(), self.gpu_percent)]


@pytest.mark.parametrize("machine", [Offloaded()])
def test_a_machine_whose_gpu_computes_is_not_measured_by_itself(
    qtbot: QtBot, compute: Compute, services: Services, bridge: Bridge, machine: Offloaded
) -> None:
    assert services.sampler.wait_ready()
    qtbot.waitUntil(lambda: services.sampler.gauge_trace.latest(machine.load.key) is not None)
    keeper = IdleKeeper(bridge, services.history, services.sampler, lambda: False, quiet_s=0.4)
    for _ in range(12):
        keeper.look()
        qtbot.wait(100)
    assert Baselines(services.history.store).newest() == []
    keeper.deleteLater()


class Silent(Machine):
    """A machine with a GPU that tells its watts and no load."""

    def open(self) -> tuple[Channel, ...]:
        return (*super().open(), GPU)


@pytest.mark.parametrize("machine", [Silent()])
def test_a_gpu_that_tells_no_load_is_named_with_what_to_do(
    qtbot: QtBot, dialog: BaselineDialog, machine: Machine
) -> None:
    assert "Intel GPU 0 does not tell how busy it is." in texts(dialog)
    assert "measure idle once with Measure now" in texts(dialog)


class Working(Silent):
    """The same at 300 W, of which nobody can tell whether it is a load."""

    def read(self) -> list[Reading]:
        return [*super().read(), Reading(GPU.key, time.monotonic(), power_w=300.0)]


@pytest.mark.parametrize("machine", [Working()])
def test_a_gpu_that_tells_nothing_is_asked_for_and_its_idle_is_called_uncertain(
    qtbot: QtBot, dialog: BaselineDialog, machine: Machine, services: Services
) -> None:
    baselines = Baselines(services.history.store)
    assert not dialog.keep.isVisible()
    qtbot.mouseClick(dialog.measure, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(dialog.keep.isVisible)
    assert "Intel GPU 0 drew 300 W all the while" in dialog.told.text()
    assert baselines.newest() == []
    qtbot.mouseClick(dialog.keep, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: dialog.told.text() == "Measured.")
    assert not dialog.keep.isVisible()
    qtbot.waitUntil(lambda: "At rest by a person's word only: Intel GPU 0." in texts(dialog))
    assert "Uncertain, as a GPU that tells no load" in texts(dialog)
    assert baselines.newest()[0].conditions.on_word == "Intel GPU 0"


# --- the wall --------------------------------------------------------------------------------


def calibrating(
    qtbot: QtBot,
    services: Services,
    bridge: Bridge,
    monkeypatch: pytest.MonkeyPatch,
    step_s: float = 0.5,
) -> CalibrationDialog:
    for name, value in {"SETTLE_S": 0.15, "BLOCK_S": 0.15, "TICK_S": 0.05}.items():
        monkeypatch.setattr(f"monitor.staircase.{name}", value)
    monkeypatch.setattr("desktop.settings.calibration.QUICK_S", 6 * step_s)
    dialog = CalibrationDialog(bridge, services.history, services.sampler, LIGHT)
    qtbot.addWidget(dialog)
    dialog.show()
    dialog.quick.setChecked(True)
    return dialog


@pytest.fixture
def steps(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the simulated machine draw what its cores would."""
    loads = {
        Work.IDLE: nullcontext,
        Work.ONE_CORE: lambda: machine.drawing(40.0),
        Work.ALL_CORES: lambda: machine.drawing(90.0),
    }
    monkeypatch.setattr("desktop.settings.calibration.processor_loads", lambda: loads)


def test_the_staircase_ends_with_the_factors_of_the_machine(
    qtbot: QtBot,
    services: Services,
    bridge: Bridge,
    steps: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dialog = calibrating(qtbot, services, bridge, monkeypatch)
    qtbot.waitUntil(lambda: "Plug ◐ 45.0 W   CPU 0 ◐ 12.0 W" in dialog.watts.text())
    told: list[str] = []
    # Behind what shows where it is: of a step that passes while this thread waits, too.
    dialog._climbing.connect(lambda _at: told.append(texts(dialog)))
    with qtbot.waitSignal(dialog.made):
        qtbot.mouseClick(dialog.begin, Qt.MouseButton.LeftButton)
    assert any("Step 3 of 6: All cores" in each and "▸ All cores" in each for each in told)
    kept = Calibrations(services.history.store).latest()
    assert kept is not None
    assert kept.factors[0].value == pytest.approx(1.25, rel=0.03)
    assert f"× {kept.factors[0].value:.3f}" in texts(dialog)
    assert dialog.plot.isVisible()
    dialog.set_theme(DARK)
    again = CalibrationDialog(bridge, services.history, services.sampler, DARK)
    qtbot.addWidget(again)
    qtbot.waitUntil(lambda: f"× {kept.factors[0].value:.3f}" in texts(again))


def test_a_cancelled_staircase_keeps_nothing(
    qtbot: QtBot,
    services: Services,
    bridge: Bridge,
    machine: Machine,
    steps: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dialog = calibrating(qtbot, services, bridge, monkeypatch, step_s=1.5)
    dialog.start()
    qtbot.waitUntil(lambda: machine.cpu_w == 40.0)
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: "Stopped" in dialog.told.text())
    assert dialog.isVisible()
    assert machine.cpu_w == 12.0
    assert Calibrations(services.history.store).latest() is None


@pytest.mark.parametrize("machine", [Machine(has_plug=False)])
def test_without_a_plug_it_says_what_to_connect(
    qtbot: QtBot, services: Services, bridge: Bridge, machine: Machine
) -> None:
    dialog = CalibrationDialog(bridge, services.history, services.sampler, LIGHT)
    qtbot.addWidget(dialog)
    dialog.show()
    assert "Nothing here reads the whole machine" in dialog.watts.text()
    assert not dialog.begin.isEnabled()
