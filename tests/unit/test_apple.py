"""Apple Silicon, with an object that has the attributes of zeus-apple-silicon's."""

import time
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

from monitor.power.channel import Domain, ProbeState, Reading, Role
from monitor.power.sources import apple
from monitor.power.sources.apple import Apple
from monitor.power.trace import Trace

NONE = dict.fromkeys(
    (
        "cpu_total_mj",
        "gpu_mj",
        "dram_mj",
        "ane_mj",
        "gpu_sram_mj",
        "efficiency_cores_mj",
        "performance_cores_mj",
        "efficiency_cluster_mj",
        "performance_cluster_mj",
        "efficiency_core_manager_mj",
        "performance_core_manager_mj",
    )
)


class Chip:
    """A chip whose counters follow a clock, of which a test says what it shows.

    :param watts: of each field
    :param batch_s: so often all but the GPU's are published; 0 at any time
    """

    def __init__(self, batch_s: float = 0.0, **watts: float) -> None:
        self.watts, self.batch_s = watts, batch_s
        self.clock: Callable[[], float] = time.monotonic
        self.fails = False

    def get_cumulative_energy(self) -> SimpleNamespace:
        if self.fails:
            raise RuntimeError("IOReport is gone")
        now_s = self.clock()
        told: dict[str, object] = dict(NONE)
        for name, power_w in self.watts.items():
            at_s = now_s
            if self.batch_s and name != "gpu_mj":
                at_s = now_s // self.batch_s * self.batch_s
            energy_mj = int(1e3 * power_w * at_s)
            told[name] = [energy_mj // 2, energy_mj // 2] if "cores" in name else energy_mj
        return SimpleNamespace(**told)


def opened(chip: Chip) -> Apple:
    source = Apple(lambda: chip)
    assert source.probe().state is ProbeState.AVAILABLE
    return source


class Clock:
    """Time that passes when a test says so."""

    def __init__(self, chip: Chip, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 1000.0
        chip.clock = self.monotonic
        monkeypatch.setattr(apple, "time", self)

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


def polled(source: Apple, clock: Clock, seconds: float, every_s: float = 0.2) -> list[Reading]:
    readings = []
    until_s = clock.now_s + seconds
    while clock.now_s < until_s:
        readings += source.read()
        clock.sleep(every_s)
    return readings


def test_parts_lie_beside_each_other_and_the_cores_inside(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chip = Chip(
        cpu_total_mj=20,
        gpu_mj=10,
        dram_mj=3,
        ane_mj=1,
        gpu_sram_mj=1,
        performance_cores_mj=15,
        efficiency_cores_mj=2,
    )
    Clock(chip, monkeypatch)
    told = {c.key: (c.domain, c.role) for c in opened(chip).open()}
    assert told == {
        "apple:cpu_total_mj": (Domain.CPU, Role.PART),
        "apple:gpu_mj": (Domain.GPU, Role.PART),
        "apple:dram_mj": (Domain.DRAM, Role.PART),
        "apple:ane_mj": (Domain.SOC, Role.PART),
        "apple:performance_cores_mj": (Domain.CPU, Role.INSIDE),
        "apple:efficiency_cores_mj": (Domain.CPU, Role.INSIDE),
        "apple:gpu_sram_mj": (Domain.GPU, Role.INSIDE),
    }


def test_the_processor_replaces_its_model(monkeypatch: pytest.MonkeyPatch) -> None:
    chip = Chip(cpu_total_mj=20)
    Clock(chip, monkeypatch)
    (channel,) = opened(chip).open()
    assert (channel.domain, channel.device) == (Domain.CPU, "package-0")


def test_what_a_chip_does_not_have_is_left_out_and_not_zero(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chip = Chip(cpu_total_mj=20, gpu_mj=10)
    clock = Clock(chip, monkeypatch)
    source = opened(chip)
    keys = {"apple:cpu_total_mj", "apple:gpu_mj"}
    assert {channel.key for channel in source.open()} == keys
    assert {reading.key for reading in source.read()} == keys
    assert [r.counter_j for r in source.read()] == []
    clock.sleep(1.0)
    assert {r.key: r.counter_j for r in source.read()} == pytest.approx(
        {"apple:cpu_total_mj": 20 * clock.now_s, "apple:gpu_mj": 10 * clock.now_s}, abs=0.001
    )


@pytest.mark.parametrize("batch_s", [0.0, 0.7, 2.1])
def test_the_rhythm_of_a_chip_is_found_out(batch_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    chip = Chip(batch_s, cpu_total_mj=20, gpu_mj=10)
    clock = Clock(chip, monkeypatch)
    began_s = clock.now_s
    processor, gpu = opened(chip).open()
    expected_s = max(batch_s, apple.POLL_S)
    assert processor.period_s == pytest.approx(expected_s, abs=0.05)
    # The longest time between two batches, which a test that finds their mean does not undercut.
    assert processor.least_period_s == (processor.period_s if batch_s else 0.0)
    # The shortest of them says how often the sampler asks.
    assert (gpu.period_s, gpu.least_period_s) == (apple.POLL_S, 0.0)
    assert clock.now_s - began_s < 5.0


def test_between_two_batches_there_is_no_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    chip = Chip(2.1, cpu_total_mj=20, gpu_mj=10)
    clock = Clock(chip, monkeypatch)
    source = opened(chip)
    source.open()
    readings = polled(source, clock, 21.0)
    assert len([r for r in readings if r.key == "apple:cpu_total_mj"]) in (10, 11)
    assert len([r for r in readings if r.key == "apple:gpu_mj"]) in (105, 106)


def test_a_window_inside_a_batch_has_its_share_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    chip = Chip(2.1, cpu_total_mj=20, gpu_mj=10)
    clock = Clock(chip, monkeypatch)
    source, trace = opened(chip), Trace()
    for channel in source.open():
        trace.add(channel)
    began_s = clock.now_s
    trace.record(polled(source, clock, 30.0))
    for start_s in np.arange(began_s + 3, began_s + 20, 0.37):
        window = trace.window("apple:cpu_total_mj", start_s, start_s + 3.0)
        assert window.coverage == 1.0
        # The moment of a batch is known to a poll: 20 W for 0.2 s at either end.
        assert window.joules == pytest.approx(60.0, abs=4.1)
        assert window.peak_w == pytest.approx(20.0, rel=0.15)


def test_what_rests_for_long_is_a_reading_of_nothing_spent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chip = Chip(2.1, cpu_total_mj=20, gpu_mj=10, ane_mj=0)
    clock = Clock(chip, monkeypatch)
    source, trace = opened(chip), Trace()
    for channel in source.open():
        trace.add(channel)
    began_s = clock.now_s
    trace.record(polled(source, clock, 30.0))
    window = trace.window("apple:ane_mj", began_s + 5, began_s + 20)
    assert (window.joules, window.coverage) == (0.0, 1.0)


def test_a_failure_of_the_library_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    chip = Chip(cpu_total_mj=20)
    Clock(chip, monkeypatch)
    source = opened(chip)
    chip.fails = True
    with pytest.raises(RuntimeError, match="IOReport is gone"):
        source.read()
    reason = Apple(lambda: chip).probe().reason
    assert "IOReport is gone" in reason
    assert "powermetrics would need an administrator; it is not run" in reason


def test_elsewhere_it_says_why_there_is_nothing() -> None:
    probe = Apple().probe()
    assert (probe.state, probe.reason) == (ProbeState.ABSENT, "This is not a Mac.")
    assert "This Mac shows no energy counters" in Apple(Chip).probe().reason


def test_a_mac_without_the_package_is_told_how_to_get_it() -> None:
    def missing() -> Chip:
        raise ImportError("No module named zeus_apple_silicon")

    probe = Apple(missing).probe()
    assert probe.state is ProbeState.ABSENT
    assert "pip install zeus-apple-silicon" in probe.mend
