"""What each system tells of its processor, and what is made of it."""

import platform
import subprocess
import sys
import tomllib
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from monitor.power import cpu, cpu_name
from monitor.power.cpu import Processor, rated_tdp_w
from monitor.power.cpu_model import Activity, nominal_power, package_w
from monitor.power.cpu_name import is_virtual, name_and_virtual
from resources import resource_text
from tests.hardware.hwmon import say

Registry = dict[tuple[str, str], str]


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> Callable[[Registry], None]:
    """Pass for Windows with these texts in its registry."""

    def put(told: Registry) -> None:
        def query(key: str, name: str) -> tuple[str, int]:
            try:
                return told[key.rsplit("\\", 1)[1], name], 1
            except KeyError:
                raise FileNotFoundError from None

        fake = SimpleNamespace(
            HKEY_LOCAL_MACHINE=0, OpenKey=lambda _, key: nullcontext(key), QueryValueEx=query
        )
        monkeypatch.setitem(sys.modules, "winreg", fake)
        monkeypatch.setattr(sys, "platform", "win32")
        family = "Intel64 Family 6 Model 151 Stepping 2, GenuineIntel"
        monkeypatch.setattr(platform, "processor", lambda: family)

    return put


@pytest.fixture
def linux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pass for Linux on Arm with an empty /sys, whose folder is returned."""
    if sys.platform != "linux":
        pytest.skip("the fakes imitate Linux")
    monkeypatch.setenv("LLAMAWATT_SYSFS", str(tmp_path))
    monkeypatch.setattr(cpu_name, "CPUINFO", tmp_path / "cpuinfo")
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nCPU part\t: 0xd0b\n", encoding="utf-8")
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    return tmp_path


def test_windows_has_the_name_in_its_registry(windows: Callable[[Registry], None]) -> None:
    windows(
        {
            ("0", "ProcessorNameString"): "12th Gen Intel(R) Core(TM) i7-12700K   ",
            ("BIOS", "SystemManufacturer"): "ASUS",
            ("BIOS", "SystemProductName"): "System Product Name",
        }
    )
    name, virtual = name_and_virtual()
    assert (name, virtual) == ("12th Gen Intel(R) Core(TM) i7-12700K", False)
    assert rated_tdp_w(name) == 125.0


def test_a_virtual_machine_of_windows_is_told_by_its_product(
    windows: Callable[[Registry], None],
) -> None:
    product = ("BIOS", "SystemProductName")
    windows({("BIOS", "SystemManufacturer"): "Microsoft Corporation", product: "Virtual Machine"})
    assert name_and_virtual() == ("Intel64 Family 6 Model 151 Stepping 2, GenuineIntel", True)


@pytest.mark.parametrize(
    ("product", "virtual"),
    [
        ("Microsoft Corporation Virtual Machine", True),
        ("Microsoft Corporation Surface Laptop 5", False),
        ("innotek GmbH VirtualBox", True),
        ("VMware, Inc. VMware7,1", True),
        ("QEMU Standard PC (Q35 + ICH9, 2009)", True),
        ("Xen HVM domU", True),
        ("Parallels International GmbH. Parallels ARM Virtual Machine", True),
        ("Amazon EC2 c7g.large", True),
        ("Amazon EC2 c7g.metal", False),
        ("Google Google Compute Engine", True),
        ("LENOVO 21HMCTO1WW", False),
        ("", False),
    ],
)
def test_the_firmware_of_a_virtual_machine_names_it(product: str, virtual: bool) -> None:
    assert is_virtual(product) is virtual


def test_a_mac_tells_the_brand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(platform, "processor", lambda: "i386")
    told = SimpleNamespace(stdout="Intel(R) Core(TM) i7-9750H CPU @ 2.60GHz\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: told)
    assert name_and_virtual() == ("Intel(R) Core(TM) i7-9750H CPU @ 2.60GHz", False)
    assert rated_tdp_w(name_and_virtual()[0]) == 45.0

    def refused(*_: object, **__: object) -> None:
        raise OSError

    monkeypatch.setattr(subprocess, "run", refused)
    assert name_and_virtual() == ("i386", False)


def test_an_arm_board_is_called_by_its_device_tree(linux: Path) -> None:
    assert name_and_virtual() == ("aarch64", False)
    model = linux / "firmware/devicetree/base/model"
    say(model.parent, {"compatible": "rpi"})
    model.write_text("Raspberry Pi 5 Model B Rev 1.0\0", encoding="utf-8")
    assert name_and_virtual() == ("Raspberry Pi 5 Model B Rev 1.0", False)


def test_an_arm_server_is_called_by_its_firmware(linux: Path) -> None:
    say(linux / "class/dmi/id", {"sys_vendor": "GIGABYTE", "product_name": "R272-P30-JG"})
    assert name_and_virtual() == ("GIGABYTE R272-P30-JG", False)
    say(linux / "class/dmi/id", {"sys_vendor": "Amazon EC2", "product_name": "c7g.large"})
    assert name_and_virtual() == ("Amazon EC2 c7g.large", True)


def test_the_clusters_of_an_arm_board_are_no_packages(linux: Path) -> None:
    """As Linux before 6.0 numbers them: an RK3588 would be three processors of 65 W."""
    for index, cluster in enumerate((0, 0, 0, 0, 1, 1, 2, 2)):
        topology = linux / f"devices/system/cpu/cpu{index}/topology"
        say(topology, {"physical_package_id": cluster})
    assert cpu._packages(8) == {0: (0, 1, 2, 3), 1: (4, 5), 2: (6, 7)}, "a server's sockets"
    say(linux / "firmware/devicetree/base", {"compatible": "rockchip,rk3588"})
    assert cpu._packages(8) == {0: tuple(range(8))}


def arm(cores: int, clock_ghz: float) -> Processor:
    return Processor("A board", {0: tuple(range(cores))}, cores, None, clock_ghz, True, False, True)


@pytest.mark.parametrize(
    ("cores", "clock_ghz", "full_w"), [(4, 2.4, (2.0, 12.0)), (128, 3.0, (120.0, 250.0))]
)
def test_what_arm_draws_grows_with_its_cores(
    cores: int, clock_ghz: float, full_w: tuple[float, float]
) -> None:
    """A board of four cores is no desktop's processor, and a server of 128 is more than one."""
    nominal = nominal_power(arm(cores, clock_ghz))
    low_w, high_w = full_w
    assert low_w < package_w(Activity(1.0, 1.0, clock_ghz), nominal.power_w) < high_w
    assert nominal.reason == (
        "A board, whose rated power is unknown; 2.2 W a core assumed, as of others by Arm"
    )


@pytest.mark.parametrize(
    ("name", "tdp_w"),
    [
        ("12th Gen Intel(R) Core(TM) i7-12700K", 125.0),
        ("13th Gen Intel(R) Core(TM) i9-13900KS", 150.0),
        ("12th Gen Intel(R) Core(TM) i5-1240P", 28.0),
        ("12th Gen Intel(R) Core(TM) i7-1270P", 28.0),
        ("12th Gen Intel(R) Core(TM) i5-1235U", 15.0),
        ("12th Gen Intel(R) Core(TM) i7-1250U", 9.0),
        ("12th Gen Intel(R) Core(TM) i5-12400F", 65.0),
        ("12th Gen Intel(R) Core(TM) i3-12100F", 60.0),
        ("13th Gen Intel(R) Core(TM) i7-13700K", 125.0),
        ("13th Gen Intel(R) Core(TM) i7-13700H", 45.0),
        ("13th Gen Intel(R) Core(TM) i9-13980HX", 55.0),
        ("13th Gen Intel(R) Core(TM) i9-13900T", 35.0),
        ("13th Gen Intel(R) Core(TM) i5-1335U", 15.0),
        ("13th Gen Intel(R) Core(TM) i5-13420H", 45.0),
        ("13th Gen Intel(R) Core(TM) i7-13850HX", 55.0),
        ("13th Gen Intel(R) Core(TM) i5-13490F", 65.0),
        ("13th Gen Intel(R) Core(TM) i9-13900E", 65.0),
        ("13th Gen Intel(R) Core(TM) i7-13700TE", 35.0),
        ("Intel(R) Core(TM) i7-14700KF", 125.0),
        ("Intel(R) Core(TM) i3-14100", 60.0),
        ("Intel(R) Core(TM) i9-14900HX", 55.0),
        ("Intel(R) Core(TM) Ultra 9 285K", 125.0),
        ("Intel(R) Core(TM) Ultra 7 265", 65.0),
        ("Intel(R) Core(TM) Ultra 9 185H", 45.0),
        ("Intel(R) Core(TM) Ultra 5 125H", 28.0),
        ("Intel(R) Core(TM) Ultra 7 258V", 17.0),
        ("Intel(R) Core(TM) Ultra 7 265T", 35.0),
        ("Intel(R) Core(TM) Ultra 7 164U", 9.0),
        ("11th Gen Intel(R) Core(TM) i7-11700K @ 3.60GHz", 125.0),
    ],
)
def test_intels_series_are_taken_at_their_base_power(name: str, tdp_w: float) -> None:
    assert rated_tdp_w(name) == tdp_w


@pytest.mark.parametrize("name", ["Ultra 9 275HX", "Ultra 9 285H"])
def test_a_series_without_a_source_is_of_unknown_power(name: str) -> None:
    assert rated_tdp_w(f"Intel(R) Core(TM) {name}") is None


def test_each_series_names_its_source() -> None:
    series = tomllib.loads(resource_text("cpu_series.toml"))["series"]
    assert all(each["source"] and each["watts"] for each in series)
