"""``watch`` and ``sensors`` against fake machines whose energy is known."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.hardware.curve import PowerCurve
from tests.hardware.nvml import FakeGpu, environment, write_script
from tests.hardware.sysfs import FakeSysfs, PciDevice, RaplZone, build_tree, can_deny
from tests.integration.conftest import Command

IDLE_W, BUSY_W, STEP_S = 20.0, 65.0, 3.5


def watched(ran: Any) -> dict[str, Any]:
    assert ran.returncode == 0, ran.stderr
    document: dict[str, Any] = json.loads(ran.stdout)
    return document


def test_rapl_counter_that_wraps_is_right_within_half_a_per_cent(
    llamawatt: Command, tmp_path: Path
) -> None:
    """Constant power leaves no doubt about when the watch began."""
    package = RaplZone(
        "intel-rapl:0",
        "package-0",
        PowerCurve.constant(BUSY_W),
        start_uj=262143328850 - 150_000_000,
    )
    dram = RaplZone("intel-rapl:0:0", "dram", PowerCurve.constant(4.0))
    core = RaplZone("intel-rapl:0:1", "core", PowerCurve.constant(50.0))
    with FakeSysfs(tmp_path / "sys", [package, dram, core]) as machine:
        record = watched(
            llamawatt("watch", "--seconds", "4", "--json", LLAMAWATT_SYSFS=str(machine.root))
        )
    energy = record["energy"]
    assert energy["total_j"] == pytest.approx((BUSY_W + 4.0) * record["seconds"], rel=0.005)
    assert energy["kind"] == "counter"
    assert energy["resolved"] is True
    roles = {channel["key"]: channel["role"] for channel in energy["channels"]}
    assert roles == {
        "rapl:package-0": "part",
        "rapl:package-0:dram": "part",
        "rapl:package-0:core": "inside",
    }


def test_rapl_step_from_idle_to_load_is_right_within_half_a_per_cent(
    llamawatt: Command, tmp_path: Path
) -> None:
    """20 W until a known moment inside the watch, 65 W from then on, wrapping in between."""
    range_uj = 262143328850
    curve = PowerCurve(((0.0, IDLE_W), (STEP_S, BUSY_W)))
    package = RaplZone("intel-rapl:0", "package-0", curve, start_uj=range_uj - 100_000_000)
    with FakeSysfs(tmp_path / "sys", [package]) as machine:
        record = watched(
            llamawatt("watch", "--seconds", "4", "--json", LLAMAWATT_SYSFS=str(machine.root))
        )
        ended_s = time.monotonic() - machine.epoch_s
    # The moment the watch began is not told; between the earliest and the latest it can have
    # begun the truth moves, and its joules must be those of one and the same moment.
    seconds, joules = record["seconds"], record["energy"]["total_j"]
    busy_s = (joules - IDLE_W * seconds) / (BUSY_W - IDLE_W)
    end_s = STEP_S + busy_s
    assert curve.energy_j(end_s - seconds, end_s) == pytest.approx(joules, rel=0.005)
    assert seconds < end_s <= ended_s
    assert ended_s - end_s < 1.5


def test_nvml_counter_and_power_are_right(
    llamawatt: Command, tmp_path: Path, nvml_library: Path
) -> None:
    counting = FakeGpu(uuid="GPU-a", curve=PowerCurve.constant(BUSY_W))
    older = FakeGpu(
        uuid="GPU-b",
        name="NVIDIA GeForce GTX 1080",
        curve=PowerCurve.constant(IDLE_W),
        has_energy=False,
    )
    script = tmp_path / "gpus.txt"
    write_script(script, [counting, older], time.monotonic())
    record = watched(
        llamawatt("watch", "--seconds", "4", "--json", **environment(nvml_library, script))
    )
    channels = {channel["key"]: channel for channel in record["energy"]["channels"]}
    seconds = record["seconds"]
    assert channels["nvml:GPU-a"]["joules"] == pytest.approx(BUSY_W * seconds, rel=0.005)
    assert channels["nvml:GPU-a"]["kind"] == "counter"
    assert channels["nvml:GPU-b"]["joules"] == pytest.approx(IDLE_W * seconds, rel=0.02)
    assert channels["nvml:GPU-b"]["kind"] == "power"
    # The CPU has no counter here: the total is as weak as its weakest part.
    assert record["energy"]["kind"] == "modelled"


def test_no_power_source_at_all_is_modelled_and_said_so(llamawatt: Command, tmp_path: Path) -> None:
    record = watched(
        llamawatt("watch", "--seconds", "1.5", "--json", LLAMAWATT_SYSFS=str(tmp_path))
    )
    assert record["energy"]["kind"] == "modelled"
    assert record["energy"]["total_j"] > 0
    sensors = json.loads(llamawatt("sensors", "--json", LLAMAWATT_SYSFS=str(tmp_path)).stdout)
    states = {probe["source"]: probe["state"] for probe in sensors["probes"]}
    assert states["rapl"] == "absent"
    assert states["model"] == "available"


@pytest.mark.skipif(not can_deny(), reason="no file here can be denied to this user")
def test_denied_counters_come_with_their_mend(llamawatt: Command, tmp_path: Path) -> None:
    root = tmp_path / "sys"
    build_tree(
        root, [RaplZone("intel-rapl:0", "package-0", PowerCurve.constant(9.0), readable=False)]
    )
    sensors = json.loads(llamawatt("sensors", "--json", LLAMAWATT_SYSFS=str(root)).stdout)
    (rapl,) = (probe for probe in sensors["probes"] if probe["source"] == "rapl")
    assert rapl["state"] == "denied"
    assert "udevadm" in rapl["mend"]
    assert "CVE-2020-8694" in rapl["mend"]
    (channel,) = sensors["channels"]
    assert channel["kind"] == "modelled"


def test_gpu_the_build_cannot_use_comes_with_the_command(
    llamawatt: Command, tmp_path: Path
) -> None:
    root = tmp_path / "sys"
    build_tree(root, [], [PciDevice()])
    ran = llamawatt("sensors", "--json", LLAMAWATT_SYSFS=str(root))
    engine = json.loads(ran.stdout)["engine"]
    if engine["offload"]:
        pytest.skip("this llama.cpp build can offload")
    assert "-DGGML_CUDA=on" in engine["advice"]
    assert "llama-cpp-python" in llamawatt("sensors", LLAMAWATT_SYSFS=str(root)).stdout


def test_table_for_people_shows_kind_and_interval(llamawatt: Command) -> None:
    ran = llamawatt("watch", "--seconds", "1")
    assert ran.returncode == 0
    assert "○" in ran.stdout
    assert "total of the parts" in ran.stdout


def test_ctrl_c_ends_a_watch_with_its_bill(start_llamawatt: Any) -> None:
    import signal

    process = start_llamawatt("watch", "--json")
    time.sleep(2.5)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=10)
    record = json.loads(out)
    assert 0.5 < record["seconds"] < 4
    assert process.returncode == 0
