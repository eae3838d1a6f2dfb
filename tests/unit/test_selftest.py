"""What the self-test finds of sensors whose rhythm is known: real files, a compiled driver."""

import io
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from monitor.commands import selftest
from monitor.commands.selftest import HINT
from monitor.commands.selftest import test_sensors as sensors_test_command
from monitor.commands.sensors import sensors
from monitor.commands.terminal import open_history
from monitor.power.channel import Channel, Kind, Probe, ProbeState, Reading
from monitor.power.selftest import (
    PLAUSIBLE,
    READS,
    Finding,
    Traits,
    Verdict,
    examine,
    period_of,
    refined,
    spread_of,
    step_of,
    used_period_s,
)
from monitor.power.sources import Source
from monitor.power.sources.intelgpu import IntelGpu
from monitor.power.sources.modelled import ModelledCpu
from monitor.power.sources.nvml import Nvml
from monitor.sensor_testing import SensorTest, untested
from monitor.store.sensor_traits import SensorTraits
from tests.hardware.curve import PowerCurve
from tests.hardware.hwmon import INTEL, FakeCard, say
from tests.hardware.nvml import FakeGpu
from tests.hardware.sysfs import FakeSysfs, RaplZone
from tests.unit import builders
from tests.unit.conftest import FakeGpus, MakeChannel, StillSysfs

SINUS = tuple((at / 50, 100 + 50 * float(np.sin(at / 3))) for at in range(200))
UNEVEN = PowerCurve(SINUS)
PACKAGE = RaplZone("intel-rapl:0", "package-0", UNEVEN)
UNCORE = RaplZone("intel-rapl:0:0", "uncore", PowerCurve.constant(0.0), start_uj=5_000_000)

GO_ON = threading.Event()


def traits_by_key(findings: tuple[Finding, ...]) -> dict[str, Traits]:
    return {finding.channel.key: finding.traits for finding in findings}


def examined(make: Callable[[], Source], seconds: float) -> tuple[Finding, ...]:
    """Look until the test is sure of each sensor: a busy machine reads too late now and then."""
    for _ in range(5):
        findings = examine(make(), seconds, GO_ON)
        if all(finding.traits.verdict is not Verdict.UNSURE for finding in findings):
            break
    return findings


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSysfs]:
    """Counters of which one refreshes every 20 ms and the other stands still."""
    with FakeSysfs(tmp_path / "sys", [PACKAGE, UNCORE], update_s=0.02) as made:
        monkeypatch.setenv("LLAMAWATT_SYSFS", str(made.root))
        yield made


# On sensors whose rhythm is known.


@pytest.mark.skipif(sys.platform != "linux", reason="the fakes imitate Linux")
def test_each_gpu_of_a_driver_has_its_own_period(fake_gpus: FakeGpus) -> None:
    quick = FakeGpu(uuid="GPU-quick", curve=UNEVEN, energy_step_s=0.04)
    slow = FakeGpu(uuid="GPU-slow", curve=UNEVEN, energy_step_s=0.08)
    fake_gpus([quick, slow])
    found = traits_by_key(examined(Nvml, 1.4))
    for gpu in (quick, slow):
        traits = found[f"nvml:{gpu.uuid}"]
        assert traits.verdict is Verdict.FOUND
        assert traits.period_s == pytest.approx(gpu.energy_step_s, rel=0.2)
        assert traits.step_j == 0.001


@pytest.mark.skipif(sys.platform != "linux", reason="the fakes imitate Linux")
def test_a_source_that_tells_only_what_is_new_has_a_period_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMAWATT_SYSFS", str(tmp_path))
    monitors = ({"name": "i915", "energy1_input": 1_000_000},)
    card = FakeCard(INTEL, number=1, monitors=monitors).put(tmp_path)
    period_s = 0.03

    class Refreshed(IntelGpu):
        """Its counter's file is written as it is read, and says something new every period."""

        def read(self) -> list[Reading]:
            energy_uj = 1_000_000 + 1_200_000 * int(time.monotonic() / period_s)
            say(card / "hwmon/hwmon3", {"energy1_input": energy_uj})
            return super().read()

    (finding,) = examined(Refreshed, 1.5)
    assert finding.traits.verdict is Verdict.FOUND
    assert finding.traits.period_s == pytest.approx(period_s, rel=0.2)


def test_a_modelled_channel_is_no_sensor() -> None:
    began_s = time.monotonic()
    assert examine(ModelledCpu(), 60.0, GO_ON) == ()
    assert time.monotonic() - began_s < 30.0


class Scripted:
    """A sensor whose watts or joules are a function of time."""

    name = "scripted"

    def __init__(self, channel: Channel, told: "object") -> None:
        self._channel, self._told = channel, told
        self.reads, self.is_closed = 0, False

    def probe(self) -> Probe:
        return Probe(self.name, ProbeState.AVAILABLE, "Scripted.")

    def open(self) -> tuple[Channel, ...]:
        return (self._channel,)

    def read(self) -> list[Reading]:
        self.reads += 1
        now_s = time.monotonic()
        value = self._told(now_s)  # type: ignore[operator]
        if self._channel.kind is Kind.COUNTER:
            return [Reading(self._channel.key, now_s, counter_j=value)]
        return [Reading(self._channel.key, now_s, power_w=value)]

    def close(self) -> None:
        self.is_closed = True


def test_what_changes_at_every_reading_refreshes_faster_than_is_read(
    make_channel: MakeChannel,
) -> None:
    """The learned period bounds the true one, and only a documented one that is longer yields."""
    for documented_s, is_learned in ((0.4, True), (0.0001, False)):
        channel = make_channel(period_s=documented_s)
        (finding,) = examine(Scripted(channel, lambda now_s: 30 * now_s), 0.25, GO_ON)
        assert finding.traits.verdict is Verdict.FAST
        learned = refined(channel, finding.traits)
        assert (learned.period_s < documented_s) is is_learned
        assert learned.period_s >= min(documented_s, 0.00025)


def test_a_period_far_from_the_documented_one_is_refused(make_channel: MakeChannel) -> None:
    channel = make_channel(period_s=0.0003)
    period_s = 1.2 * PLAUSIBLE * channel.period_s
    sources: list[Scripted] = []

    def make() -> Scripted:
        sources.append(Scripted(channel, lambda now_s: 30 * (now_s // period_s)))
        return sources[-1]

    (finding,) = examined(make, 1.0)
    assert finding.traits.verdict is Verdict.REFUSED
    assert refined(channel, finding.traits).period_s == channel.period_s
    assert all(source.is_closed for source in sources)
    # Found in the third stage at the latest; a rest then.
    assert sources[-1].reads < 3 * READS + 5


def test_watts_tell_a_period_and_no_step(make_channel: MakeChannel) -> None:
    channel = make_channel(kind=Kind.POWER, period_s=0.1)
    (finding,) = examined(
        lambda: Scripted(channel, lambda now_s: 40 + (7 * (now_s // 0.04)) % 5), 0.9
    )
    assert finding.traits.period_s == pytest.approx(0.04, rel=0.2)
    assert finding.traits.step_j is None


def test_a_reading_without_its_counter_repeats_the_one_before(make_channel: MakeChannel) -> None:
    told = [0.0]

    def new_j(now_s: float) -> float | None:
        told.append(30 * (now_s // 0.04))
        return told[-1] if told[-1] != told[-2] else None

    channel = make_channel(period_s=0.1)
    (finding,) = examined(lambda: Scripted(channel, new_j), 0.9)
    assert finding.traits.verdict is Verdict.FOUND
    assert finding.traits.period_s == pytest.approx(0.04, rel=0.2)


def test_a_source_that_never_answers_is_said_to_be_silent(make_channel: MakeChannel) -> None:
    def fail(_now_s: float) -> float:
        raise OSError("gone")

    (finding,) = examine(Scripted(make_channel(period_s=0.01), fail), 0.1, GO_ON)
    assert (finding.traits.verdict, finding.traits.samples) == (Verdict.SILENT, 0)


def test_a_cancelled_test_ends_at_once_and_finds_nothing(make_channel: MakeChannel) -> None:
    source = Scripted(make_channel(), lambda _now_s: 1.0)
    test = SensorTest(60.0, [lambda: source])
    threading.Timer(0.2, test.cancel).start()
    began_s = time.monotonic()
    assert test.run() == ()
    assert test.is_cancelled
    assert time.monotonic() - began_s < 30.0
    assert source.is_closed


def test_a_source_that_fails_to_open_disturbs_no_other(make_channel: MakeChannel) -> None:
    class Broken(Scripted):
        def open(self) -> tuple[Channel, ...]:
            raise RuntimeError("driver error 42")

    channel = make_channel(period_s=0.01)
    sources = [
        lambda: Broken(make_channel("test:broken"), float),
        lambda: Scripted(channel, lambda now_s: now_s // 0.01),
    ]
    shares: list[float] = []
    findings = SensorTest(0.4, sources).run(shares.append)
    assert [finding.channel.key for finding in findings] == [channel.key]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


class Hastened(Scripted):
    """A sensor whose clock runs so fast that half a second holds ten."""

    SPEED = 20

    def read(self) -> list[Reading]:
        self.reads += 1
        time_s = self.SPEED * time.monotonic()
        return [Reading(self._channel.key, time_s, counter_j=self._told(time_s))]  # type: ignore[operator]


@pytest.mark.parametrize(("most_cores", "is_idle"), [(1e6, True), (-1.0, False)])
def test_what_a_busy_machine_draws_is_not_taken_for_idle(
    make_channel: MakeChannel, most_cores: float, is_idle: bool
) -> None:
    channel = make_channel(period_s=0.2)
    sources = [lambda: Hastened(channel, lambda time_s: 30 * (time_s // 0.2) * 0.2)]
    (finding,) = SensorTest(0.7, sources, most_cores).run()
    assert (finding.traits.idle_w is not None) is is_idle
    if is_idle:
        assert finding.traits.idle_w == pytest.approx(30.0, rel=0.05)
        assert finding.traits.spread_w is not None
        assert 0 <= finding.traits.spread_w < 6


# The reckoning alone.


@given(
    period_s=st.floats(0.002, 2.0),
    reads_a_period=st.floats(3.0, 16.0),
    phase=st.floats(0.0, 1.0),
    stalls=st.sets(st.integers(0, 149), max_size=6),
)
def test_a_steady_refresh_is_found_though_some_readings_are_late(
    period_s: float, reads_a_period: float, phase: float, stalls: set[int]
) -> None:
    dt_s = np.full(200, period_s / reads_a_period)
    dt_s[list(stalls)] *= 4
    time_s = np.cumsum(dt_s)
    told = period_of(time_s, np.floor(time_s / period_s + phase))
    assert told is not None
    verdict, found_s = told
    assert verdict is Verdict.FOUND
    assert found_s == pytest.approx(period_s, rel=0.2)


def test_too_few_changes_say_nothing() -> None:
    time_s = np.arange(100) / 100
    assert period_of(time_s, np.zeros(100)) is None
    assert period_of(time_s, np.floor(time_s * 5)) is None


def test_changes_without_a_rhythm_have_no_period() -> None:
    changes = np.cumsum([5, 90, 12, 240, 33, 7, 150, 60, 400, 19, 120, 9])
    value = np.zeros(1300)
    value[changes] = 1.0
    told = period_of(np.arange(1300) / 1000, np.cumsum(value))
    assert told == (Verdict.UNSURE, None)


counts = st.lists(st.integers(1, 5000), min_size=12, max_size=60, unique=True)


@given(counts=counts, start_j=st.floats(0, 1e7))
def test_a_step_of_whole_millijoules_is_exact(counts: list[int], start_j: float) -> None:
    common = np.gcd.reduce(counts)
    counter_j = (round(start_j * 1e3) + np.cumsum([0, *counts])) / 1e3
    assert step_of(np.diff(counter_j)) == pytest.approx(common * 1e-3, rel=1e-9)


@given(counts=counts, exponent=st.sampled_from([14, 16]), start=st.integers(0, 2**32))
def test_a_processors_unit_shows_through_its_whole_microjoules(
    counts: list[int], exponent: int, start: int
) -> None:
    """Driver and processor: 2^-14 or 2^-16 J, rounded down to microjoules."""
    units = start + np.cumsum([0, *counts])
    counter_j = (units * 1_000_000 >> exponent) / 1e6
    found = step_of(np.diff(counter_j))
    # A common divisor of the counts makes the step a multiple, as of any counter.
    assert found is not None
    assert found * 2**exponent == pytest.approx(round(found * 2**exponent))
    if np.gcd.reduce(counts) == 1:
        assert found == 2.0**-exponent


def test_a_steady_load_tells_no_step() -> None:
    """Two joules at each refresh: a property of the load, not of the counter."""
    assert step_of(np.array([0.0, 2.0, 2.0, 0.0, 4.0, 2.0] * 10)) is None


def test_the_spread_is_that_of_the_seconds_and_ignores_a_burst() -> None:
    watts = np.array([10.0, 10.2, 9.8, 10.1, 9.9, 60.0])
    idle_w, spread_w = spread_of(watts)
    assert idle_w == pytest.approx(10.05)
    assert spread_w is not None
    assert 0.1 < spread_w < 0.4
    assert spread_of(watts[:3]) == (None, None)


# The command.


@pytest.mark.skipif(sys.platform != "linux", reason="the fakes imitate Linux")
def test_the_command_finds_period_and_step_of_counters_in_files(
    machine: FakeSysfs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMAWATT_HOME", str(tmp_path / "home"))
    # On a machine that is kept busy the refreshes may be too uneven to tell: then once more.
    for _ in range(4):
        done = CliRunner().invoke(sensors_test_command, ["--seconds", "1.2", "--json"])
        assert done.exit_code == 0, done.output
        package, uncore = json.loads(done.stdout)["sensors"]
        if package["period_s"] is not None:
            break
    assert package["label"] == "CPU 0"
    assert package["period_s"] == pytest.approx(0.02, rel=0.2)
    assert package["step_j"] == 1e-6
    assert package["measured_at"] > "2020"
    assert [uncore[name] for name in ("verdict", "period_s", "step_j")] == ["still", None, None]


def test_the_command_says_that_there_is_no_sensor(
    still_sysfs: StillSysfs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    still_sysfs()
    monkeypatch.setenv("LLAMAWATT_HOME", str(tmp_path / "home"))
    done = CliRunner().invoke(sensors_test_command, ["--seconds", "30"])
    assert done.exit_code == 1
    assert "no sensor to test" in done.output


@pytest.mark.skipif(sys.platform != "linux", reason="the fakes imitate Linux")
def test_who_never_tested_the_sensors_is_told_that_they_can(
    machine: FakeSysfs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMAWATT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    # As wide as the terminal is: a sentence goes on in the next line.
    assert HINT in " ".join(CliRunner().invoke(sensors).stdout.split())
    keys = ("rapl:package-0", "rapl:package-0:uncore")
    with open_history() as history:
        still = [Traits(key, Verdict.STILL, None, None, None, None, 9, 60.0) for key in keys]
        SensorTraits(history.store).keep(still)
    told = CliRunner().invoke(sensors).stdout
    assert "CPU 0" in told
    assert HINT not in " ".join(told.split())


def test_what_is_modelled_or_asked_over_the_network_is_not_waited_for(
    make_channel: MakeChannel,
) -> None:
    counter = make_channel("rapl:package-0")
    others = make_channel("plug:10.0.0.7"), make_channel("model:package-0", kind=Kind.MODELLED)
    assert untested([counter, *others], known=()) == [counter]
    assert untested([counter, *others], known={"rapl:package-0"}) == []


def test_what_watts_vary_by_at_rest_is_the_noise_of_a_refresh(make_channel: MakeChannel) -> None:
    found = Traits("test:one", Verdict.FOUND, None, None, 20.0, 0.3, 300, 60.0)
    for period_s, noise_w in ((2.0, 0.3), (1.0, 0.3), (0.5, 0.3 * 2**0.5), (0.1, 0.3 * 2**0.5)):
        watts = make_channel(kind=Kind.POWER, period_s=period_s)
        assert refined(watts, found).noise_w == pytest.approx(noise_w)
    busy = Traits("test:one", Verdict.FOUND, None, None, None, None, 300, 60.0)
    assert refined(make_channel(kind=Kind.POWER), busy).noise_w == 0.0
    # A counter has added up what its sensor saw.
    assert refined(make_channel(), found).noise_w == 0.0


USUAL = replace(builders.channel("test:one"), period_s=0.1)
SEEN_SLOW = replace(USUAL, period_s=1.0, least_period_s=1.0)
MOMENT = replace(USUAL, kind=Kind.POWER)
MEAN = replace(SEEN_SLOW, kind=Kind.POWER)


@pytest.mark.parametrize(
    ("sensor", "learned_s", "used_s"),
    [
        (MEAN, 0.1, 1.0),
        (MEAN, 2.0, 2.0),
        (MEAN, None, 1.0),
        (MOMENT, 0.02, 0.02),
        (MOMENT, 0.5, 0.5),
        (SEEN_SLOW, 0.001, 1.0),
        (USUAL, 0.02, 0.02),
        (USUAL, 1.0, 1.0),
    ],
)
def test_no_test_undercuts_what_a_source_knows_of_its_sensor(
    sensor: Channel, learned_s: float | None, used_s: float
) -> None:
    found = Traits("test:one", Verdict.FOUND, learned_s, None, 20.0, 0.3, 300, 60.0)
    used = refined(sensor, found)
    assert used.period_s == used_period_s(sensor, found) == used_s
    # What is sampled already is refined no further.
    assert refined(used, found) == used


def test_the_command_says_what_was_learned_of_a_mean_and_what_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMAWATT_HOME", str(tmp_path / "home"))
    sources = [lambda: Scripted(MEAN, lambda now_s: 40 + (7 * (now_s // 0.04)) % 5)]
    monkeypatch.setattr(selftest, "SensorTest", partial(SensorTest, sources=sources))
    done = CliRunner().invoke(sensors_test_command, ["--seconds", "1", "--json"])
    (told,) = json.loads(done.stdout)["sensors"]
    assert told["period_s"] < 0.1
    assert told["used_period_s"] == MEAN.period_s


@pytest.mark.parametrize(
    ("sensor", "now_s", "known_s", "says"),
    [
        (MEAN, 0.1, 0.1, ("100 ms", "but tells a mean: bills take it to be up to 1.00 s old")),
        (
            SEEN_SLOW,
            0.02,
            0.02,
            ("20.0 ms", "seen to move every 1.00 s only when it was opened: bills reckon"),
        ),
        (USUAL, None, 0.02, ("20.0 ms (learned before)",)),
        (USUAL, None, None, ("100 ms (documented)",)),
    ],
)
def test_a_row_of_the_command_tells_a_refresh_and_what_is_reckoned_with(
    sensor: Channel, now_s: float | None, known_s: float | None, says: tuple[str, ...]
) -> None:
    now, known = (
        Traits("test:one", Verdict.FOUND, period_s, None, None, None, 300, 60.0)
        for period_s in (now_s, known_s)
    )
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(selftest.findings_view((Finding(sensor, now),), (known,), ""))
    shown = console.export_text()
    assert all(each in shown for each in says)
    assert ("bills" in shown) is (len(says) > 1)


def test_what_was_found_of_a_counter_is_not_said_of_watts(make_channel: MakeChannel) -> None:
    counted = Traits("test:one", Verdict.FOUND, 0.02, 0.001, 20.0, 0.4, 500, 60.0)
    watts = make_channel(kind=Kind.POWER, period_s=1.0)
    assert refined(watts, counted) == watts
    assert refined(make_channel(period_s=0.1), counted).period_s == 0.02
