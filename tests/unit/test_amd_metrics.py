"""What holds an AMD card back, from tables laid out as C lays out Linux's structures."""

import ctypes
import sys
from pathlib import Path

import pytest

from monitor.power.gauge import Quantity
from monitor.power.sources.amdgpu import AmdGpu
from tests.hardware.hwmon import AMD, FakeCard

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the fakes imitate Linux")

U8, U16, U32, U64 = ctypes.c_uint8, ctypes.c_uint16, ctypes.c_uint32, ctypes.c_uint64

HEADER = [("structure_size", U16), ("format_revision", U8), ("content_revision", U8)]


class V1(ctypes.Structure):
    """Version 1.3: discrete cards."""

    _fields_ = [
        *HEADER,
        ("temperatures", U16 * 6), ("activities", U16 * 3), ("average_socket_power", U16),
        ("energy_accumulator", U64), ("system_clock_counter", U64),
        ("average_clocks", U16 * 7), ("current_clocks", U16 * 7),
        ("throttle_status", U32), ("current_fan_speed", U16),
        ("pcie_link_width", U16), ("pcie_link_speed", U16), ("padding", U16),
        ("gfx_activity_acc", U32), ("mem_activity_acc", U32), ("temperature_hbm", U16 * 4),
        ("firmware_timestamp", U64), ("voltages", U16 * 3), ("padding1", U16),
        ("indep_throttle_status", U64),
    ]  # fmt: skip


class V2(ctypes.Structure):
    """Versions 2.2 to 2.4, without what the later ones append: APUs."""

    _fields_ = [
        *HEADER,
        ("temperatures", U16 * 12), ("activities", U16 * 2), ("system_clock_counter", U64),
        ("powers", U16 * 4), ("average_core_power", U16 * 8),
        ("average_clocks", U16 * 6), ("current_clocks", U16 * 6),
        ("current_coreclk", U16 * 8), ("current_l3clk", U16 * 2),
        ("throttle_status", U32), ("fan_pwm", U16), ("padding", U16 * 3),
        ("indep_throttle_status", U64),
    ]  # fmt: skip


class V3(ctypes.Structure):
    """Version 3.0: APUs that count how long they were held back."""

    _fields_ = [
        *HEADER,
        ("temperature_gfx", U16), ("temperature_soc", U16), ("temperature_core", U16 * 16),
        ("temperature_skin", U16), ("average_gfx_activity", U16), ("average_vcn_activity", U16),
        ("average_ipu_activity", U16 * 8), ("average_core_c0_activity", U16 * 16),
        ("bandwidths", U16 * 4), ("system_clock_counter", U64),
        ("average_socket_power", U32), ("average_ipu_power", U16), ("average_apu_power", U32),
        ("average_gfx_power", U32), ("average_dgpu_power", U32), ("average_all_core_power", U32),
        ("average_core_power", U16 * 16), ("average_sys_power", U16), ("stapm_limits", U16 * 2),
        ("average_clocks", U16 * 8), ("current_coreclk", U16 * 16), ("maxfreqs", U16 * 2),
        ("prochot", U32), ("spl", U32), ("fppt", U32), ("sppt", U32),
        ("thm_core", U32), ("thm_gfx", U32), ("thm_soc", U32),
        ("time_filter_alphavalue", U32),
    ]  # fmt: skip


def filled(kind: type[ctypes.Structure], revision: tuple[int, int], **fields: int) -> bytes:
    """Return a table in which every bit is set that the test does not name."""
    table = kind.from_buffer(bytearray(b"\xff" * ctypes.sizeof(kind)))
    named = {"structure_size": ctypes.sizeof(kind), "format_revision": revision[0]}
    for name, value in {**named, "content_revision": revision[1], **fields}.items():
        setattr(table, name, value)
    return bytes(table)


class Told:
    """A card whose table the test writes, and what its throttle then says."""

    def __init__(self, folder: Path, table: bytes) -> None:
        monitor = {"name": "amdgpu", "power1_average": 40_000_000}
        device = FakeCard(AMD, monitors=(monitor,)).put(folder)
        self.file = device / "gpu_metrics"
        self.file.write_bytes(table)
        self.source = AmdGpu()
        self.source.probe()
        self.source.open()
        self.gauges = [g for g in self.source.gauges() if g.quantity is Quantity.THROTTLE]

    def says(self, table: bytes | None = None) -> tuple[float, str] | None:
        if table is not None:
            self.file.write_bytes(table)
        key = self.gauges[0].key
        read = [each for each in self.source.read_gauges() if each.key == key]
        return (read[0].value, read[0].note) if read else None


@pytest.fixture
def sys_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "sys"
    folder.mkdir()
    monkeypatch.setenv("LLAMAWATT_SYSFS", str(folder))
    return folder


TABLES = [(V1, (1, 3)), (V2, (2, 2)), (V2, (2, 3)), (V2, (2, 4))]


@pytest.mark.parametrize(("kind", "revision"), TABLES)
@pytest.mark.parametrize(
    ("status", "told"),
    [
        (0, (0.0, "")),
        (1 << 0, (1.0, "power cap")),
        (1 << 15, (1.0, "power cap")),
        (1 << 16, (1.0, "current limit")),
        (1 << 36, (1.0, "temperature")),
        (1 << 47, (1.0, "temperature (emergency slowdown)")),
        (1 << 57, (1.0, "another limit")),
        (1 << 3 | 1 << 5 | 1 << 45, (1.0, "power cap, temperature")),
    ],
)
def test_the_bits_that_mean_the_same_everywhere(
    sys_folder: Path,
    kind: type[ctypes.Structure],
    revision: tuple[int, int],
    status: int,
    told: tuple[float, str],
) -> None:
    card = Told(sys_folder, filled(kind, revision, indep_throttle_status=status))
    (gauge,) = card.gauges
    assert gauge.label == "AMD GPU 0 throttled" or gauge.label.endswith("(APU) throttled")
    assert card.says() == told


@pytest.mark.parametrize(
    ("hotspot_c", "told"), [(41, (0.0, "")), (89, (0.0, "")), (105, (1.0, "temperature"))]
)
def test_a_hotspot_is_no_reason_while_it_is_cool(
    sys_folder: Path, hotspot_c: int, told: tuple[float, str]
) -> None:
    """Cards of RDNA 3 and 4 set its bit at rest as well."""
    hotspot, cap = 1 << 36, 1
    card = Told(sys_folder, hot_table(hotspot_c, hotspot))
    assert card.says() == told
    (_, others) = card.says(hot_table(hotspot_c, hotspot | cap)) or (0.0, "")
    assert others.startswith("power cap")
    # The other temperatures are believed.
    assert card.says(hot_table(hotspot_c, 1 << 34)) == (1.0, "temperature")


def hot_table(hotspot_c: int, status: int) -> bytes:
    table = V1.from_buffer(bytearray(filled(V1, (1, 3), indep_throttle_status=status)))
    table.temperatures[1] = hotspot_c
    return bytes(table)


def test_what_the_driver_has_not_written_is_not_told(sys_folder: Path) -> None:
    card = Told(sys_folder, filled(V1, (1, 3), indep_throttle_status=0))
    assert card.says(filled(V1, (1, 3))) is None
    assert card.says(filled(V1, (1, 3), indep_throttle_status=0)[:100]) is None
    assert card.says(b"") is None
    assert card.says(filled(V1, (1, 3), indep_throttle_status=1)) == (1.0, "power cap")
    card.file.unlink()
    assert card.says() is None


@pytest.mark.parametrize(
    ("kind", "revision"), [(V1, (1, 1)), (V1, (1, 4)), (V2, (2, 1)), (V1, (9, 9))]
)
def test_a_table_whose_bits_differ_from_chip_to_chip_has_no_throttle(
    sys_folder: Path, kind: type[ctypes.Structure], revision: tuple[int, int]
) -> None:
    assert Told(sys_folder, filled(kind, revision, indep_throttle_status=1)).gauges == []


NONE = dict.fromkeys(("prochot", "spl", "fppt", "sppt", "thm_core", "thm_gfx", "thm_soc"), 7)


@pytest.mark.parametrize(
    ("advanced", "told"),
    [
        ((), (0.0, "")),
        (("prochot",), (1.0, "temperature (emergency slowdown)")),
        (("spl", "sppt"), (1.0, "power cap")),
        (("fppt", "thm_gfx"), (1.0, "power cap, temperature")),
        (("thm_soc",), (1.0, "temperature")),
        (("thm_core",), (1.0, "temperature")),
    ],
)
def test_counters_that_advance_tell_what_holds_an_apu_back(
    sys_folder: Path, advanced: tuple[str, ...], told: tuple[float, str]
) -> None:
    card = Told(sys_folder, filled(V3, (3, 0), **NONE))
    assert card.says() is None, "of the first reading nothing is known"
    assert card.says() == (0.0, "")
    assert card.says(filled(V3, (3, 0), **{**NONE, **dict.fromkeys(advanced, 12)})) == told
    assert card.says() == (0.0, "")


def test_a_counter_the_driver_has_not_written_is_not_one_that_stands_still(
    sys_folder: Path,
) -> None:
    silent = filled(V3, (3, 0))
    card = Told(sys_folder, silent)
    assert [card.says(), card.says(), card.says()] == [None, None, None]
    assert card.says(filled(V3, (3, 0), prochot=7)) is None, "of the first reading nothing is known"
    assert card.says() == (0.0, "")
    advanced = (1.0, "temperature (emergency slowdown)")
    assert card.says(filled(V3, (3, 0), prochot=8)) == advanced
    assert card.says(silent) is None
