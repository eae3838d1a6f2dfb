"""When the machine is quiet, what is measured then, and what a query has above it."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitor.energy.account import Bill
from monitor.energy.baseline import Baseline, IdleLine
from monitor.engine.messages import DecodeStarted, Done, PrefillStarted
from monitor.power.channel import Channel, Kind, Probe, ProbeState, Reading
from monitor.power.sampler import Sampler
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
from tests.hardware.processor import fake_processor
from tests.unit.builders import channel, query_start

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
        return measuring.finish()


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
        take_baseline(Sampler(sources=[]), 0.0, 60.0, before)


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
