"""Calibration against a simulated machine whose power supply is known."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import psutil
import pytest
from click.testing import CliRunner

from monitor.burn import Burner
from monitor.cli import main
from monitor.energy.account import Bill, Phase, account
from monitor.energy.calibration import (
    CannotCalibrate,
    Samples,
    calibrate,
    residuals,
)
from monitor.energy.wall import WallEquivalent, WallUnknown, wall_equivalent, wall_words
from monitor.engine.client import Engine
from monitor.engine.messages import Hello, Load
from monitor.power.channel import (
    Accuracy,
    Channel,
    Domain,
    Kind,
    Probe,
    ProbeState,
    Reading,
    Role,
)
from monitor.power.sampler import Sampler
from monitor.power.trace import Trace
from monitor.staircase import Staircase, Work, await_whole, engine_loads, whole_channel
from monitor.store.calibrations import Calibrations
from monitor.store.database import Store
from monitor.store.history import History
from tests.unit.builders import channel
from tests.unit.conftest import EXACT, Eventually

IDLE_W = 12.0
RATED_W = 550.0
GOLD = ((0.2, 0.87), (0.5, 0.90), (1.0, 0.87))
"""Load and efficiency of a supply that just earns 80 PLUS Gold (115 V)."""

LEVELS = {
    "idle": (12.0, 2.0, 18.0),
    "one core": (38.0, 2.4, 18.0),
    "all cores": (95.0, 3.0, 18.0),
    "decode": (70.0, 9.0, 18.0),
    "prefill": (105.0, 5.0, 18.0),
    "gpu": (35.0, 3.0, 220.0),
}
"""Watts of processor, memory and GPU on each step."""

WHOLE = replace(channel("plug:0", role=Role.WHOLE, domain=Domain.SYSTEM), accuracy=EXACT)
CPU = channel("rapl:package-0", label="CPU 0")
DRAM = channel("rapl:package-0:dram", domain=Domain.DRAM, label="DRAM 0")
GPU = channel("nvml:gpu-0", domain=Domain.GPU, label="GPU 0")


def lost_w(supplied_w: float) -> float:
    """What the supply turns to heat: the parabola through its three rated points."""
    loads_w = [share * RATED_W for share, _ in GOLD]
    losses_w = [w / efficiency - w for w, (_, efficiency) in zip(loads_w, GOLD, strict=True)]
    return float(np.polyval(np.polyfit(loads_w, losses_w, 2), supplied_w))


def wall_w(parts_w: np.ndarray) -> float:
    """The plug's watts: board and fans 25 W, regulators on the processor and the memory."""
    supplied_w = 25.0 + float(np.dot([1.12, 1.05, 1.0], parts_w))
    return supplied_w + lost_w(supplied_w)


def climbed(seed: int, stretches: int = 25, gain: float = 1.0) -> Samples:
    """Climb a staircase and back, with noise on every sensor and a plug that rounds to 0.1 W."""
    random = np.random.default_rng(seed)
    rows, steps, passes = [], [], []
    for climb, names in enumerate((list(LEVELS), list(reversed(LEVELS)))):
        for name in names:
            for _ in range(stretches):
                rows.append(np.array(LEVELS[name]) * (1 + 0.02 * random.standard_normal(3)))
                steps.append(name)
                passes.append(climb)
    read_w = [round(wall_w(w) * (1 + 0.001 * random.standard_normal()), 1) for w in rows]
    return Samples(
        whole=WHOLE,
        channels=(CPU, DRAM, GPU),
        whole_w=np.array(read_w),
        channels_w=np.array(rows) * np.array([gain, 1.0, 1.0]),
        steps=tuple(steps),
        passes=np.array(passes),
    )


def without_gpu_step(gpu_moves_w: float = 0.0) -> Samples:
    """Climb a staircase on which the GPU stays at 18 W, or wanders by so much."""
    samples = climbed(0)
    columns = samples.channels_w.copy()
    columns[:, 2] = 18.0 + gpu_moves_w * np.random.default_rng(5).random(len(columns))
    keep = np.array([name != "gpu" for name in samples.steps])
    return Samples(
        WHOLE, samples.channels, samples.whole_w[keep], columns[keep],
        tuple(name for name in samples.steps if name != "gpu"), samples.passes[keep],
    )  # fmt: skip


def true_factor(part: int) -> float:
    """Watts at the plug for each of a part's, from idle to the most it draws on the staircase."""
    idle = np.array(LEVELS["idle"])
    busy = idle.copy()
    busy[part] = max(level[part] for level in LEVELS.values())
    return (wall_w(busy) - wall_w(idle)) / (busy[part] - idle[part])


@pytest.mark.parametrize("seed", range(6))
def test_factors_of_a_known_power_supply_are_found_within_three_per_cent(seed: int) -> None:
    made = calibrate(climbed(seed), seed)
    for part, factor in enumerate(made.factors):
        assert factor.value == pytest.approx(true_factor(part), rel=0.03), factor.label
        assert factor.low <= factor.value <= factor.high
    assert made.holdout is not None
    assert made.holdout < 0.01


def test_a_sensor_that_reads_a_tenth_low_has_a_factor_a_tenth_higher() -> None:
    right, low = calibrate(climbed(1)), calibrate(climbed(1, gain=0.9))
    assert low.factors[0].value == pytest.approx(right.factors[0].value / 0.9, rel=0.01)


def test_the_factor_of_a_straight_supply_is_within_the_interval_stated() -> None:
    """In nine of ten staircases at least, with noise alone between fit and truth."""
    inside = 0
    for seed in range(40):
        samples = climbed(seed, stretches=8)
        random = np.random.default_rng(1000 + seed)
        true_w = 40.0 + samples.channels_w @ np.array([1.3, 1.1, 1.05])
        noisy_w = true_w * (1 + 0.005 * random.standard_normal(len(true_w)))
        cpu = calibrate(replace(samples, whole_w=noisy_w), seed).factors[0]
        inside += cpu.low <= 1.3 <= cpu.high
    assert inside >= 36


def test_a_channel_that_did_not_move_is_left_in_the_base() -> None:
    still = without_gpu_step()
    made = calibrate(still)
    assert [factor.is_still for factor in made.factors] == [False, False, True]
    assert np.abs(residuals(still, made).told_w - still.whole_w).mean() < 2.0


def test_of_a_perfect_fit_no_more_is_told_than_a_plug_shows(tmp_path: Path) -> None:
    samples = climbed(0)
    straight_w = samples.channels_w @ np.array([1.2, 1.1, 1.3])
    with closing(History(tmp_path / "history.db")) as history:
        made = calibrate(replace(samples, whole_w=straight_w))
        assert made.residual_w < 1e-9
        Calibrations(history.store).keep(made, samples)
    shown = CliRunner(env={"LLAMAWATT_HOME": str(tmp_path)}).invoke(main, ["calibrate", "--show"])
    told = " ".join(shown.output.split())
    assert "is told within 1.00 mW of what CPU package 0 read; one climb foretells the" in told
    assert "other within 0.1 %." in told
    base = next(line for line in shown.output.splitlines() if line.strip().startswith("base"))
    assert base.split() == ["base", "0", "W", "0–0", "W"]


def test_a_plug_that_feeds_another_machine_is_found_out() -> None:
    samples = climbed(0)
    flat = replace(samples, whole_w=np.full_like(samples.whole_w, 61.0))
    with pytest.raises(CannotCalibrate, match="hardly any difference"):
        calibrate(flat)
    few = Samples(
        WHOLE, samples.channels, samples.whole_w[:3], samples.channels_w[:3],
        samples.steps[:3], samples.passes[:3],
    )  # fmt: skip
    with pytest.raises(CannotCalibrate, match="too seldom"):
        calibrate(few)


# --- the wall equivalent ---------------------------------------------------------------------


def billed(cpu_w: float, dram_w: float, gpu_w: float, duration_s: float = 20.0) -> Bill:
    """Bill constant watts as counters read ten times a second."""
    trace = Trace()
    watts = {CPU: cpu_w, DRAM: dram_w, GPU: gpu_w}
    for part in watts:
        trace.add(part)
    for n in range(int(duration_s * 10) + 21):
        at_s = n / 10
        trace.record([Reading(part.key, at_s, counter_j=w * at_s) for part, w in watts.items()])
    return account(trace, watts, [Phase("decode", 1.0, 1.0 + duration_s)])


@pytest.mark.parametrize("parts_w", [(12, 2, 18), (60, 6, 18), (100, 5, 18), (30, 3, 150)])
def test_the_wall_equivalent_holds_what_the_plug_would_have_read(
    parts_w: tuple[float, float, float],
) -> None:
    told = wall_equivalent(billed(*parts_w), calibrate(climbed(3)))
    assert isinstance(told, WallEquivalent)
    true_j = wall_w(np.array(parts_w)) * 20.0
    assert told.energy.joules == pytest.approx(true_j, rel=0.03)
    assert told.energy.low_j <= true_j <= told.energy.high_j
    assert told.beyond == ()


def test_the_plug_s_own_doubt_is_within_the_equivalent() -> None:
    calibration = calibrate(climbed(3))
    doubtful = replace(calibration, accuracy=Accuracy(0.03, 0.03, 0.5, "a test"))
    bill = billed(60, 6, 18)
    sure, unsure = wall_equivalent(bill, calibration), wall_equivalent(bill, doubtful)
    assert isinstance(sure, WallEquivalent)
    assert isinstance(unsure, WallEquivalent)
    more_j = 0.03 * sure.energy.joules + 0.5 * 20
    assert unsure.energy.above_j == pytest.approx(sure.energy.above_j + more_j)


def test_a_load_that_was_not_calibrated_is_said_to_be_extrapolated() -> None:
    told = wall_equivalent(billed(160, 6, 18), calibrate(climbed(3)))
    assert isinstance(told, WallEquivalent)
    assert told.beyond == ("CPU 0",)
    assert "Extrapolated: CPU 0 drew more or less than was calibrated." in wall_words(told)


@pytest.mark.parametrize("gpu_moves_w", [0.0, 4.0])
@pytest.mark.parametrize("gpu_w", [220.0, 60.0, 2.0])
def test_a_gpu_that_was_not_exercised_leaves_the_wall_unknown_once_it_works(
    gpu_moves_w: float, gpu_w: float
) -> None:
    """Its joules would be left out, and the wall would be less than its own parts."""
    told = wall_equivalent(billed(30, 3, gpu_w), calibrate(without_gpu_step(gpu_moves_w)))
    assert isinstance(told, WallUnknown)
    assert told.unexercised == ("GPU 0",)
    assert wall_words(told) == (
        "At the wall: not known, as GPU 0 hardly worked in the calibration. "
        "Calibrate again with that at work."
    )


@pytest.mark.parametrize("gpu_w", [17.0, 18.0, 19.5])
def test_a_gpu_that_rests_as_it_did_on_the_staircase_leaves_the_wall_known(gpu_w: float) -> None:
    told = wall_equivalent(billed(60, 6, gpu_w), calibrate(without_gpu_step()))
    assert isinstance(told, WallEquivalent)
    true_j = wall_w(np.array([60, 6, gpu_w])) * 20.0
    assert told.energy.low_j <= true_j <= told.energy.high_j
    assert told.energy.joules == pytest.approx(true_j, rel=0.03)


def test_other_parts_than_those_calibrated_have_no_wall_equivalent() -> None:
    calibration = calibrate(climbed(3))
    bill = billed(60, 6, 18)
    without = Bill(tuple(line for line in bill.lines if line.channel is not GPU))
    told = wall_equivalent(without, calibration)
    assert isinstance(told, WallUnknown)
    assert "other sensors were read than in the calibration" in wall_words(told)
    assert wall_equivalent(Bill(()), calibration) is None


def test_a_calibration_is_kept_with_its_residuals(tmp_path: Path) -> None:
    samples = climbed(2)
    made = calibrate(samples)
    store = Store(tmp_path / "history.db")
    store.write(
        lambda db: db.table("machines").insert({"id": "a-machine", "name": "here"}, pk="id")
    ).result()
    calibrations = Calibrations(store, "a-machine")
    assert calibrations.latest() is None
    kept = calibrations.keep(made, samples)
    found = calibrations.latest()
    assert found == kept
    assert replace(kept, id="", made_at="") == made
    shown = calibrations.residuals(kept)
    assert shown is not None
    np.testing.assert_array_equal(shown.told_w, residuals(samples, made).told_w)
    assert shown.steps == samples.steps
    store.close()


# --- the staircase ---------------------------------------------------------------------------


class SimulatedMachine:
    """A source whose plug reads what the load of the present step comes to."""

    name = "simulated"

    def __init__(self) -> None:
        self.cpu_w = IDLE_W

    @contextmanager
    def drawing(self, cpu_w: float) -> Iterator[None]:
        self.cpu_w = cpu_w
        yield
        self.cpu_w = IDLE_W

    def probe(self) -> Probe:
        return Probe(self.name, ProbeState.AVAILABLE, "It is simulated.")

    def open(self) -> tuple[Channel, ...]:
        return tuple(replace(each, kind=Kind.POWER, period_s=0.05) for each in (WHOLE, CPU))

    def read(self) -> list[Reading]:
        now_s, cpu_w = time.monotonic(), self.cpu_w
        return [
            Reading(WHOLE.key, now_s, power_w=30.0 + 1.25 * cpu_w),
            Reading(CPU.key, now_s, power_w=cpu_w),
        ]

    def close(self) -> None:
        """Nothing is held open."""


class Around:
    """A source of what contains parts: each tells watts or counts joules, and stands for itself."""

    name = "around"

    def __init__(self, *channels: Channel) -> None:
        self._channels, self._began_s = channels, time.monotonic()

    def probe(self) -> Probe:
        return Probe(self.name, ProbeState.AVAILABLE, "It is simulated.")

    def open(self) -> tuple[Channel, ...]:
        return self._channels

    def read(self) -> list[Reading]:
        now_s = time.monotonic()
        counter_j = 90 * (now_s - self._began_s)
        return [Reading(each.key, now_s, counter_j, 90.0) for each in self._channels]

    def close(self) -> None:
        """Nothing is held open."""


def test_the_machine_is_told_by_watts_before_a_boards_counter_and_by_no_module(
    eventually: Eventually,
) -> None:
    module = replace(GPU, key="a:module", role=Role.WHOLE, kind=Kind.POWER)
    psys, plug = replace(WHOLE, key="b:psys"), replace(WHOLE, key="c:plug", kind=Kind.POWER)
    for channels, best in (((module,), None), ((module, psys), psys), ((psys, plug), plug)):
        with Sampler(50, [Around(*channels)]) as sampler:
            eventually(lambda each=sampler, key=channels[-1].key: each.trace.latest(key))
            assert whole_channel(sampler) == await_whole(sampler) == best


def test_a_boards_counter_does_not_outrun_a_plug_that_was_not_read_yet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shortened(monkeypatch)
    psys, plug = replace(WHOLE, key="b:psys"), replace(WHOLE, key="c:plug", kind=Kind.POWER)
    late = Around(plug)
    late.name = "late"
    read = iter((False, False, True))
    tell = late.read
    monkeypatch.setattr(late, "read", lambda: tell() if next(read, True) else [])
    with Sampler(5, [Around(psys), late]) as sampler:
        assert sampler.wait_ready()
        assert await_whole(sampler) == plug


def shortened(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SETTLE_S": 0.15, "BLOCK_S": 0.15, "TICK_S": 0.02}.items():
        monkeypatch.setattr(f"monitor.staircase.{name}", value)


@contextmanager
def staircase_of(machine: SimulatedMachine) -> Iterator[Staircase]:
    loads = {
        Work.IDLE: nullcontext,
        Work.ONE_CORE: lambda: machine.drawing(40.0),
        Work.ALL_CORES: lambda: machine.drawing(90.0),
    }
    with Sampler(20, [machine]) as sampler:
        assert sampler.wait_ready()
        whole = whole_channel(sampler)
        assert whole is not None
        yield Staircase(sampler, whole, loads, 6 * 0.55)


def test_a_staircase_finds_the_supply_of_a_simulated_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shortened(monkeypatch)
    with staircase_of(SimulatedMachine()) as staircase:
        seen = [(at.number, at.work) for at in staircase.climb(lambda: False)]
        made = calibrate(staircase.samples())
    up = ["idle", "one core", "all cores"]
    assert list(dict.fromkeys(seen)) == list(enumerate([*up, *reversed(up)]))
    assert made.factors[0].value == pytest.approx(1.25, rel=0.03)
    assert made.base_w == pytest.approx(30.0, rel=0.03)


def test_a_cancelled_staircase_ends_its_load_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    shortened(monkeypatch)
    machine = SimulatedMachine()
    with staircase_of(machine) as staircase:
        seen = [at.number for at in staircase.climb(lambda: machine.cpu_w > IDLE_W)]
    assert set(seen) == {0, 1}
    assert machine.cpu_w == IDLE_W


def test_steps_too_short_for_a_slow_battery_are_refused() -> None:
    battery = replace(WHOLE, label="Battery", kind=Kind.POWER, period_s=30.0)
    with pytest.raises(CannotCalibrate, match="every 30 s only"):
        Staircase(Sampler(sources=[]), battery, {Work.IDLE: nullcontext}, 120.0)


@pytest.mark.parametrize(
    ("channels", "offload", "has_step"),
    [
        ((CPU, replace(GPU, key="nvml:GPU-1f0c")), True, True),
        ((CPU, replace(GPU, key="amdgpu:0000:03:00.0")), True, True),
        ((CPU, replace(GPU, key="intelgpu:0000:03:00.0")), True, True),
        ((CPU, replace(GPU, key="apple:gpu_mj")), True, True),
        ((replace(GPU, key="amdgpu:0000:04:00.0", domain=Domain.SOC),), True, True),
        ((CPU, GPU), False, False),
        ((CPU, DRAM), True, False),
        ((CPU, replace(GPU, role=Role.INSIDE)), True, False),
    ],
)
def test_whatever_gpu_is_read_and_can_be_used_has_a_step_of_its_own(
    channels: tuple[Channel, ...], offload: bool, has_step: bool
) -> None:
    engine = cast(Engine, SimpleNamespace(hello=lambda: Hello("0.3", offload, ())))
    request = Load("a.gguf", context=2048, threads=4, gpu_layers=0)
    assert (Work.GPU in engine_loads(engine, request, channels)) is has_step


# --- processor load --------------------------------------------------------------------------


def test_a_burner_spins_for_its_block_and_no_longer(eventually: Eventually) -> None:
    with Burner(1) as burner:
        (process_id,) = burner.process_ids
        spinning = psutil.Process(process_id)
        eventually(lambda: spinning.cpu_times().user > 0.15)
    assert not psutil.pid_exists(process_id)


def test_a_burner_dies_with_the_program_that_was_killed(eventually: Eventually) -> None:
    code = (
        "import time\nfrom monitor.burn import Burner\n"
        "with Burner(1) as burner:\n"
        "    print(*burner.process_ids, flush=True)\n    time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    process_id = int(parent.stdout.readline())
    assert psutil.pid_exists(process_id)
    os.kill(parent.pid, signal.SIGKILL)
    parent.communicate()
    eventually(lambda: not _runs(process_id))


def _runs(process_id: int) -> bool:
    try:
        return psutil.Process(process_id).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
