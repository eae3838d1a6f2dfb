"""RAPL through perf events: descriptions on constructed trees, and the kernel's own call."""

import errno
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from monitor.power.channel import Domain, ProbeState, Role
from monitor.power.rapl.perf import (
    EventPlan,
    find_events,
    open_event,
    parse_cpus,
    planned_events,
    read_count,
)
from monitor.power.sources.rapl import MEND_PERF, Rapl
from tests.hardware.curve import PowerCurve
from tests.hardware.perf_events import (
    CLOCK_POWER_W,
    CPU_CLOCK,
    SOFTWARE,
    PerfDriver,
    build_perf,
)
from tests.hardware.sysfs import FakeSysfs, RaplZone, build_tree, can_deny
from tests.unit.builders import REPOSITORY


def can_count() -> bool:
    """Say whether this user may count for a whole processor."""
    try:
        os.close(open_event(SOFTWARE, CPU_CLOCK, cpu=0))
    except OSError:
        return False
    return True


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="perf events are Linux's")
counting = pytest.mark.skipif(not can_count(), reason="this user may not count for a processor")
two_processors = pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one processor only")

KERNEL_SCALE = "2.3283064365386962890625e-10"
ALL_EVENTS = {
    "energy-cores": "event=0x01",
    "energy-pkg": "event=0x02",
    "energy-ram": "event=0x03",
    "energy-gpu": "event=0x04",
    "energy-psys": "event=0x05",
}

Perf = Callable[..., Path]


@pytest.fixture
def perf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Perf:
    """Lay out a driver, and zones beside it, and let the sources read them as /sys."""

    def build(driver: PerfDriver, *zones: RaplZone) -> Path:
        root = tmp_path / "sys"
        build_tree(root, zones)
        monkeypatch.setenv("LLAMAWATT_SYSFS", str(root))
        return build_perf(root, driver)

    return build


@pytest.fixture(name="rapl")
def _rapl() -> Iterator[Rapl]:
    source = Rapl()
    yield source
    source.close()


def zone(readable: bool = True) -> RaplZone:
    curve = PowerCurve.constant(10.0)
    return RaplZone("intel-rapl:0", "package-0", curve, start_uj=7_000_000, readable=readable)


def planned() -> dict[str, EventPlan]:
    return {plan.channel.key: plan for plan in planned_events()}


# What sysfs says.


def test_events_are_the_same_channels_as_powercaps_zones(perf: Perf) -> None:
    perf(PerfDriver(ALL_EVENTS, type_number="9", scale=KERNEL_SCALE))
    plans = planned()
    assert {
        key: (plan.config, plan.channel.domain, plan.channel.role, plan.channel.device)
        for key, plan in plans.items()
    } == {
        "rapl:package-0": (2, Domain.CPU, Role.PART, "package-0"),
        "rapl:package-0:dram": (3, Domain.DRAM, Role.PART, "package-0"),
        "rapl:package-0:core": (1, Domain.CPU, Role.INSIDE, "package-0"),
        "rapl:package-0:uncore": (4, Domain.CPU, Role.INSIDE, "package-0"),
        "rapl:psys": (5, Domain.SYSTEM, Role.WHOLE, "psys"),
    }
    assert {(plan.type_number, plan.cpu) for plan in plans.values()} == {(9, 0)}
    # The kernel counts in units of 2^-32 J.
    assert plans["rapl:package-0"].scale_j == 2**-32
    assert plans["rapl:package-0"].channel.range_j == 2**32


def test_one_processor_of_each_package_counts_for_it(perf: Perf) -> None:
    packages = {0: (0, 0), 18: (1, 0)}
    perf(PerfDriver(ALL_EVENTS, cpumask="0,18", packages=packages))
    plans = planned()
    assert {key: plan.cpu for key, plan in plans.items() if plan.channel.role is Role.PART} == {
        "rapl:package-0": 0,
        "rapl:package-1": 18,
        "rapl:package-0:dram": 0,
        "rapl:package-1:dram": 18,
    }
    labels = [plan.channel.label for plan in plans.values()]
    assert len(set(labels)) == len(labels)
    psys = [key for key, plan in plans.items() if plan.channel.role is Role.WHOLE]
    assert psys == ["rapl:psys", "rapl:psys-1"]


def test_dies_of_one_package_are_named_as_powercap_names_them(perf: Perf) -> None:
    perf(PerfDriver(cpumask="0,8", packages={0: (0, 0), 8: (0, 1)}))
    plans = planned()
    assert set(plans) == {"rapl:package-0-die-0", "rapl:package-0-die-1"}
    # A model of package-0 gives way to either.
    assert {plan.channel.device for plan in plans.values()} == {"package-0"}


def test_packages_that_cannot_be_told_apart_are_not_added(perf: Perf) -> None:
    perf(PerfDriver(cpumask="0-3", packages={}))
    assert [plan.cpu for plan in planned_events()] == [0]


@pytest.mark.parametrize(
    "driver",
    [
        PerfDriver(unit="Watts"),
        PerfDriver(scale="nonsense"),
        PerfDriver(scale="-1"),
        PerfDriver(scale="nan"),
        PerfDriver(events={"energy-pkg": "umask=0x1"}),
        PerfDriver(events={"energy-novelty": "event=0x06"}),
        PerfDriver(events={}),
        PerfDriver(cpumask=""),
        PerfDriver(type_number="power"),
    ],
    ids=["unit", "scale", "below-zero", "nan", "terms", "name", "none", "mask", "type"],
)
def test_an_event_that_is_not_understood_is_not_counted(
    perf: Perf, rapl: Rapl, driver: PerfDriver
) -> None:
    perf(driver)
    assert planned() == {}
    assert rapl.probe().state is ProbeState.ABSENT


@pytest.mark.parametrize(
    ("mask", "cpus"),
    [("0", [0]), ("0,18", [0, 18]), ("0-2,8", [0, 1, 2, 8]), ("", []), ("x", []), ("1,", [])],
)
def test_a_list_of_processors(mask: str, cpus: list[int]) -> None:
    assert parse_cpus(mask) == cpus


# The kernel's call.


@counting
def test_an_open_event_counts_until_it_is_closed() -> None:
    file = open_event(SOFTWARE, CPU_CLOCK, cpu=0)
    began_s, began = time.monotonic(), read_count(file)
    time.sleep(0.05)
    count = read_count(file)
    seconds = time.monotonic() - began_s
    assert began is not None
    assert count is not None
    assert 0.04e9 < count - began < seconds * 1.1e9
    assert os.get_inheritable(file) is False
    os.close(file)
    assert read_count(file) is None


def test_what_the_kernel_does_not_have_is_said() -> None:
    with pytest.raises(OSError, match=r"No such|Permission") as raised:
        open_event(0x7FFF_FFF0, 0, cpu=0)
    assert raised.value.errno in (errno.ENOENT, errno.EACCES)


@counting
def test_an_energy_is_the_count_times_the_scale(perf: Perf, rapl: Rapl) -> None:
    perf(PerfDriver(scale="3e-9"))
    probe = rapl.probe()
    assert probe.state is ProbeState.AVAILABLE
    assert "perf events" in probe.reason
    assert [channel.key for channel in rapl.open()] == ["rapl:package-0"]
    (first,) = rapl.read()
    time.sleep(0.2)
    (second,) = rapl.read()
    watts = (second.counter_j - first.counter_j) / (second.time_s - first.time_s)
    assert watts == pytest.approx(3 * CLOCK_POWER_W, rel=0.05)
    rapl.close()
    with pytest.raises(OSError, match="no energy counter"):
        rapl.read()


def events_open() -> int:
    """Return how many perf events this process has open."""
    links = Path("/proc/self/fd").iterdir()
    return sum("perf_event" in str(link.readlink()) for link in links if link.is_symlink())


@counting
def test_events_are_closed_with_the_source(perf: Perf) -> None:
    perf(PerfDriver(ALL_EVENTS | {"energy-pkg": "event=0x00"}))
    rapl = Rapl()
    for _ in range(3):
        rapl.probe()
        rapl.open()
    assert events_open() > 0
    rapl.close()
    assert events_open() == 0
    rapl.close()
    assert events_open() == 0


@counting
def test_an_event_the_kernel_refuses_is_absent_beside_others(perf: Perf, rapl: Rapl) -> None:
    # No driver "software" has an event 99.
    perf(PerfDriver({"energy-pkg": "event=0x00", "energy-ram": "event=0x63"}))
    rapl.probe()
    assert [channel.key for channel in rapl.open()] == ["rapl:package-0"]


@counting
@two_processors
def test_dies_that_show_one_counter_are_counted_once(perf: Perf, rapl: Rapl) -> None:
    # Both processors' clocks run alike, from a moment apart: as the events of mirrored dies do.
    perf(PerfDriver(cpumask="0,1", packages={0: (0, 0), 1: (0, 1)}))
    probe = rapl.probe()
    assert [channel.key for channel in rapl.open()] == ["rapl:package-0-die-0"]
    assert "CPU 0.1 shows the same counter as CPU 0.0" in probe.reason


@counting
def test_counters_that_all_stand_still_are_absent(perf: Perf, rapl: Rapl) -> None:
    # Event 9, "dummy", counts nothing; so does energy-psys of some virtual machines.
    perf(PerfDriver({"energy-psys": "event=0x09"}))
    probe = rapl.probe()
    assert probe.state is ProbeState.ABSENT
    assert "stand still" in probe.reason
    assert rapl.open() == ()


# Which way is used.


@counting
def test_powercap_is_used_where_it_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rapl: Rapl
) -> None:
    root = tmp_path / "sys"
    monkeypatch.setenv("LLAMAWATT_SYSFS", str(root))
    with FakeSysfs(root, [zone()]):
        build_perf(root, PerfDriver(ALL_EVENTS | {"energy-pkg": "event=0x00"}))
        assert rapl.probe().reason == "Energy counters are readable."
        assert [channel.key for channel in rapl.open()] == ["rapl:package-0"]
        # Events count from zero when they are opened.
        assert all((reading.counter_j or 0.0) > 7.0 for reading in rapl.read())


@counting
@pytest.mark.skipif(not can_deny(), reason="root can read every file here")
def test_perf_events_stand_in_for_closed_zones(perf: Perf, rapl: Rapl) -> None:
    perf(PerfDriver(), zone(readable=False))
    assert "perf events" in rapl.probe().reason
    assert [channel.key for channel in rapl.open()] == ["rapl:package-0"]
    assert len(rapl.read()) == 1


@counting
@pytest.mark.skipif(not can_deny(), reason="root can read every file here")
@pytest.mark.parametrize(
    ("events", "way", "read"),
    [
        ({"energy-pkg": "event=0x00"}, "perf events", "rapl:package-0"),
        ({"energy-psys": "event=0x00"}, "except for CPU 0", "rapl:psys"),
    ],
    ids=["the package", "no better"],
)
def test_the_machines_counter_alone_does_not_keep_perf_events_from_being_tried(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    rapl: Rapl,
    events: dict[str, str],
    way: str,
    read: str,
) -> None:
    root = tmp_path / "sys"
    monkeypatch.setenv("LLAMAWATT_SYSFS", str(root))
    psys = RaplZone("intel-rapl:1", "psys", PowerCurve.constant(50.0), start_uj=7_000_000)
    with FakeSysfs(root, [zone(readable=False), psys]):
        build_perf(root, PerfDriver(events))
        assert way in rapl.probe().reason
        assert [channel.key for channel in rapl.open()] == [read]


AS_NOBODY = """
import json, os
from monitor.power.sources.rapl import Rapl
import monitor.power.accuracy; monitor.power.accuracy.accuracy_of("rapl.package")
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
probe = Rapl().probe()
print(json.dumps([probe.state, probe.reason, probe.mend]))
"""


def test_a_user_who_may_not_count_is_denied_with_a_mend() -> None:
    if int(Path("/proc/sys/kernel/perf_event_paranoid").read_text()) < 1:
        pytest.skip("here everyone may count for a processor")
    # Not pytest's folder, which no other user can reach.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        build_perf(Path(folder), PerfDriver())
        done = subprocess.run(
            [sys.executable, "-c", AS_NOBODY],
            cwd=REPOSITORY,
            env={**os.environ, "LLAMAWATT_SYSFS": folder},
            capture_output=True,
            text=True,
            check=True,
        )
    state, reason, mend = json.loads(done.stdout)
    assert state == "denied"
    assert "not to this user" in reason
    assert mend == MEND_PERF


def test_no_driver_means_no_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMAWATT_SYSFS", str(tmp_path))
    found = find_events()
    assert (found.opened, found.error, found.is_denied) == ((), None, False)
