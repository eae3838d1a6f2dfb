"""RAPL on constructed /sys trees: zones told by their names, energies that match the truth."""

import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import pytest

from monitor.energy.account import DECODE, Bill, Phase, account
from monitor.power.channel import Channel, Domain, Kind, ProbeState, Role, counted
from monitor.power.sampler import Sampler
from monitor.power.sources.rapl import MEND, Rapl
from tests.hardware.curve import PowerCurve
from tests.hardware.sysfs import FakeSysfs, RaplZone, can_deny
from tests.unit.conftest import Eventually, MakeChannel, StillSysfs

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the fakes imitate Linux")
needs_denial = pytest.mark.skipif(not can_deny(), reason="root can read every file here")

IDLE = PowerCurve.constant(10.0)

ROLES = {
    "rapl:package-0": (Domain.CPU, Role.PART, "package-0"),
    "rapl:package-0:core": (Domain.CPU, Role.INSIDE, "package-0"),
    "rapl:package-0:uncore": (Domain.CPU, Role.INSIDE, "package-0"),
    "rapl:package-0:dram": (Domain.DRAM, Role.PART, "package-0"),
    "rapl:psys": (Domain.SYSTEM, Role.WHOLE, "psys"),
}


def zone(folder: str, name: str, power_w: float = 10.0, **details: object) -> RaplZone:
    return RaplZone(folder, name, PowerCurve.constant(power_w), **details)


def opened() -> dict[str, Channel]:
    """Probe and open RAPL; its channels by key."""
    rapl = Rapl()
    assert rapl.probe().state is ProbeState.AVAILABLE
    channels = rapl.open()
    assert len({channel.key for channel in channels}) == len(channels)
    return {channel.key: channel for channel in channels}


def read_j() -> dict[str, float | None]:
    rapl = Rapl()
    rapl.probe()
    rapl.open()
    return {reading.key: reading.counter_j for reading in rapl.read()}


# Zones.


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize(("package", "psys"), [(0, 1), (1, 0), (3, 2)])
def test_zones_are_told_by_their_names_not_their_numbers(
    still_sysfs: StillSysfs, order: tuple[int, ...], package: int, psys: int
) -> None:
    core, uncore, dram = order
    still_sysfs(
        zone(f"intel-rapl:{package}", "package-0", start_uj=1_000_000),
        zone(f"intel-rapl:{package}:{core}", "core", start_uj=2_000_000),
        zone(f"intel-rapl:{package}:{uncore}", "uncore", start_uj=3_000_000),
        zone(f"intel-rapl:{package}:{dram}", "dram", start_uj=4_000_000),
        zone(f"intel-rapl:{psys}", "psys", start_uj=5_000_000),
    )
    channels = opened()
    assert {
        key: (channel.domain, channel.role, channel.device) for key, channel in channels.items()
    } == ROLES
    assert {channel.kind for channel in channels.values()} == {Kind.COUNTER}
    assert read_j() == {
        "rapl:package-0": 1.0,
        "rapl:package-0:core": 2.0,
        "rapl:package-0:uncore": 3.0,
        "rapl:package-0:dram": 4.0,
        "rapl:psys": 5.0,
    }


def test_every_zone_has_the_range_its_own_file_names(still_sysfs: StillSysfs) -> None:
    still_sysfs(
        zone("intel-rapl:0", "package-0", range_uj=262_143_328_850),
        zone("intel-rapl:0:0", "dram", range_uj=65_712_999_613),
    )
    channels = opened()
    assert channels["rapl:package-0"].range_j == pytest.approx(262_143.32885)
    assert channels["rapl:package-0:dram"].range_j == pytest.approx(65_712.999613)


@pytest.mark.parametrize("content", [None, "", "0", "nonsense"])
def test_a_range_that_cannot_be_read_is_unknown(
    still_sysfs: StillSysfs, content: str | None
) -> None:
    root = still_sysfs(zone("intel-rapl:0", "package-0"))
    file = root / "class/powercap/intel-rapl:0/max_energy_range_uj"
    file.unlink() if content is None else file.write_text(content)
    assert opened()["rapl:package-0"].range_j is None


def test_two_packages_are_kept_apart(still_sysfs: StillSysfs) -> None:
    # The second package comes first, as it does on some boards.
    still_sysfs(
        zone("intel-rapl:0", "package-1"),
        zone("intel-rapl:0:0", "dram"),
        zone("intel-rapl:1", "package-0"),
        zone("intel-rapl:1:0", "core"),
        zone("intel-rapl:1:1", "dram"),
    )
    channels = opened()
    assert {key: (channel.device, channel.role) for key, channel in channels.items()} == {
        "rapl:package-0": ("package-0", Role.PART),
        "rapl:package-0:core": ("package-0", Role.INSIDE),
        "rapl:package-0:dram": ("package-0", Role.PART),
        "rapl:package-1": ("package-1", Role.PART),
        "rapl:package-1:dram": ("package-1", Role.PART),
    }
    labels = [channel.label for channel in channels.values()]
    assert len(set(labels)) == len(labels)


def test_amd_shows_a_package_and_its_cores(still_sysfs: StillSysfs) -> None:
    still_sysfs(zone("intel-rapl:0", "package-0"), zone("intel-rapl:0:0", "core"))
    assert {key: channel.role for key, channel in opened().items()} == {
        "rapl:package-0": Role.PART,
        "rapl:package-0:core": Role.INSIDE,
    }


def test_mirrors_are_dropped(still_sysfs: StillSysfs) -> None:
    still_sysfs(
        zone("intel-rapl:0", "package-0", start_uj=7_000_000),
        zone("intel-rapl:0:0", "dram"),
        zone("intel-rapl-mmio:0", "package-0", start_uj=9_000_000),
        zone("intel-rapl-mmio:0:0", "dram"),
    )
    assert set(opened()) == {"rapl:package-0", "rapl:package-0:dram"}
    assert read_j()["rapl:package-0"] == 7.0


def test_a_mirror_alone_is_used(still_sysfs: StillSysfs) -> None:
    still_sysfs(zone("intel-rapl-mmio:0", "package-0"))
    assert set(opened()) == {"rapl:package-0"}


@pytest.mark.parametrize(
    ("folder", "name"), [("intel-rapl:1", "novelty"), ("intel-rapl:0:0", "novelty")]
)
def test_a_zone_of_an_unknown_name_is_never_added(
    still_sysfs: StillSysfs, folder: str, name: str
) -> None:
    still_sysfs(zone("intel-rapl:0", "package-0"), zone(folder, name))
    parts = [channel.key for channel in opened().values() if channel.role is Role.PART]
    assert parts == ["rapl:package-0"]


def test_zones_linked_only_inside_their_package_are_found(still_sysfs: StillSysfs) -> None:
    root = still_sysfs(zone("intel-rapl:0", "package-0"), zone("intel-rapl:0:0", "dram"))
    (root / "class/powercap/intel-rapl:0:0").unlink()
    assert set(opened()) == {"rapl:package-0", "rapl:package-0:dram"}


@pytest.mark.parametrize("name", ["package-0", "package-0-die-0"])
def test_a_measured_package_replaces_its_model(
    still_sysfs: StillSysfs, make_channel: MakeChannel, name: str
) -> None:
    # Processors of several dies, such as the Xeon 9200, have a zone for each die.
    still_sysfs(zone("intel-rapl:0", name))
    model = make_channel("model:package-0", kind=Kind.MODELLED, device="package-0")
    in_use = counted((*opened().values(), model))
    assert [channel.kind for channel in in_use] == [Kind.COUNTER]


# Zones that cannot be read.


@needs_denial
def test_counters_closed_to_this_user_are_denied_with_a_mend(still_sysfs: StillSysfs) -> None:
    still_sysfs(
        zone("intel-rapl:0", "package-0", readable=False),
        zone("intel-rapl:0:0", "dram", readable=False),
    )
    probe = Rapl().probe()
    assert (probe.source, probe.state) == ("rapl", ProbeState.DENIED)
    assert "root" in probe.reason
    group = re.search(r"groupadd (?:-f )?(\w+)", probe.mend)
    assert group
    assert f"usermod -aG {group[1]} " in probe.mend
    assert f"chgrp -R {group[1]} " in probe.mend
    assert "udev" in probe.mend
    # The counters leak what other programs compute: never for everyone.
    assert "CVE-2020-8694" in probe.mend
    assert not re.search(r"chmod[^;&]*(?:o\+r|a\+r|[0-7]{2}[4-7]\b)", probe.mend)


@needs_denial
def test_a_closed_zone_among_open_ones_is_left_out(still_sysfs: StillSysfs) -> None:
    still_sysfs(
        zone("intel-rapl:0", "package-0"),
        zone("intel-rapl:0:0", "core", readable=False),
        zone("intel-rapl:0:1", "dram"),
    )
    assert set(opened()) == {"rapl:package-0", "rapl:package-0:dram"}


@needs_denial
def test_an_open_mirror_stands_in_for_a_closed_zone(still_sysfs: StillSysfs) -> None:
    still_sysfs(
        zone("intel-rapl:0", "package-0", readable=False),
        zone("intel-rapl-mmio:0", "package-0", start_uj=9_000_000),
    )
    assert set(opened()) == {"rapl:package-0"}
    assert read_j() == {"rapl:package-0": 9.0}


@pytest.mark.parametrize("exists", [True, False])
def test_a_machine_without_counters_says_so(
    still_sysfs: StillSysfs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exists: bool
) -> None:
    if exists:
        still_sysfs()
    else:
        monkeypatch.setenv("LLAMAWATT_SYSFS", str(tmp_path / "nowhere"))
    probe = Rapl().probe()
    assert probe.state is ProbeState.ABSENT
    assert "no RAPL" in probe.reason


def test_counters_that_hold_no_number_are_absent_with_the_reason(still_sysfs: StillSysfs) -> None:
    root = still_sysfs(zone("intel-rapl:0", "package-0"))
    (root / "class/powercap/intel-rapl:0/energy_uj").write_text("nonsense\n")
    probe = Rapl().probe()
    assert probe.state is ProbeState.ABSENT
    assert "nonsense" in probe.reason


@pytest.mark.parametrize("content", [None, "", "nonsense"])
def test_a_counter_that_fails_later_is_missing_not_zero(
    still_sysfs: StillSysfs, content: str | None
) -> None:
    root = still_sysfs(zone("intel-rapl:0", "package-0"), zone("intel-rapl:0:0", "dram"))
    rapl = Rapl()
    rapl.probe()
    rapl.open()
    file = root / "class/powercap/intel-rapl:0:0/energy_uj"
    file.unlink() if content is None else file.write_text(content)
    assert [reading.key for reading in rapl.read()] == ["rapl:package-0"]
    (root / "class/powercap/intel-rapl:0/energy_uj").unlink()
    with pytest.raises(OSError, match="no energy counter"):
        rapl.read()


# Counters that run: one machine is sampled once, and its many windows are looked at.

SERVER = {
    "package-0": RaplZone(
        "intel-rapl:0", "package-0", PowerCurve(((0.0, 60.0), (0.45, 180.0), (1.2, 140.0)))
    ),
    "core": RaplZone("intel-rapl:0:0", "core", PowerCurve.constant(40.0)),
    # Wraps after a second.
    "dram-0": RaplZone(
        "intel-rapl:0:1",
        "dram",
        PowerCurve.constant(30.0),
        start_uj=65_712_999_613 - 30_000_000,
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
            time.sleep(1.9)
            assert sampler.wait_until(time.monotonic(), timeout_s=10.0)
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
    wrap_s = server.sysfs.epoch_s + 1.0
    curve = server.sampler.trace.curve(KEYS["dram-0"])
    assert curve.time_s[0] < wrap_s < curve.time_s[-1]
    assert not curve.gap[1:].any()
    assert (curve.energy_j[1:] >= curve.energy_j[:-1]).all()


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


def test_the_mend_is_a_command_a_shell_understands() -> None:
    command = next(line for line in MEND.splitlines() if line.startswith("sudo "))
    subprocess.run(["bash", "-n", "-c", command], check=True)
    rule = command.partition("'SUBSYSTEM")[2].partition("'")[0]
    assert rule == (
        '=="powercap", ACTION=="add", RUN+="/bin/chgrp -R power /sys%p", '
        'RUN+="/bin/chmod -R g+r /sys%p"'
    )
