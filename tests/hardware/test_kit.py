"""Tests of the power curve and the fake sysfs: they must show the truth they promise."""

from __future__ import annotations

import json
import math
import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .curve import PowerCurve
from .sysfs import FakeSysfs, PciDevice, RaplZone, build_tree, can_deny, let_go

_REPOSITORY = Path(__file__).resolve().parents[2]
_STEPS = PowerCurve(((0.0, 10.0), (0.2, 100.0), (0.5, 40.0), (0.9, 75.0)))
_PACKAGE = RaplZone("intel-rapl:0", "package-0", _STEPS)
_DRAM = RaplZone("intel-rapl:0:1", "dram", PowerCurve.constant(5.0), start_uj=7)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the fakes imitate Linux")


def _counter(root: Path, zone: RaplZone) -> Path:
    return root / "class/powercap" / zone.folder / "energy_uj"


def _read_uj(root: Path, zone: RaplZone) -> int:
    return int(_counter(root, zone).read_text())


def _least_lag_j(fake: FakeSysfs, zone: RaplZone, enough_j: float) -> float:
    """Return the fewest joules, over 50 ms or until that is enough, a counter was behind the truth.

    Any single read may be late by what the scheduler took from the reader or the writer, and all
    of them for a while on a busy machine.
    """
    lags_j = [math.inf]
    least_s, most_s = time.monotonic() + 0.05, time.monotonic() + 10.0
    while time.monotonic() < (most_s if min(lags_j) > enough_j else least_s):
        moved_uj = (_read_uj(fake.root, zone) - zone.start_uj) % zone.range_uj
        truth_j = fake.energy_j(zone, fake.epoch_s, time.monotonic())
        lags_j.append(truth_j - moved_uj / 1e6)
    return min(lags_j)


@pytest.mark.parametrize(("start_s", "end_s"), [(0.0, 1.0), (0.1, 0.6), (-1.0, 0.3), (0.95, 4.0)])
def test_integral_matches_a_fine_sum(start_s: float, end_s: float) -> None:
    count = 100_000
    slice_s = (end_s - start_s) / count
    sum_j = slice_s * sum(_STEPS.power_w(start_s + (i + 0.5) * slice_s) for i in range(count))
    assert _STEPS.energy_j(start_s, end_s) == pytest.approx(sum_j, rel=1e-4)
    assert _STEPS.energy_j(end_s, start_s) == -_STEPS.energy_j(start_s, end_s)


def test_curve_survives_json() -> None:
    assert PowerCurve.from_list(json.loads(json.dumps(_STEPS.to_list()))) == _STEPS


@pytest.mark.parametrize("steps", [(), ((1.0, 5.0),), ((0.0, 5.0), (0.0, 6.0))])
def test_curve_refuses_bad_steps(steps: tuple[tuple[float, float], ...]) -> None:
    with pytest.raises(ValueError, match="step"):
        PowerCurve(steps)


def test_still_tree_has_the_kernels_layout(tmp_path: Path) -> None:
    build_tree(tmp_path / "sys", [_PACKAGE, _DRAM], [PciDevice(runtime_status="suspended")])
    powercap = tmp_path / "sys/class/powercap"
    assert sorted(entry.name for entry in powercap.iterdir()) == [
        "intel-rapl",
        "intel-rapl:0",
        "intel-rapl:0:1",
    ]
    assert not (powercap / "intel-rapl/energy_uj").exists()
    child = (powercap / "intel-rapl:0:1").resolve()
    assert child.relative_to((tmp_path / "sys").resolve()) == Path(
        "devices/virtual/powercap/intel-rapl/intel-rapl:0/intel-rapl:0:1"
    )
    assert (child / "name").read_text() == "dram\n"
    assert int((child / "energy_uj").read_text()) == 7
    assert (child / "max_energy_range_uj").read_text() == "262143328850\n"
    status = tmp_path / "sys/bus/pci/devices/0000:01:00.0/power/runtime_status"
    assert status.read_text() == "suspended\n"


@pytest.mark.skipif(not can_deny(), reason="root can read every file here")
def test_unreadable_zone_is_denied_to_root_too(tmp_path: Path) -> None:
    zone = RaplZone("intel-rapl:0", "package-0", _STEPS, readable=False)
    with FakeSysfs(tmp_path / "sys", [zone, _DRAM]) as fake:
        with pytest.raises(PermissionError):
            _counter(fake.root, zone).open()
        assert _counter(fake.root, _DRAM).read_text().endswith("\n")


def test_live_energy_matches_the_truth(tmp_path: Path) -> None:
    with FakeSysfs(tmp_path / "sys", [_PACKAGE, _DRAM]) as fake:
        time.sleep(1.0)
        for zone in (_PACKAGE, _DRAM):
            truth_j = fake.energy_j(zone, fake.epoch_s, time.monotonic())
            assert 0.0 <= _least_lag_j(fake, zone, 0.003 * truth_j) <= 0.003 * truth_j
    assert not os.path.lexists(fake.root)


def test_no_reader_sees_part_of_a_number(tmp_path: Path) -> None:
    with FakeSysfs(tmp_path / "sys", [_PACKAGE]) as fake:
        last_uj = 0
        until_s = time.monotonic() + 0.5
        while time.monotonic() < until_s:
            text = _counter(fake.root, _PACKAGE).read_text()
            assert text.endswith("\n")
            assert int(text) >= last_uj
            last_uj = int(text)


def test_counter_wraps(tmp_path: Path) -> None:
    zone = RaplZone(
        "intel-rapl:0", "dram", PowerCurve.constant(100.0), 65_712_000_000, 65_712_999_613
    )
    with FakeSysfs(tmp_path / "sys", [zone]) as fake:
        time.sleep(0.1)
        assert 0.0 <= _least_lag_j(fake, zone, 1.0) <= 1.0
        assert _read_uj(fake.root, zone) < zone.start_uj


def test_who_holds_what_was_let_go_reads_nothing_and_the_counter_goes_on(tmp_path: Path) -> None:
    with FakeSysfs(tmp_path / "sys", [_PACKAGE]) as fake:
        counter = _counter(fake.root, _PACKAGE)
        with counter.open("rb") as held:
            let_go(counter)
            before_uj = _read_uj(fake.root, _PACKAGE)
            time.sleep(0.1)
            assert held.read() == b""
        assert _read_uj(fake.root, _PACKAGE) > before_uj


def test_freeze_and_remove(tmp_path: Path) -> None:
    with FakeSysfs(tmp_path / "sys", [_PACKAGE, _DRAM]) as fake:
        fake.freeze(_PACKAGE)
        frozen_uj = _read_uj(fake.root, _PACKAGE)
        fake.remove(_DRAM)
        time.sleep(0.05)
        assert _read_uj(fake.root, _PACKAGE) == frozen_uj
        assert not _counter(fake.root, _DRAM).exists()


def test_counters_stop_with_their_parent(tmp_path: Path) -> None:
    code = """
import sys, time
from pathlib import Path
from tests.hardware.curve import PowerCurve
from tests.hardware.sysfs import FakeSysfs, RaplZone
zone = RaplZone("intel-rapl:0", "package-0", PowerCurve.constant(10.0))
with FakeSysfs(Path(sys.argv[1]), [zone]):
    print("up", flush=True)
    time.sleep(60)
"""
    root = tmp_path / "sys"
    command = [sys.executable, "-c", code, str(root)]
    with subprocess.Popen(command, cwd=_REPOSITORY, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"up\n"
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text()
        writer = os.pidfd_open(int(children))
        parent.kill()
    shutil.rmtree(root.resolve())
    ended, _, _ = select.select([writer], [], [], 5.0)
    os.close(writer)
    assert ended
