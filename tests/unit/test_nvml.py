"""NVIDIA GPUs through the real pynvml, on a compiled library that stands in for the driver."""

import json
import os
import subprocess
import sys
import time
from contextlib import closing
from ctypes.util import find_library
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor.energy.account import DECODE, Phase, account
from monitor.power import reader
from monitor.power.channel import Channel, Domain, Kind, ProbeState, Role
from monitor.power.curve import Gap
from monitor.power.sampler import Sampler
from monitor.power.sources.nvml import Nvml, no_library_mend
from tests.hardware.curve import PowerCurve
from tests.hardware.nvml import FakeGpu
from tests.unit.conftest import Eventually, FakeGpus

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the fakes imitate Linux")

REPOSITORY = Path(__file__).resolve().parents[2]

LOAD = PowerCurve(((0.0, 60.0), (0.6, 300.0), (1.3, 220.0)))
STEPS_W = 240.0 + 80.0
FIRST = FakeGpu(uuid="GPU-first", curve=LOAD)
SECOND = FakeGpu(
    uuid="GPU-second",
    name="NVIDIA A100-SXM4-80GB",
    pci_bus_id="00000000:02:00.0",
    curve=PowerCurve.constant(90.0),
    compute_capability=(8, 0),
)
OLDER = FakeGpu(
    uuid="GPU-older", name="NVIDIA GeForce GTX 1080", has_energy=False, has_instant=False
)
DARK = FakeGpu(uuid="GPU-dark", has_energy=False, has_power=False, has_instant=False)


@pytest.fixture(autouse=True)
def _no_gpu_on_the_bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep this machine's own GPUs out."""
    monkeypatch.setenv("LLAMAWATT_SYSFS", str(tmp_path / "sys"))


def opened() -> tuple[Channel, ...]:
    with closing(Nvml()) as nvml:
        assert nvml.probe().state is ProbeState.AVAILABLE
        return nvml.open()


@pytest.mark.parametrize(
    ("gpu", "kind"),
    [
        (FIRST, Kind.COUNTER),
        (FakeGpu(has_power=False, has_instant=False), Kind.COUNTER),
        (OLDER, Kind.POWER),
        (FakeGpu(has_energy=False, has_power=False), Kind.POWER),
    ],
    ids=["everything", "energy only", "average power only", "instant power only"],
)
def test_a_gpu_is_one_part_of_the_kind_its_driver_allows(
    fake_gpus: FakeGpus, gpu: FakeGpu, kind: Kind
) -> None:
    fake_gpus([gpu])
    (channel,) = opened()
    assert (channel.key, channel.device) == (f"nvml:{gpu.uuid}", gpu.uuid)
    assert (channel.domain, channel.role, channel.kind) == (Domain.GPU, Role.PART, kind)
    assert channel.label == f"GPU 0 {gpu.name.removeprefix('NVIDIA ')}"
    assert (channel.step_j > 0.0) is (kind is Kind.COUNTER)


def test_each_gpu_has_a_channel_of_its_own(fake_gpus: FakeGpus) -> None:
    fake_gpus([FIRST, DARK, SECOND])
    channels = opened()
    assert [channel.key for channel in channels] == ["nvml:GPU-first", "nvml:GPU-second"]
    # The numbers are the driver's, as nvidia-smi shows them.
    assert [channel.label[:5] for channel in channels] == ["GPU 0", "GPU 2"]


def test_a_card_whose_sensor_looks_at_a_quarter_of_the_time_is_less_sure(
    fake_gpus: FakeGpus,
) -> None:
    h100 = replace(SECOND, uuid="GPU-h100", compute_capability=(9, 0))
    counted, integrated = h100, replace(h100, uuid="GPU-h100-watts", has_energy=False)
    fake_gpus([FIRST, SECOND, counted, integrated])
    geforce, a100, h100_counter, h100_watts = (channel.accuracy for channel in opened())
    assert a100.below > geforce.below
    assert a100.above > geforce.above
    assert (h100_counter, h100_watts) == (geforce, a100)


# What the probe says.


@pytest.mark.parametrize(
    ("gpus", "init_error", "state", "says", "mend"),
    [
        ([FIRST], 0, ProbeState.AVAILABLE, "GPU 0 GeForce RTX 4090", ""),
        ([], 0, ProbeState.ABSENT, "no GPU", ""),
        ([DARK], 0, ProbeState.ABSENT, "not tell any power", ""),
        ([FakeGpu(lost_from_s=0.0)], 0, ProbeState.ABSENT, "GPU 0 does not answer", ""),
        ([FakeGpu(lost_from_s=0.0, lost_error=4)], 0, ProbeState.DENIED, "refuses", "group"),
        ([FIRST, FakeGpu(lost_from_s=0.0)], 0, ProbeState.AVAILABLE, "GPU 1 does not answer", ""),
        ([FIRST, DARK], 0, ProbeState.AVAILABLE, "GPU 1 tells no power: what it draws is", ""),
        ([FIRST], 18, ProbeState.DENIED, "updated", "Restart the computer"),
        ([FIRST], 9, ProbeState.ABSENT, "Driver Not Loaded", ""),
        ([FIRST], 4, ProbeState.DENIED, "refuses this user", "group"),
    ],
    ids=[
        "available",
        "no gpus",
        "no sensor",
        "lost",
        "one not permitted",
        "one of two lost",
        "one of two without a sensor",
        "driver updated",
        "driver not loaded",
        "no permission",
    ],
)
def test_probe_tells_what_it_found(
    fake_gpus: FakeGpus,
    gpus: list[FakeGpu],
    init_error: int,
    state: ProbeState,
    says: str,
    mend: str,
) -> None:
    fake_gpus(gpus, init_error, elapsed_s=1.0)
    with closing(Nvml()) as nvml:
        probe = nvml.probe()
    assert (probe.source, probe.state) == ("nvml", state)
    assert says in probe.reason
    assert mend in probe.mend
    assert bool(probe.mend) is bool(mend)


def test_the_mend_for_a_missing_driver_suits_the_system() -> None:
    assert no_library_mend("6.8.0-45-generic", has_gpu=False) == ""
    assert "nouveau" in no_library_mend("6.8.0-45-generic", has_gpu=True)
    assert "wsl --shutdown" in no_library_mend("5.15.153.1-microsoft-standard-WSL2", has_gpu=False)


@pytest.mark.skipif(find_library("nvidia-ml") is not None, reason="a real NVML is installed")
def test_a_machine_without_the_library_has_no_driver() -> None:
    code = """
import json
from monitor.power.sources import nvml as nvml_source
from monitor.power.sources.nvml import Nvml, no_library_mend
from monitor.power.nvml.gauges import throttled_by
nvml = Nvml()
probe = nvml.probe()
nvml.close()
print(json.dumps([probe.source, probe.state, probe.reason, probe.mend]))
"""
    environment = {name: value for name, value in os.environ.items() if name != "LD_LIBRARY_PATH"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=REPOSITORY,
        env=environment,
        stdout=subprocess.PIPE,
        check=True,
        timeout=60,
    )
    assert json.loads(done.stdout) == ["nvml", "absent", "No NVIDIA driver is installed.", ""]


# Scopes.


def test_memory_is_inside_the_card_and_the_module_around_it(fake_gpus: FakeGpus) -> None:
    hopper = FakeGpu(
        uuid="GPU-gh", curve=PowerCurve.constant(300.0), memory_w=60.0, module_extra_w=150.0
    )
    fake_gpus([hopper])
    with Sampler(hz=20, sources=[Nvml()]) as sampler:
        assert sampler.wait_ready(timeout_s=10.0)
        start_s = time.monotonic()
        time.sleep(0.4)
        end_s = time.monotonic()
        assert sampler.wait_until(end_s, timeout_s=10.0)
        bill = account(sampler.trace, sampler.channels(), [Phase(DECODE, start_s, end_s)])
    lines = {line.channel.key: line for line in bill.lines}
    roles = {key: line.channel.role for key, line in lines.items()}
    assert roles == {
        "nvml:GPU-gh": Role.PART,
        "nvml:GPU-gh:memory": Role.INSIDE,
        "nvml:GPU-gh:module": Role.WHOLE,
    }
    # The machine may hold more of them: this one is no machine.
    module = lines["nvml:GPU-gh:module"].channel
    assert (module.domain, module.device) == (Domain.GPU, "GPU-gh")
    assert not module.is_machine
    assert lines["nvml:GPU-gh:memory"].mean_w == pytest.approx(60.0, rel=0.01)
    assert lines["nvml:GPU-gh:module"].mean_w == pytest.approx(450.0, rel=0.01)
    assert bill.total().joules == pytest.approx(lines["nvml:GPU-gh"].joules)


def test_a_driver_that_ignores_scopes_shows_no_memory_and_no_module(fake_gpus: FakeGpus) -> None:
    fake_gpus([FakeGpu(memory_w=5.0, module_extra_w=50.0, one_scope=True)])
    assert [channel.role for channel in opened()] == [Role.PART]


@pytest.mark.parametrize(
    ("gpu", "period_s"),
    [
        (FakeGpu(), 0.1),
        (FakeGpu(has_instant=False), 1.0),
        (FakeGpu(has_fields=False, compute_capability=(8, 6)), 1.0),
        (FakeGpu(has_fields=False, compute_capability=(8, 0)), 0.1),
        (FakeGpu(has_fields=False, compute_capability=(7, 0)), 0.1),
    ],
    ids=["instant", "average", "usage of an RTX 3090", "usage of an A100", "usage of a V100"],
)
def test_averaged_watts_are_as_old_as_what_they_average(
    fake_gpus: FakeGpus, gpu: FakeGpu, period_s: float
) -> None:
    fake_gpus([replace(gpu, has_energy=False)])
    with closing(Nvml()) as nvml:
        nvml.probe()
        (channel,) = nvml.open()
        (reading,) = nvml.read()
    assert channel.period_s == period_s
    # A mean is no younger for being renewed often; watts of the moment are.
    assert channel.least_period_s == (period_s if period_s == 1.0 else 0.0)
    assert reading.power_w == pytest.approx(20.0)


def test_an_instant_field_that_says_nothing_is_not_taken_for_no_power(fake_gpus: FakeGpus) -> None:
    fake_gpus([FakeGpu(has_energy=False, zero_instant=True, curve=PowerCurve.constant(70.0))])
    with closing(Nvml()) as nvml:
        nvml.probe()
        nvml.open()
        (reading,) = nvml.read()
    assert reading.power_w == pytest.approx(70.0)


def test_a_card_divided_by_mig_is_one_card(fake_gpus: FakeGpus) -> None:
    fake_gpus([replace(SECOND, mig_mode=1), FakeGpu(mig_mode=0)])
    with closing(Nvml()) as nvml:
        probe = nvml.probe()
        divided, other = nvml.open()
    assert divided.label == "GPU 0 A100-SXM4-80GB (whole card, MIG)"
    assert "whole card, whichever of its instances" in probe.reason
    assert "MIG" not in other.label


# What is read.


@pytest.mark.parametrize(
    ("has_instant", "seen_w"), [(True, 300.0), (False, 100.0)], ids=["instant", "average only"]
)
def test_after_a_step_the_instant_power_is_shown_where_there_is_one(
    fake_gpus: FakeGpus, has_instant: bool, seen_w: float
) -> None:
    # 100 s after the step, of an average over 1000 s: a tenth of it is at the new power.
    curve = PowerCurve(((0.0, 77.75), (1000.0, 300.0)))
    gpu = FakeGpu(curve=curve, has_instant=has_instant, average_s=1000.0)
    fake_gpus([gpu], elapsed_s=1100.0)
    with closing(Nvml()) as nvml:
        nvml.probe()
        nvml.open()
        (reading,) = nvml.read()
    assert reading.power_w == pytest.approx(seen_w, rel=0.05)
    assert reading.counter_j is not None


@pytest.mark.parametrize(
    "by_field",
    [{}, {"energy_field_scale": 0.0}, {"energy_field_scale": 2.0}, {"has_fields": False}],
    ids=["a field", "no field", "another counter", "no fields"],
)
def test_the_counter_is_told_in_joules_whichever_way(
    fake_gpus: FakeGpus, by_field: dict[str, Any]
) -> None:
    gpu = FakeGpu(curve=PowerCurve.constant(50.0), energy_start_mj=4_000_000, **by_field)
    fake_gpus([gpu], elapsed_s=100.0)
    with closing(Nvml()) as nvml:
        nvml.probe()
        nvml.open()
        (reading,) = nvml.read()
    assert reading.counter_j == pytest.approx(4_000.0 + 50.0 * 100.0, rel=0.05)


def test_what_a_driver_passes_over_is_not_told_as_it_was(fake_gpus: FakeGpus) -> None:
    steady = PowerCurve.constant(50.0)
    epoch_s = fake_gpus([FakeGpu(curve=steady, fields_until_s=10.4)], elapsed_s=10.0)
    with closing(Nvml()) as nvml:
        nvml.probe()
        nvml.open()
        (before,) = nvml.read()
        assert before.power_w == pytest.approx(50.0)
        time.sleep(max(epoch_s + 10.42 - time.monotonic(), 0.0))
        (reading,) = nvml.read()
    assert reading.power_w is None
    # The counter has a call of its own as well.
    truth_j = steady.energy_j(0.0, reading.time_s - epoch_s)
    assert reading.counter_j == pytest.approx(truth_j, abs=50.0 * 0.05)


def test_energies_of_two_gpus_match_the_truth(fake_gpus: FakeGpus) -> None:
    older = FakeGpu(uuid="GPU-older", curve=LOAD, has_energy=False, has_instant=False)
    truths = {"nvml:GPU-first": LOAD, "nvml:GPU-second": SECOND.curve, "nvml:GPU-older": LOAD}
    epoch_s = fake_gpus([FIRST, SECOND, older])
    with Sampler(hz=20, sources=[Nvml()]) as sampler:
        assert sampler.wait_ready(timeout_s=10.0)
        start_s = time.monotonic()
        time.sleep(1.7)
        end_s = time.monotonic()
        assert sampler.wait_until(end_s, timeout_s=10.0)
        bill = account(sampler.trace, sampler.channels(), [Phase(DECODE, start_s, end_s)])
        read_s = {key: sampler.trace.curve(key, start_s, end_s).time_s for key in truths}
    lines = {line.channel.key: line for line in bill.lines}
    assert set(lines) == set(truths)
    sum_j = 0.0
    for key, curve in truths.items():
        truth_j = curve.energy_j(start_s - epoch_s, end_s - epoch_s)
        # Each of two steps lies somewhere between two readings, and a counter's ends between two
        # refreshes. On a busy machine readings are further apart.
        apart_s = float(np.diff(read_s[key]).max())
        assert lines[key].joules == pytest.approx(truth_j, abs=STEPS_W * apart_s + 300.0 * 0.04)
        assert lines[key].energy.low_j <= truth_j <= lines[key].energy.high_j
        assert lines[key].coverage > 0.9
        sum_j += lines[key].joules
    assert lines["nvml:GPU-older"].channel.kind is Kind.POWER
    assert bill.total().joules == pytest.approx(sum_j)
    assert bill.total().kind is Kind.POWER


def test_a_lost_gpu_is_missing_while_others_go_on_and_comes_back(
    fake_gpus: FakeGpus, eventually: Eventually
) -> None:
    lost_from_s, lost_until_s = 0.8, 1.4
    counting = FakeGpu(
        uuid="GPU-counting",
        curve=PowerCurve.constant(200.0),
        lost_from_s=lost_from_s,
        lost_until_s=lost_until_s,
    )
    telling = FakeGpu(
        uuid="GPU-telling",
        curve=PowerCurve.constant(200.0),
        has_energy=False,
        lost_from_s=lost_from_s,
        lost_until_s=lost_until_s,
    )
    keys = ["nvml:GPU-counting", "nvml:GPU-telling", "nvml:GPU-second"]
    epoch_s = fake_gpus([counting, telling, SECOND])
    with Sampler(hz=20, sources=[Nvml()]) as sampler:
        assert sampler.wait_ready(timeout_s=10.0)
        assert [channel.key for channel in sampler.channels()] == keys
        eventually(lambda: time.monotonic() > epoch_s + lost_until_s)
        for key in keys:
            back_s = time.monotonic()
            eventually(lambda key=key, at_s=back_s: sampler.trace.latest(key)[0] > at_s)
        trace = sampler.trace
        end_s = min(trace.latest(key)[0] for key in keys)
        assert "does not answer" not in sampler.probes()[0].reason
    for key in keys[:2]:
        time_s = trace.curve(key).time_s - epoch_s
        assert not np.any((time_s > lost_from_s + 0.05) & (time_s < lost_until_s))
    # The loss costs the watts of that time; a counter that went on bridges it.
    start_s = trace.curve(keys[0]).time_s[0]
    counted = trace.window(keys[0], start_s, end_s)
    assert counted.coverage == pytest.approx(1.0)
    assert counted.joules == pytest.approx(200.0 * (end_s - start_s), rel=0.1)
    told = trace.window(keys[1], epoch_s + lost_from_s + 0.05, epoch_s + lost_until_s)
    assert (told.joules, told.coverage) == (None, 0.0)
    assert np.count_nonzero(trace.curve(keys[1]).gap[1:] == Gap.MISSED) == 1
    read_s = trace.curve(keys[2]).time_s - epoch_s
    assert np.count_nonzero((read_s > lost_from_s + 0.05) & (read_s < lost_until_s)) >= 2
    other = trace.window(keys[2], start_s + 0.05, end_s)
    assert other.coverage == pytest.approx(1.0)
    assert other.joules == pytest.approx(90.0 * (end_s - start_s - 0.05), rel=0.1)


def test_a_machine_whose_only_gpu_is_lost_says_so(
    fake_gpus: FakeGpus, eventually: Eventually
) -> None:
    fake_gpus([FakeGpu(lost_from_s=0.7)])
    with Sampler(hz=20, sources=[Nvml()]) as sampler:
        assert sampler.wait_ready(timeout_s=10.0)
        eventually(lambda: "failing" in sampler.probes()[0].reason)
        assert "lost" in sampler.probes()[0].reason.lower()


@pytest.mark.parametrize(
    ("lost_error", "has_energy"),
    [(15, True), (1, False)],
    ids=["counts, fallen off the bus", "tells watts, driver reloaded"],
)
def test_a_gpu_that_needs_a_fresh_start_gets_one_without_a_hole_in_the_others(
    fake_gpus: FakeGpus, eventually: Eventually, lost_error: int, has_energy: bool
) -> None:
    lost = FakeGpu(
        uuid="GPU-lost",
        curve=PowerCurve.constant(200.0),
        has_energy=has_energy,
        lost_by_field=True,
        lost_from_s=0.7,
        lost_until_s=0.9,
        lost_until_init=True,
        lost_error=lost_error,
    )
    epoch_s = fake_gpus([lost, SECOND])
    with Sampler(hz=20, sources=[Nvml(revive_s=0.3)]) as sampler:
        assert sampler.wait_ready(timeout_s=10.0)
        eventually(lambda: time.monotonic() > epoch_s + 0.9)
        back_s = time.monotonic()
        eventually(lambda: sampler.trace.latest("nvml:GPU-lost")[0] > back_s)
        trace = sampler.trace
    seen_s = trace.curve("nvml:GPU-lost").time_s - epoch_s
    assert not np.any((seen_s > 0.75) & (seen_s < 0.9))
    assert np.all(np.diff(trace.curve("nvml:GPU-lost").energy_j) >= 0.0)
    other = trace.curve("nvml:GPU-second")
    assert trace.window("nvml:GPU-second", other.time_s[0], other.time_s[-1]).coverage == 1.0
    # Opening the whole source anew would take longer, and begin with a reset.
    assert np.max(np.diff(other.time_s)) < reader.DEAD_S + reader.FIRST_DELAY_S


def test_a_gpu_that_does_not_answer_at_first_is_read_once_it_does(
    fake_gpus: FakeGpus, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "RETRY_S", 0.02)
    # It is no failure, which would be waited out.
    monkeypatch.setattr(reader, "FIRST_DELAY_S", 60.0)
    late = FakeGpu(uuid="GPU-late", lost_from_s=0.0, lost_until_s=0.8, lost_until_init=True)
    fake_gpus([late, SECOND])

    def make() -> Nvml:
        return Nvml(revive_s=0.2)

    sampler = Sampler(20, sources=[])
    sampler.add(make(), make)
    with sampler:
        assert sampler.wait_ready(timeout_s=10.0)
        assert [channel.device for channel in sampler.channels()] == ["GPU-second"]
        assert "GPU 0 does not answer" in sampler.probes()[0].reason
        eventually(lambda: sampler.trace.latest("nvml:GPU-late"))
        assert [channel.device for channel in sampler.channels()] == ["GPU-late", "GPU-second"]
        assert "does not answer" not in sampler.probes()[0].reason
