"""Why a source is silent, where that is not what it has looked for but where it has looked."""

from pathlib import Path

import pytest

from monitor.power.channel import ProbeState
from monitor.power.sources import Source
from monitor.power.sources.amdgpu import AmdGpu
from monitor.power.sources.battery import Battery
from monitor.power.sources.grace import Grace
from monitor.power.sources.intelgpu import IntelGpu
from monitor.power.sources.jetson import Jetson
from monitor.power.sources.rapl import Rapl


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (AmdGpu(), "AMD GPUs are read on Linux only."),
        (IntelGpu(), "Intel GPUs are read on Linux only."),
        (Grace(), "Grace processors are read on Linux only."),
        (Jetson(), "Jetson boards are read on Linux only."),
        (Battery(), "Batteries are read on Linux only."),
        (Rapl(), "RAPL is read on Linux only."),
    ],
    ids=["amdgpu", "intelgpu", "grace", "jetson", "battery", "rapl"],
)
def test_where_there_is_no_sysfs_nothing_is_said_to_be_missing(
    source: Source, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A laptop with Windows has a battery, and may have an AMD GPU.
    monkeypatch.setenv("LLAMAWATT_SYSFS", str(tmp_path / "nowhere"))
    probe = source.probe()
    assert (probe.state, probe.reason) == (ProbeState.ABSENT, says)
