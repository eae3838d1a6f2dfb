"""When the machine is quiet, what is measured then, and what a query has above it."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitor.energy.account import Bill
from monitor.energy.baseline import Baseline, IdleLine
from monitor.engine.messages import DecodeStarted, Done, PrefillStarted
from monitor.gpu_rest import present_gpu_percent, silent_gpus
from monitor.power.channel import Channel, Domain, Kind, Probe, ProbeState, Reading
from monitor.power.sampler import Sampler
from monitor.power.sources.amdgpu import AmdGpu
from monitor.quiet import (
    IdleMeasurement,
    NotQuiet,
    QuietWatch,
    above_last_idle,
    present_conditions,
    take_baseline,
)
from monitor.running import RunningQuery
from monitor.store.baselines import Baselines
from monitor.store.history import History
from monitor.store.records import Status
from tests.hardware.hwmon import AMD, FakeCard, say
from tests.hardware.processor import fake_processor
from tests.unit.builders import channel, query_start
from tests.unit.conftest import Eventually

pytestmark = pytest.mark.usefixtures("patient")

CPU = channel("rapl:package-0", label="CPU 0")


def watched(loads: Iterator[float] | list[float], **keywords: float) -> list[float | None]:
    watch = QuietWatch(quiet_s=60.0, most_cores=0.5, **keywords)
    return [watch.look(2.0 * n, busy) for n, busy in enumerate(loads)]


def test_a_minute_of_low_load_is_quiet() -> None:
    said = watched([0.1] * 40)
    assert said[:30] == [None] * 30
    assert said[30] == 0.0
    assert said[39] == 18.0


@pytest.mark.parametrize("busy_cores", [0.6, 2.0, 64.0])
def test_a_steady_load_is_never_quiet(busy_cores: float) -> None:
    assert watched([busy_cores] * 500) == [None] * 500


def test_a_load_that_comes_and_goes_is_never_quiet() -> None:
    assert not any(watched([0.1, 0.1, 0.1, 1.9] * 200))


def test_a_desktop_s_own_flickering_is_quiet() -> None:
    assert watched([0.1, 0.3, 0.0, 0.9, 0.1] * 8)[-1] is not None


@pytest.mark.parametrize("gpu_percent", [15.0, 99.0])
def test_a_gpu_at_work_is_never_quiet_though_the_processor_is(gpu_percent: float) -> None:
    """A server that has offloaded its model leaves the cores alone."""
    watch = QuietWatch(quiet_s=60.0, most_cores=0.5)
    assert not any(watch.look(2.0 * n, 0.1, gpu_percent=gpu_percent) for n in range(500))


def test_a_gpu_that_draws_a_desktop_is_quiet() -> None:
    watch = QuietWatch(quiet_s=60.0, most_cores=0.5)
    said = [watch.look(2.0 * n, 0.1, gpu_percent=(3.0, 20.0, 0.0)[n % 3]) for n in range(31)]
    assert said[-1] == 0.0


def test_a_busy_look_begins_the_minute_anew() -> None:
    said = watched([0.1] * 20 + [3.0] + [0.1] * 40)
    assert next(n for n, start_s in enumerate(said) if start_s is not None) == 20 + 30
    assert said[50] == 40.0


def test_a_query_or_a_suspend_begins_the_minute_anew() -> None:
    watch = QuietWatch(quiet_s=60.0, most_cores=0.5)
    for n in range(29):
        assert watch.look(2.0 * n, 0.1) is None
    assert watch.look(58.0, 0.1, is_working=True) is None
    assert watch.look(60.0, 0.1) is None
    later = QuietWatch(quiet_s=60.0, most_cores=0.5)
    later.look(0.0, 0.1)
    assert later.look(3600.0, 0.1) is None


class Constant:
    """A source of constant watts."""

    name = "constant"

    def __init__(self, power_w: float) -> None:
        self.power_w = power_w

    def probe(self) -> Probe:
        return Probe(self.name, ProbeState.AVAILABLE, "It is constant.")

    def open(self) -> tuple[Channel, ...]:
        return (replace(CPU, kind=Kind.POWER, period_s=0.02),)

    def read(self) -> list[Reading]:
        return [Reading(CPU.key, time.monotonic(), power_w=self.power_w)]

    def close(self) -> None:
        """Nothing is held open."""


@pytest.fixture
def processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let the processor have computed for so many seconds."""
    return fake_processor(tmp_path, monkeypatch).has_computed


def measured(
    monkeypatch: pytest.MonkeyPatch,
    processor: Callable[[float], None],
    busy_cores: float,
    power_w: float,
) -> Baseline:
    monkeypatch.setattr("monitor.quiet.SETTLE_S", 0.05)
    monkeypatch.setattr("monitor.energy.baseline.BLOCK_S", 0.1)
    with Sampler(50, [Constant(power_w)]) as sampler:
        assert sampler.wait_ready()
        began_s = time.monotonic()
        measuring = IdleMeasurement(sampler, 0.7)
        shares = []
        while not shares or shares[-1] < 1:
            time.sleep(0.05)
            processor(busy_cores * (time.monotonic() - began_s))
            shares.append(measuring.look())
        assert shares == sorted(shares)
        return measuring.finish([])


def test_idle_is_measured_on_demand(
    monkeypatch: pytest.MonkeyPatch, processor: Callable[[float], None]
) -> None:
    made = measured(monkeypatch, processor, 0.05, 20.0)
    assert made.lines[0].median_w == pytest.approx(20.0)
    assert made.conditions.booted_s == 1770000000
    assert made.duration_s == pytest.approx(0.7)


def test_a_loaded_machine_never_redefines_idle(
    monkeypatch: pytest.MonkeyPatch, processor: Callable[[float], None]
) -> None:
    with pytest.raises(NotQuiet, match=r"busy .* 1\.[5-9]|2\.\d cores"):
        measured(monkeypatch, processor, 1.8, 95.0)


def test_unplugging_meanwhile_keeps_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMAWATT_SYSFS", str(tmp_path))
    put(tmp_path, "class/power_supply/AC/online", "1")
    before = present_conditions()
    put(tmp_path, "class/power_supply/AC/online", "0")
    with pytest.raises(NotQuiet, match="charger was changed"):
        take_baseline(Sampler(sources=[]), 0.0, 60.0, before, [])


def test_what_the_system_does_not_tell_in_time_was_not_changed(
    monkeypatch: pytest.MonkeyPatch, processor: Callable[[float], None]
) -> None:
    told = iter([("balanced", True)])

    def ask() -> tuple[str, bool | None]:
        for each in told:
            return each
        raise TimeoutError

    monkeypatch.setattr("monitor.quiet._ask_power", ask)
    made = measured(monkeypatch, processor, 0.05, 20.0)
    assert (made.conditions.profile, made.conditions.on_mains) == ("balanced", True)


# --- GPUs ----------------------------------------------------------------------------------


@pytest.fixture
def radeon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An AMD card at 300 W; measuring is quick."""
    monkeypatch.setenv("LLAMAWATT_SYSFS", str(tmp_path))
    monkeypatch.setattr("monitor.energy.baseline.BLOCK_S", 0.1)
    says = {"name": "amdgpu", "power1_average": 300_000_000}
    return FakeCard(AMD, monitors=(says,), files={"gpu_busy_percent": 99}).put(tmp_path)


def idle_for(sampler: Sampler, seconds: float, **asked: bool) -> Baseline:
    """Take what was read from now on for the idle machine."""
    start_s, conditions = time.monotonic(), present_conditions()
    time.sleep(seconds)
    # Gauges are read once a second: a busy machine may take a little longer.
    while not all(told_since(sampler, gauge.key, start_s) for gauge in sampler.gauges()):
        time.sleep(0.01)
    return take_baseline(sampler, start_s, time.monotonic(), conditions, [], **asked)


def told_since(sampler: Sampler, gauge: str, start_s: float) -> bool:
    """Whether a gauge was read after a moment."""
    latest = sampler.gauge_trace.latest(gauge)
    return latest is not None and latest.time_s > start_s


@pytest.mark.parametrize("is_asked", [False, True])
def test_a_gpu_at_work_never_redefines_idle(radeon: Path, is_asked: bool) -> None:
    with Sampler(20, [AmdGpu()]) as sampler:
        assert sampler.wait_ready()
        with pytest.raises(NotQuiet, match=r"AMD GPU 0 load was 99 % while idle was measured"):
            idle_for(sampler, 1.5, is_asked=is_asked)
        assert present_gpu_percent(sampler) == 99.0


def test_a_gpu_that_rests_at_last_was_at_work_all_the_same(
    radeon: Path, eventually: Eventually
) -> None:
    with Sampler(20, [AmdGpu()]) as sampler:
        assert sampler.wait_ready()
        start_s, conditions = time.monotonic(), present_conditions()
        time.sleep(2.0)
        say(radeon, {"gpu_busy_percent": 0})
        eventually(lambda: present_gpu_percent(sampler) == 0.0)
        with pytest.raises(NotQuiet, match="AMD GPU 0 load was"):
            take_baseline(sampler, start_s, time.monotonic(), conditions, [], is_asked=True)


def test_a_gpu_that_says_it_rests_is_believed_whatever_it_draws(radeon: Path) -> None:
    say(radeon, {"gpu_busy_percent": 4})
    with Sampler(20, [AmdGpu()]) as sampler:
        assert sampler.wait_ready()
        assert silent_gpus(sampler) == ()
        (line,) = idle_for(sampler, 1.5).lines
    assert line.median_w == pytest.approx(300.0)


class SilentGpu:
    """A source of a GPU that tells its watts and no load."""

    name = "silent"

    def __init__(self, power_w: float) -> None:
        self.power_w = power_w

    def probe(self) -> Probe:
        return Probe(self.name, ProbeState.AVAILABLE, "It is simulated.")

    def open(self) -> tuple[Channel, ...]:
        return (SILENT,)

    def read(self) -> list[Reading]:
        return [Reading(SILENT.key, time.monotonic(), power_w=self.power_w)]

    def close(self) -> None:
        """Nothing is held open."""


SILENT = replace(
    channel("intelgpu:0000:03:00.0", domain=Domain.GPU, kind=Kind.POWER, label="Intel GPU 0"),
    period_s=0.02,
)


@pytest.mark.parametrize(
    ("power_w", "before_w", "is_asked", "why"),
    [
        (150.0, None, False, "no earlier baseline says what it draws at rest"),
        (0.4, None, False, ""),
        (16.0, 15.0, False, ""),
        (30.0, 15.0, False, "drew 30.0 W, where it drew 15.0 W before"),
        (150.0, None, True, "A steady load looks the same as rest"),
        (9.0, None, True, ""),
        (30.0, 15.0, True, ""),
        (150.0, 15.0, True, "restart the machine and measure then"),
    ],
)
def test_a_gpu_that_tells_no_load_rests_while_it_draws_what_it_did_at_rest(
    monkeypatch: pytest.MonkeyPatch,
    power_w: float,
    before_w: float | None,
    is_asked: bool,
    why: str,
) -> None:
    monkeypatch.setattr("monitor.energy.baseline.BLOCK_S", 0.1)
    conditions = present_conditions()
    measured_at = datetime.now(UTC).isoformat()
    lines = (IdleLine(SILENT, before_w or 0.0, 0.1, 60),)
    earlier = [Baseline("a", measured_at, 60.0, conditions, lines)] if before_w else []
    with Sampler(50, [SilentGpu(power_w)]) as sampler:
        assert sampler.wait_ready()
        assert silent_gpus(sampler) == ("Intel GPU 0",)
        start_s = time.monotonic()
        time.sleep(1.0)
        taken = (sampler, start_s, start_s + 1.0, conditions, earlier, is_asked)
        if why:
            with pytest.raises(NotQuiet, match=why):
                take_baseline(*taken)
        else:
            assert take_baseline(*taken).lines[0].median_w == pytest.approx(power_w)


def test_after_a_restart_a_person_is_asked_again_and_the_word_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("monitor.energy.baseline.BLOCK_S", 0.1)
    now = present_conditions()
    before = replace(now, boot_id="another start", booted_s=now.booted_s - 9000)
    line = IdleLine(SILENT, 15.0, 0.1, 60)
    earlier = [Baseline("a", datetime.now(UTC).isoformat(), 60.0, before, (line,))]
    with Sampler(50, [SilentGpu(60.0)]) as sampler:
        assert sampler.wait_ready()
        start_s = time.monotonic()
        time.sleep(1.0)
        taken = (sampler, start_s, start_s + 1.0, now, earlier)
        with pytest.raises(NotQuiet, match=r"drew 60\.0 W, where it drew 15\.0 W"):
            take_baseline(*taken)
        made = take_baseline(*taken, is_asked=True, is_sure=True)
        assert (made.lines[0].median_w, made.conditions.on_word) == (60.0, "Intel GPU 0")
        # What is compared with it rests on the same word.
        taken = (sampler, start_s, start_s + 1.0, now, [made, *earlier])
        for is_asked in (False, True):
            assert take_baseline(*taken, is_asked).conditions.on_word == "Intel GPU 0"
        known = replace(made, conditions=now)
        taken = (sampler, start_s, start_s + 1.0, now, [known])
        assert take_baseline(*taken, is_asked=True).conditions.on_word == ""


def test_a_gpu_that_tells_no_load_and_comes_and_goes_is_not_idle(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("monitor.energy.baseline.BLOCK_S", 0.1)
    gpu = SilentGpu(300.0)
    with Sampler(50, [gpu]) as sampler:
        assert sampler.wait_ready()
        start_s, conditions = time.monotonic(), present_conditions()
        time.sleep(1.5)
        gpu.power_w = 20.0
        time.sleep(0.7)
        taken = (sampler, start_s, time.monotonic(), conditions, [])
        with pytest.raises(NotQuiet, match="its watts came and went"):
            take_baseline(*taken, is_asked=True)


# --- conditions ----------------------------------------------------------------------------


def put(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n")


def test_profile_and_mains_are_read_from_the_kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMAWATT_SYSFS", str(tmp_path))
    assert (present_conditions().profile, present_conditions().on_mains) == ("", None)
    put(tmp_path, "firmware/acpi/platform_profile", "balanced")
    policy = "devices/system/cpu/cpu0/cpufreq"
    put(tmp_path, f"{policy}/scaling_governor", "powersave")
    put(tmp_path, f"{policy}/energy_performance_preference", "balance_power")
    put(tmp_path, "class/power_supply/BAT0/status", "Discharging")
    now = present_conditions()
    assert now.profile == "balanced · powersave · balance_power"
    assert now.on_mains is False
    put(tmp_path, "class/power_supply/AC/online", "1")
    assert present_conditions().on_mains is True


def test_a_wireless_mouse_and_a_battery_are_no_chargers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMAWATT_SYSFS", str(tmp_path))
    supplies = "class/power_supply"
    put(tmp_path, f"{supplies}/AC/online", "0")
    put(tmp_path, f"{supplies}/BAT0/type", "Battery")
    put(tmp_path, f"{supplies}/BAT0/online", "1")
    put(tmp_path, f"{supplies}/hidpp_battery_0/scope", "Device")
    put(tmp_path, f"{supplies}/hidpp_battery_0/online", "1")
    assert present_conditions().on_mains is False


def threads_that_ask() -> set[threading.Thread]:
    """Return those that wait for what may hang: none of what other tests have left."""
    return {thread for thread in threading.enumerate() if thread.name == "power-deadline"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes in folders here")
def test_a_charger_whose_driver_hangs_holds_nothing_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMAWATT_SYSFS", str(tmp_path))
    put(tmp_path, "firmware/acpi/platform_profile", "balanced")
    online = tmp_path / "class/power_supply/AC/online"
    online.parent.mkdir(parents=True)
    os.mkfifo(online)
    assert present_conditions().on_mains is None
    # Nor is it asked again while it hangs.
    asking = threads_that_ask()
    for _ in range(3):
        assert present_conditions().on_mains is None
    assert threads_that_ask() <= asking
    online.write_text("1\n")
    for thread in asking:
        thread.join()
    online.unlink()
    put(tmp_path, "class/power_supply/AC/online", "1")
    assert present_conditions().on_mains is True


# --- a query above idle --------------------------------------------------------------------


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    opened = History(tmp_path / "history.db")
    yield opened
    opened.close()


def test_a_query_is_stored_with_what_it_drew_above_idle(history: History) -> None:
    idle = IdleLine(replace(CPU, kind=Kind.POWER, period_s=0.02), 20.0, 0.2, 60)
    measured_at = datetime.now(UTC).isoformat()
    kept = Baselines(history.store).keep(
        Baseline("", measured_at, 60.0, present_conditions(), (idle,))
    )
    with Sampler(50, [Constant(50.0)]) as sampler:
        assert sampler.wait_ready()
        run = RunningQuery(sampler, history, history.begin(query_start()).query_id)
        run.note(PrefillStarted(time.monotonic(), 5, 0))
        time.sleep(0.2)
        run.note(DecodeStarted(time.monotonic()))
        time.sleep(0.2)
        run.note(Done(time.monotonic(), "end", 3, None))
        record = run.finish(Status.DONE, "")
    (row,) = history.store.read().query("select * from queries")
    assert record.bill.total().joules == pytest.approx(50 * row["total_s"], rel=0.02)
    assert row["above_idle_j"] == pytest.approx(30 * row["total_s"], rel=0.03)
    assert row["above_idle_low_j"] < row["above_idle_j"] < row["above_idle_high_j"]
    assert (row["baseline_id"], row["baseline_stale"]) == (kept.id, "")


def test_without_a_baseline_nothing_is_said_to_be_above_it(history: History) -> None:
    assert above_last_idle(Bill(()), history.store) is None
