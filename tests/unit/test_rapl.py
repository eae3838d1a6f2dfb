"""RAPL on constructed /sys trees: zones told by their names, energies that match the truth."""

import platform
import re
import shutil
import subprocess
import sys
from contextlib import suppress
from itertools import permutations
from pathlib import Path

import pytest

from monitor.power.channel import Channel, Domain, Kind, ProbeState, Role, counted
from monitor.power.mend import BY_HAND, RULE
from monitor.power.sources.rapl import MEND_HIDDEN, Rapl
from tests.hardware.curve import PowerCurve
from tests.hardware.hwmon import opened_files
from tests.hardware.sysfs import RaplZone, can_deny, take_away
from tests.unit.conftest import MakeChannel, StillSysfs

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the fakes imitate Linux")
needs_denial = pytest.mark.skipif(not can_deny(), reason="root can read every file here")

ROLES = {
    "rapl:package-0": (Domain.CPU, Role.PART, "package-0"),
    "rapl:package-0:core": (Domain.CPU, Role.INSIDE, "package-0"),
    "rapl:package-0:uncore": (Domain.CPU, Role.INSIDE, "package-0"),
    "rapl:package-0:dram": (Domain.DRAM, Role.PART, "package-0"),
    "rapl:psys": (Domain.SYSTEM, Role.WHOLE, "psys"),
}


def zone(folder: str, name: str, power_w: float = 10.0, **details: object) -> RaplZone:
    # A counter that stands at zero is dead; these have counted for a while.
    details.setdefault("start_uj", 3_000_000)
    return RaplZone(folder, name, PowerCurve.constant(power_w), **details)


def opened() -> dict[str, Channel]:
    """Probe and open RAPL; its channels by key."""
    rapl = Rapl()
    assert rapl.probe().state is ProbeState.AVAILABLE
    channels = rapl.open()
    assert len({channel.key for channel in channels}) == len(channels)
    return {channel.key: channel for channel in channels}


def read_j() -> dict[str, float]:
    """Probe, open and read RAPL, in whole millijoules: a look at counters moves them a little."""
    rapl = Rapl()
    rapl.probe()
    rapl.open()
    return {reading.key: round(reading.counter_j or 0.0, 3) for reading in rapl.read()}


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


def test_mirrors_alone_are_used(still_sysfs: StillSysfs) -> None:
    # As where the MSR driver is not loaded, or firmware locks it.
    still_sysfs(
        zone("intel-rapl-mmio:0", "package-0"),
        zone("intel-rapl-mmio:0:0", "dram"),
        zone("intel-rapl-mmio:1", "package-1"),
        zone("intel-rapl-mmio:1:0", "dram"),
        zone("intel-rapl-mmio:2", "psys"),
    )
    assert {key: channel.role for key, channel in opened().items()} == {
        "rapl:package-0": Role.PART,
        "rapl:package-0:dram": Role.PART,
        "rapl:package-1": Role.PART,
        "rapl:package-1:dram": Role.PART,
        "rapl:psys": Role.WHOLE,
    }


def test_a_mirror_fills_in_what_its_original_lacks(still_sysfs: StillSysfs) -> None:
    still_sysfs(
        zone("intel-rapl:0", "package-0", start_uj=1_000_000),
        zone("intel-rapl-mmio:0", "package-0", start_uj=2_000_000),
        zone("intel-rapl-mmio:0:0", "dram", start_uj=4_000_000),
        zone("intel-rapl-mmio:1", "psys", start_uj=5_000_000),
    )
    assert read_j() == {"rapl:package-0": 1.0, "rapl:package-0:dram": 4.0, "rapl:psys": 5.0}


@pytest.mark.parametrize("folder", ["intel-rapl:1", "intel-rapl:0:2"])
def test_the_platform_is_never_added_wherever_it_stands(
    still_sysfs: StillSysfs, folder: str
) -> None:
    # Boards of two sockets have psys and psys-1, with some drivers below their packages.
    still_sysfs(
        zone("intel-rapl:0", "package-0"), zone(folder, "psys"), zone("intel-rapl:3", "psys-1")
    )
    roles = {channel.label: channel.role for channel in opened().values()}
    assert roles == {
        "CPU 0": Role.PART,
        "Platform (psys)": Role.WHOLE,
        "Platform (psys-1)": Role.WHOLE,
    }


def test_the_platform_alone_is_a_cross_check_and_no_part(
    still_sysfs: StillSysfs, make_channel: MakeChannel
) -> None:
    still_sysfs(zone("intel-rapl:0", "psys"))
    model = make_channel("model:package-0", kind=Kind.MODELLED, device="package-0")
    in_use = counted((*opened().values(), model))
    assert [(channel.key, channel.role) for channel in in_use] == [
        ("rapl:psys", Role.WHOLE),
        ("model:package-0", Role.PART),
    ]


def test_a_zone_whose_power_limit_is_disabled_counts_all_the_same(still_sysfs: StillSysfs) -> None:
    root = still_sysfs(zone("intel-rapl:0", "package-0"))
    (root / "class/powercap/intel-rapl:0/enabled").write_text("0\n")
    assert read_j() == {"rapl:package-0": 3.0}


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
    group = re.search(r"groupadd (?:-\w+ )?(\w+)", probe.mend)
    assert group
    assert f"usermod -aG {group[1]} " in probe.mend
    assert f"chgrp {group[1]} " in probe.mend
    assert "udev" in probe.mend
    # The counters leak what other programs compute: never for everyone.
    assert "CVE-2020-8694" in probe.mend
    assert not re.search(r"chmod[^;&]*(?:o\+r|a\+r|[0-7]{2}[4-7]\b)", probe.mend)


@needs_denial
def test_a_closed_package_among_open_zones_is_told_of(still_sysfs: StillSysfs) -> None:
    still_sysfs(
        zone("intel-rapl:0", "package-0"),
        zone("intel-rapl:1", "package-1", readable=False),
    )
    probe = Rapl().probe()
    assert probe.state is ProbeState.AVAILABLE
    assert "except for CPU 1" in probe.reason
    assert probe.mend == BY_HAND


def test_zones_that_a_container_hides_are_denied_with_a_mend(still_sysfs: StillSysfs) -> None:
    # Docker lays an empty file system over devices/virtual/powercap: the links lead nowhere.
    root = still_sysfs(zone("intel-rapl:0", "package-0"), zone("intel-rapl:0:0", "dram"))
    shutil.rmtree(root / "devices/virtual/powercap")
    probe = Rapl().probe()
    assert (probe.state, probe.mend) == (ProbeState.DENIED, MEND_HIDDEN)
    assert "container hides" in probe.reason


@pytest.mark.parametrize("content", [None, ""])
def test_a_zone_without_a_name_is_not_guessed_at(
    still_sysfs: StillSysfs, content: str | None
) -> None:
    root = still_sysfs(zone("intel-rapl:0", "package-0"))
    name = root / "class/powercap/intel-rapl:0/name"
    name.unlink() if content is None else name.write_text(content)
    probe = Rapl().probe()
    assert probe.state is ProbeState.ABSENT
    assert "intel-rapl:0 has no readable name" in probe.reason
    assert Rapl().open() == ()


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
    assert ("no energy counters" if exists else "on Linux only") in probe.reason
    assert ("modprobe" in probe.reason) is exists


def test_no_driver_is_advised_where_the_processor_has_no_counters(
    still_sysfs: StillSysfs, monkeypatch: pytest.MonkeyPatch
) -> None:
    still_sysfs()
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    probe = Rapl().probe()
    assert probe.state is ProbeState.ABSENT
    assert probe.reason == "Arm processors have no energy counters of this kind."


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
    take_away(file) if content is None else file.write_text(content)
    assert [reading.key for reading in rapl.read()] == ["rapl:package-0"]
    # It comes back: a file of its own, which is opened again.
    file.write_text("2000000\n")
    assert [reading.counter_j for reading in rapl.read()][1:] == [2.0]
    take_away(file)
    take_away(root / "class/powercap/intel-rapl:0/energy_uj")
    with pytest.raises(OSError, match="no energy counter"):
        rapl.read()


def test_the_files_of_counters_are_kept_open_and_closed_at_the_end(
    still_sysfs: StillSysfs,
) -> None:
    root = still_sysfs(zone("intel-rapl:0", "package-0"), zone("intel-rapl:0:0", "dram"))
    rapl = Rapl()
    rapl.open()
    assert len(held_open(root, "energy_uj")) == 2
    with opened_files() as opened_now:
        assert len(rapl.read()) == 2
    assert not [name for name in opened_now if name.endswith("energy_uj")]
    rapl.close()
    assert not held_open(root, "energy_uj")


def held_open(root: Path, name: str) -> list[str]:
    """Return the files of that name below a folder that this process holds open."""
    found = []
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # that of the folder itself
            found.append(link.readlink())
    return [str(path) for path in found if path.name == name and path.is_relative_to(root)]


def test_the_mend_is_a_command_a_shell_understands() -> None:
    command = next(line for line in BY_HAND.splitlines() if line.startswith("sudo "))
    subprocess.run(["bash", "-n", "-c", command], check=True)
    assert command.partition("printf '%s\\n' '")[2].partition("'")[0] == RULE
    assert "llamawatt sensors mend --apply" in BY_HAND
