"""``watch`` and ``sensors`` against fake machines whose energy is known."""

import json
import os
import signal
import subprocess
import sys
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

IDLE_W, BUSY_W = 20.0, 65.0
LATE_S = 0.04
"""What moves the counters may come so late at either end of a watch on a busy machine."""


def watched(ran: Any) -> dict[str, Any]:
    assert ran.returncode == 0, ran.stderr
    document: dict[str, Any] = json.loads(ran.stdout)
    return document


def test_rapl_counter_that_wraps_is_right(llamawatt: Command, tmp_path: Path) -> None:
    """Constant power leaves no doubt about when the watch began; whenever that is, it wraps."""
    package = RaplZone(
        "intel-rapl:0", "package-0", PowerCurve.constant(BUSY_W), range_uj=150_000_000
    )
    dram = RaplZone("intel-rapl:0:0", "dram", PowerCurve.constant(4.0))
    core = RaplZone("intel-rapl:0:1", "core", PowerCurve.constant(50.0))
    with FakeSysfs(tmp_path / "sys", [package, dram, core], goes_first=True) as machine:
        record = watched(
            llamawatt("watch", "--seconds", "4", "--json", LLAMAWATT_SYSFS=str(machine.root))
        )
    energy = record["energy"]
    true_w = BUSY_W + 4.0
    assert energy["total_j"] == pytest.approx(
        true_w * record["seconds"], rel=0.005, abs=true_w * LATE_S
    )
    assert energy["kind"] == "counter"
    assert energy["resolved"] is True
    roles = {channel["key"]: channel["role"] for channel in energy["channels"]}
    assert {key: role for key, role in roles.items() if key.startswith("rapl:")} == {
        "rapl:package-0": "part",
        "rapl:package-0:dram": "part",
        "rapl:package-0:core": "inside",
    }


def test_rapl_steps_between_idle_and_load_are_right(llamawatt: Command, tmp_path: Path) -> None:
    """20 W and 65 W in turn, a second each, whenever the watch begins; wrapping in between."""
    watts = ((float(at_s), (IDLE_W, BUSY_W)[at_s % 2]) for at_s in range(120))
    package = RaplZone("intel-rapl:0", "package-0", PowerCurve(tuple(watts)), range_uj=60_000_000)
    with FakeSysfs(tmp_path / "sys", [package], goes_first=True) as machine:
        to_monotonic_s = time.monotonic() - time.time()
        record = watched(
            llamawatt(
                "watch", "--seconds", "4.5", "--record", "--json",
                LLAMAWATT_SYSFS=str(machine.root),
            )
        )  # fmt: skip
    start_s = datetime.fromisoformat(record["started_at"]).timestamp() + to_monotonic_s
    true_j = machine.energy_j(package, start_s, start_s + record["seconds"])
    # When it began is told to the millisecond, a moment after it did.
    assert record["energy"]["total_j"] == pytest.approx(true_j, rel=0.005, abs=BUSY_W * LATE_S)


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


WATCHING = """
import sys
from contextlib import contextmanager
from monitor.cli import main
from monitor.commands import watch
heed = watch.ctrl_c
@contextmanager
def heed_and_tell(stop):
    with heed(stop):
        print("It watches.", file=sys.stderr, flush=True)
        yield
watch.ctrl_c = heed_and_tell
main()
"""
"""The command, which says when it begins to heed Ctrl-C."""


def test_ctrl_c_ends_a_watch_with_its_bill() -> None:
    began_s = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-c", WATCHING, "watch", "--json"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr
    assert process.stderr.readline() == "It watches.\n"
    watched_s = time.monotonic()
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    told_s = time.monotonic()
    out, _ = process.communicate(timeout=60)
    record = json.loads(out)
    assert told_s - watched_s <= record["seconds"] < time.monotonic() - began_s
    assert process.returncode == 0


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A processor that draws 65 W, 20 of which it draws idle."""
    zone = RaplZone("intel-rapl:0", "package-0", PowerCurve.constant(BUSY_W))
    with FakeSysfs(tmp_path / "sys", [zone], goes_first=True) as machine:
        monkeypatch.setenv("LLAMAWATT_SYSFS", str(machine.root))
        idle = IdleLine(replace(channel(), key="rapl:package-0"), IDLE_W, 0.0, 60)
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        with closing(History(database_path())) as history:
            Baselines(history.store).keep(Baseline("", now, 60.0, present_conditions(), (idle,)))
        yield machine


def test_what_is_above_idle_is_told(llamawatt: Command, package: FakeSysfs) -> None:
    record = watched(llamawatt("watch", "--seconds", "1.5", "--json"))
    energy = record["energy"]
    above_j = energy["total_j"] - IDLE_W * record["seconds"]
    assert energy["above_idle_j"] == pytest.approx(above_j)
    assert energy["above_idle_low_j"] < energy["above_idle_j"] < energy["above_idle_high_j"]
    assert energy["baseline"]["is_stale"] is False


def test_a_watch_is_recorded_marked_by_lines_and_listed(here: Command, package: FakeSysfs) -> None:
    arguments = ("watch", "--seconds", "4", "--record", "Two lines", "--mark-on-enter", "--json")
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
        assert process.stderr.readline().startswith("Marked at")
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    record = json.loads(out)
    assert [mark["name"] for mark in record["marks"]] == ["begin", ""]
    total_j, seconds = record["energy"]["total_j"], record["seconds"]
    assert total_j == pytest.approx(BUSY_W * seconds, rel=0.01, abs=BUSY_W * LATE_S)
    assert record["energy"]["above_idle_j"] == pytest.approx(total_j - IDLE_W * seconds)
    spans_j = [span["energy"]["total_j"] for span in record["spans"]]
    assert len(spans_j) == 3
    assert sum(spans_j) == pytest.approx(total_j, rel=0.01)
    listed = here("watch", "list")
    assert "Two lines" in listed.stdout
    assert record["id"][-8:] in listed.stdout
