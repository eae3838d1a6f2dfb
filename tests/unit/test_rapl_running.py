"""RAPL counters that run, wrap and fail: true energies, and gaps where none is known."""

import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from monitor.bill_words import unread_notes
from monitor.energy.account import DECODE, Bill, Phase, account
from monitor.energy.parts import is_lower_bound
from monitor.power import reader
from monitor.power.channel import Kind
from monitor.power.curve import Gap
from monitor.power.rapl import look
from monitor.power.sampler import Sampler
from monitor.power.sources import rapl
from monitor.power.sources.modelled import ModelledCpu
from monitor.power.sources.rapl import Rapl
from monitor.power.trace import Trace
from tests.hardware.curve import PowerCurve
from tests.hardware.sysfs import FakeSysfs, RaplZone, can_deny, take_away
from tests.unit.conftest import Eventually, StillSysfs

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the fakes imitate Linux")


def zone(folder: str, name: str, power_w: float = 10.0) -> RaplZone:
    return RaplZone(folder, name, PowerCurve.constant(power_w), start_uj=3_000_000)


# One machine is sampled once, and its many windows are looked at.

SERVER = {
    "package-0": RaplZone(
        "intel-rapl:0", "package-0", PowerCurve(((0.0, 60.0), (0.45, 180.0), (1.2, 140.0)))
    ),
    "core": RaplZone("intel-rapl:0:0", "core", PowerCurve.constant(40.0)),
    # Wraps after two seconds.
    "dram-0": RaplZone(
        "intel-rapl:0:1",
        "dram",
        PowerCurve.constant(30.0),
        start_uj=65_712_999_613 - 60_000_000,
        range_uj=65_712_999_613,
    ),
    "package-1": RaplZone("intel-rapl:1", "package-1", PowerCurve.constant(90.0)),
    "dram-1": RaplZone("intel-rapl:1:0", "dram", PowerCurve.constant(20.0)),
    "psys": RaplZone("intel-rapl:2", "psys", PowerCurve.constant(400.0)),
    "mirror": RaplZone("intel-rapl-mmio:0", "package-0", PowerCurve.constant(120.0)),
}
KEYS = {
    "package-0": "rapl:package-0",
    "core": "rapl:package-0:core",
    "dram-0": "rapl:package-0:dram",
    "package-1": "rapl:package-1",
    "dram-1": "rapl:package-1:dram",
    "psys": "rapl:psys",
}
PARTS = ("package-0", "dram-0", "package-1", "dram-1")


@dataclass
class Run:
    sampler: Sampler
    sysfs: FakeSysfs
    windows: list[tuple[float, float]]

    def bill(self, start_s: float, end_s: float) -> Bill:
        phase = Phase(DECODE, start_s, end_s)
        return account(self.sampler.trace, self.sampler.channels(), [phase])

    def truth_j(self, names: tuple[str, ...], start_s: float, end_s: float) -> float:
        return sum(self.sysfs.energy_j(SERVER[name], start_s, end_s) for name in names)


@pytest.fixture(scope="module", name="server")
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    root = tmp_path_factory.mktemp("server") / "sys"
    with (
        FakeSysfs(root, list(SERVER.values())) as sysfs,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("LLAMAWATT_SYSFS", str(root))
        with Sampler(hz=20, sources=[Rapl()]) as sampler:
            assert sampler.wait_ready(timeout_s=10.0)
            first_s = time.monotonic()
            assert sampler.wait_until(max(first_s + 1.9, sysfs.epoch_s + 2.1), timeout_s=10.0)
        # Windows of 1.5 s that begin anywhere: a stall of this machine spoils a few at most.
        windows = [(first_s + i * 0.02, first_s + i * 0.02 + 1.5) for i in range(20)]
        yield Run(sampler, sysfs, windows)


@pytest.mark.parametrize("name", KEYS)
def test_energy_is_within_half_a_percent_of_the_truth(server: Run, name: str) -> None:
    errors = []
    for start_s, end_s in server.windows:
        window = server.sampler.trace.window(KEYS[name], start_s, end_s)
        assert window.joules is not None
        assert window.coverage == pytest.approx(1.0)
        errors.append(abs(window.joules / server.truth_j((name,), start_s, end_s) - 1))
    assert statistics.median(errors) <= 0.005


def test_total_is_packages_and_dram_and_nothing_inside_or_around_them(server: Run) -> None:
    errors = []
    for start_s, end_s in server.windows:
        bill = server.bill(start_s, end_s)
        lines = {line.channel.key: line.joules for line in bill.lines}
        assert set(lines) == set(KEYS.values())
        assert bill.total().joules == pytest.approx(sum(lines[KEYS[name]] for name in PARTS))
        assert bill.total().kind is Kind.COUNTER
        assert bill.total().resolved
        errors.append(abs(bill.total().joules / server.truth_j(PARTS, start_s, end_s) - 1))
    assert statistics.median(errors) <= 0.005


def test_a_counter_wraps_while_it_is_sampled_without_a_gap(server: Run) -> None:
    wrap_s = server.sysfs.epoch_s + 2.0
    curve = server.sampler.trace.curve(KEYS["dram-0"])
    assert curve.time_s[0] < wrap_s < curve.time_s[-1]
    assert not curve.gap[1:].any()
    assert (curve.energy_j[1:] >= curve.energy_j[:-1]).all()


@pytest.mark.skipif(not can_deny(), reason="root can read every file here")
def test_a_die_that_is_closed_is_a_part_that_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMAWATT_SYSFS", str(tmp_path / "sys"))
    sixty = PowerCurve.constant(60.0)
    open_die = RaplZone("intel-rapl:0", "package-0-die-0", sixty, start_uj=9_000_000)
    closed_die = RaplZone("intel-rapl:1", "package-0-die-1", sixty, readable=False)
    # The whole of another package is closed: its model stands in.
    other = RaplZone("intel-rapl:2", "package-1", sixty, readable=False)
    zones = [open_die, closed_die, other]
    with FakeSysfs(tmp_path / "sys", zones), Sampler(hz=50, sources=[Rapl()]) as sampler:
        assert sampler.wait_ready(timeout_s=10.0)
        channels = sampler.channels()
        assert [c.key for c in channels] == ["rapl:package-0-die-0", "rapl:package-0-die-1"]
        start_s = time.monotonic()
        assert sampler.wait_until(start_s + 0.1, timeout_s=5.0)
        bill = account(sampler.trace, channels, [Phase(DECODE, start_s, start_s + 0.1)])
    assert is_lower_bound(bill)
    assert unread_notes(bill) == ["CPU 0.1 was not read: it was at least this."]


def test_a_zone_that_vanishes_is_missing_not_zero(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    package, dram = zone("intel-rapl:0", "package-0", 80.0), zone("intel-rapl:0:0", "dram", 20.0)
    root = tmp_path / "sys"
    monkeypatch.setenv("LLAMAWATT_SYSFS", str(root))
    with (
        FakeSysfs(root, [package, dram]) as sysfs,
        Sampler(hz=50, sources=[Rapl()]) as sampler,
    ):
        assert sampler.wait_ready(timeout_s=10.0)
        sysfs.remove(dram)
        time.sleep(0.05)  # A read that had begun before may still tell of it.
        start_s = time.monotonic()
        time.sleep(0.4)
        sampler.wait_until(time.monotonic(), timeout_s=0.5)
        end_s = sampler.trace.latest("rapl:package-0")[0]
        bill = account(sampler.trace, sampler.channels(), [Phase(DECODE, start_s, end_s)])
        lines = {line.channel.key: line for line in bill.lines}
        assert lines["rapl:package-0:dram"].joules is None
        assert lines["rapl:package-0:dram"].coverage == 0.0
        assert bill.total().joules == lines["rapl:package-0"].joules
        assert bill.total().joules == pytest.approx(80.0 * (end_s - start_s), rel=0.2)
        assert bill.total().coverage == 0.0

        sysfs.remove(package)
        eventually(lambda: "failing" in sampler.probes()[0].reason)


def test_a_model_stands_in_when_every_counter_has_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    monkeypatch.setattr(rapl, "STOPPED_S", 0.3)
    monkeypatch.setattr(look, "SLOW_S", look.STUCK_S)
    monkeypatch.setattr(reader, "RETRY_S", 0.01)
    package = zone("intel-rapl:0", "package-0", 50.0)
    root = tmp_path / "sys"
    monkeypatch.setenv("LLAMAWATT_SYSFS", str(root))
    with (
        FakeSysfs(root, [package]) as sysfs,
        Sampler(hz=20, sources=[Rapl(), ModelledCpu()]) as sampler,
    ):
        assert sampler.wait_ready(timeout_s=10.0)
        assert [channel.key for channel in sampler.channels()] == ["rapl:package-0"]
        start_s = time.monotonic()
        time.sleep(0.2)
        assert sampler.wait_until(time.monotonic(), timeout_s=10.0)
        before = sampler.trace.window("rapl:package-0", start_s, start_s + 0.2)
        sysfs.freeze(package)
        eventually(lambda: [c.kind for c in sampler.channels()] == [Kind.MODELLED])
        assert "stand still" in sampler.probes()[0].reason
        # What was counted before stays.
        after = sampler.trace.window("rapl:package-0", start_s, start_s + 0.2)
        assert before.joules is not None
        # To some refreshes: what was read since tells more of the last ones.
        assert after.joules == pytest.approx(before.joules, abs=50.0 * 0.01)


def test_memory_whose_counter_stops_is_missing_from_the_total_from_then_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    """Nothing stands in for it: without a mark, what is counted no more would be called the sum."""
    monkeypatch.setattr(rapl, "STOPPED_S", 0.3)
    monkeypatch.setattr(look, "SLOW_S", look.STUCK_S)
    package = zone("intel-rapl:0", "package-0", 50.0)
    dram = zone("intel-rapl:0:0", "dram", 30.0)
    root = tmp_path / "sys"
    monkeypatch.setenv("LLAMAWATT_SYSFS", str(root))
    with (
        FakeSysfs(root, [package, dram]) as sysfs,
        Sampler(hz=20, sources=[Rapl(), ModelledCpu()]) as sampler,
    ):
        assert sampler.wait_ready(timeout_s=10.0)
        sysfs.freeze(dram)
        eventually(lambda: "stands still: DRAM 0" in sampler.probes()[0].reason)
        sampler.mark()
        start_s = time.monotonic()
        time.sleep(0.2)
        sampler.wait_until(end_s := time.monotonic(), timeout_s=0.5)
        bill = account(sampler.trace, sampler.channels(), [Phase(DECODE, start_s, end_s)])
        assert bill.total().joules is not None
        assert is_lower_bound(bill)
        assert unread_notes(bill) == ["DRAM 0 was not read: it was at least this."]


# Counters that misbehave: what is not known is a gap with its reason, and nothing is below zero.


@pytest.mark.parametrize(
    ("range_text", "texts", "gaps", "joules"),
    [
        # A wrap within the range that the zone names.
        ("262143328850", ["262143328000", "150"], [Gap.NONE], 0.001),
        # The same fall where the range cannot be read: nobody knows how much it was.
        (None, ["262143328000", "150"], [Gap.RESET], None),
        ("0", ["262143328000", "150"], [Gap.RESET], None),
        ("nonsense", ["262143328000", "150"], [Gap.RESET], None),
        # A counter that starts again from nothing is no wrap.
        ("262143328850", ["90000000000", "150"], [Gap.RESET], None),
        # Gone for one reading, or unreadable: the counter has counted on meanwhile.
        ("262143328850", ["1000", None, "2000"], [Gap.NONE], 0.001),
        ("262143328850", ["1000", "nonsense", "2000"], [Gap.NONE], 0.001),
        ("262143328850", ["1000", "", "2000"], [Gap.NONE], 0.001),
        # Below zero, or above where it wraps.
        ("262143328850", ["1000", "-5", "2000"], [Gap.IMPLAUSIBLE], None),
        ("262143328850", ["1000", "262143328851", "2000"], [Gap.IMPLAUSIBLE], None),
        # A jump that no processor could draw.
        ("262143328850", ["1000", "90000000000"], [Gap.IMPLAUSIBLE], None),
    ],
)
def test_a_counter_that_misbehaves_costs_what_is_not_known_and_no_more(
    still_sysfs: StillSysfs,
    range_text: str | None,
    texts: list[str | None],
    gaps: list[Gap],
    joules: float | None,
) -> None:
    root = still_sysfs(zone("intel-rapl:0", "package-0"), zone("intel-rapl:0:0", "dram"))
    folder = root / "class/powercap/intel-rapl:0"
    file = folder / "max_energy_range_uj"
    file.unlink() if range_text is None else file.write_text(range_text)
    counter = folder / "energy_uj"
    counter.write_text(texts[0])
    source, trace = Rapl(), Trace()
    for channel in source.open():
        trace.add(channel)
    key = "rapl:package-0"
    for text in texts:
        if text is not None:
            counter.write_text(text)
        elif counter.exists():
            take_away(counter)
        readings = source.read()
        trace.record(readings)
        if key not in {reading.key for reading in readings}:
            trace.miss([key])
        time.sleep(0.001)
    curve = trace.curve(key)
    assert curve.gap.tolist()[1:] == gaps
    assert (curve.energy_j >= 0).all()
    window = trace.window(key, curve.time_s[0], curve.time_s[-1])
    assert window.joules == (None if joules is None else pytest.approx(joules))
