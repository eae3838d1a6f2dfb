"""Power monitors of boards: what is there and is not read is named."""

import sys
from pathlib import Path

import pytest

from monitor.power.board_meters import board_meters
from monitor.power.channel import ProbeState
from monitor.power.sources.rapl import Rapl

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="hwmon is Linux's")

RAILS = {
    "hwmon0/name": "gpu_thermal",
    "hwmon1/name": "ina3221",
    "hwmon1/in1_label": "VDD_IN",
    "hwmon1/in2_label": "VDD_CPU_GPU_CV",
    "hwmon1/in3_label": "NC",
    "hwmon1/in1_input": "19104",
}
SERVER = {
    "hwmon2/name": "power_meter",
    "hwmon2/device/power1_oem_info": "Node",
}
GRACE = {
    "hwmon2/name": "power_meter",
    "hwmon2/device/power1_oem_info": "Grace Power Socket 0",
}


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (RAILS, ("ina3221 (VDD_IN, VDD_CPU_GPU_CV)",)),
        (SERVER, ("power_meter (Node)",)),
        (GRACE, ()),
        ({"hwmon0/name": "ina226"}, ("ina226",)),
        ({"hwmon0/name": "k10temp", "hwmon0/in1_label": "Vcore"}, ()),
    ],
    ids=["rails", "server", "grace, which is read", "without labels", "none"],
)
def test_what_is_there_and_not_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], names: tuple[str, ...]
) -> None:
    monkeypatch.setenv("LLAMAWATT_SYSFS", str(tmp_path))
    for name, text in files.items():
        path = tmp_path / "class/hwmon" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    assert board_meters() == names
    probe = Rapl().probe()
    assert probe.state is ProbeState.ABSENT
    assert all(name in probe.reason for name in names)
    assert ("which LlamaWatt does not read" in probe.reason) is bool(names)
