"""``watch`` and ``sensors`` against fake machines whose energy is known."""

import json
import os
import subprocess
import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from monitor.energy.baseline import Baseline, IdleLine
from monitor.paths import database_path
from monitor.quiet import present_conditions
from monitor.store.baselines import Baselines
from monitor.store.history import History
from tests.hardware.curve import PowerCurve
from tests.hardware.nvml import FakeGpu, environment, write_script
from tests.hardware.sysfs import FakeSysfs, PciDevice, RaplZone, build_tree, can_deny
from tests.integration.conftest import COMMAND, Command
from tests.unit.builders import channel

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
    assert {key: role for key, role in roles.items() if key.startswith("rapl:")} == {
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


def test_no_power_source_at_all_is_modelled_and_said_so(
    llamawatt: Command, here: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMAWATT_SYSFS", str(tmp_path))
    record = watched(llamawatt("watch", "--seconds", "1.5", "--json"))
    assert record["energy"]["kind"] == "modelled"
    assert record["energy"]["total_j"] > 0
    sensors = json.loads(here("sensors", "--json").stdout)
    states = {probe["source"]: probe["state"] for probe in sensors["probes"]}
    assert states["rapl"] == "absent"
    assert states["model"] == "available"


@pytest.mark.skipif(not can_deny(), reason="no file here can be denied to this user")
def test_denied_counters_come_with_their_mend(
    here: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "sys"
    monkeypatch.setenv("LLAMAWATT_SYSFS", str(root))
    build_tree(
        root, [RaplZone("intel-rapl:0", "package-0", PowerCurve.constant(9.0), readable=False)]
    )
    sensors = json.loads(here("sensors", "--json").stdout)
    (rapl,) = (probe for probe in sensors["probes"] if probe["source"] == "rapl")
    assert rapl["state"] == "denied"
    assert "udevadm" in rapl["mend"]
    assert "CVE-2020-8694" in rapl["mend"]
    parts = [channel for channel in sensors["channels"] if channel["role"] == "part"]
    assert [part["kind"] for part in parts] == ["modelled"]


def test_gpu_the_build_cannot_use_comes_with_the_command(
    here: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "sys"
    monkeypatch.setenv("LLAMAWATT_SYSFS", str(root))
    build_tree(root, [], [PciDevice()])
    ran = here("sensors", "--json")
    engine = json.loads(ran.stdout)["engine"]
    if engine["offload"]:
        pytest.skip("this llama.cpp build can offload")
    assert "-DGGML_CUDA=on" in engine["advice"]
    assert "llama-cpp-python" in here("sensors").stdout


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
    assert 0 < record["seconds"] < 4
    assert process.returncode == 0


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A processor that draws 65 W, 20 of which it draws idle."""
    zone = RaplZone("intel-rapl:0", "package-0", PowerCurve.constant(BUSY_W))
    with FakeSysfs(tmp_path / "sys", [zone]) as machine:
        monkeypatch.setenv("LLAMAWATT_SYSFS", str(machine.root))
        idle = IdleLine(replace(channel(), key="rapl:package-0"), IDLE_W, 0.0, 60)
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        with closing(History(database_path())) as history:
            Baselines(history.store).keep(Baseline("", now, 60.0, present_conditions(), (idle,)))
        yield machine


def test_what_is_above_idle_is_told(llamawatt: Command, package: FakeSysfs) -> None:
    record = watched(llamawatt("watch", "--seconds", "1.5", "--json"))
    energy = record["energy"]
    above_j = (BUSY_W - IDLE_W) * record["seconds"]
    assert energy["above_idle_j"] == pytest.approx(above_j, rel=0.02)
    assert energy["above_idle_low_j"] < energy["above_idle_j"] < energy["above_idle_high_j"]
    assert energy["baseline"]["is_stale"] is False


def test_a_watch_is_recorded_marked_by_lines_and_listed(here: Command, package: FakeSysfs) -> None:
    arguments = ("watch", "--seconds", "2.5", "--record", "Two lines", "--mark-on-enter", "--json")
    process = subprocess.Popen(
        [COMMAND, *arguments],
        env=dict(os.environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    assert process.stderr
    assert "Enter marks" in process.stderr.readline()
    for line in ("begin\n", "\n"):
        process.stdin.write(line)
        process.stdin.flush()
        process.stderr.readline()
        time.sleep(0.4)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    record = json.loads(out)
    assert [mark["name"] for mark in record["marks"]] == ["begin", ""]
    assert record["energy"]["total_j"] == pytest.approx(BUSY_W * record["seconds"], rel=0.01)
    assert record["energy"]["above_idle_j"] == pytest.approx(45.0 * record["seconds"], rel=0.02)
    spans_j = [span["energy"]["total_j"] for span in record["spans"]]
    assert len(spans_j) == 3
    assert sum(spans_j) == pytest.approx(record["energy"]["total_j"], rel=0.01)
    listed = here("watch", "list")
    assert "Two lines" in listed.stdout
    assert record["id"][-8:] in listed.stdout
