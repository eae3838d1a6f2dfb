"""``baseline`` and ``calibrate`` as a person runs them, on machines whose watts are known."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from monitor.cli import main
from monitor.commands.baseline import baseline, calibrate_wall
from monitor.power.sampler import Sampler
from monitor.quiet import IdleMeasurement
from tests.hardware.curve import PowerCurve
from tests.hardware.hwmon import put_supply
from tests.hardware.plug_server import serving, shelly
from tests.hardware.processor import fake_processor
from tests.hardware.sysfs import FakeSysfs, RaplZone
from tests.unit.test_quiet import SilentGpu

PLUG_ADD = ("sensors", "plug", "add", "--name", "Desk")

Command = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run a command on a processor that computes nothing, whatever the real one does."""
    fake_processor(tmp_path, monkeypatch)
    return lambda command, *arguments: CliRunner().invoke(command, arguments)


def test_the_idle_machine_is_measured_kept_and_shown(
    run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = RaplZone("intel-rapl:0", "package-0", PowerCurve.constant(20.0))
    dram = RaplZone("intel-rapl:0:0", "dram", PowerCurve.constant(3.0))
    with FakeSysfs(tmp_path / "sys", [package, dram], update_s=0.01) as machine:
        monkeypatch.setenv("LLAMAWATT_SYSFS", str(machine.root))
        ran = run(baseline, "--seconds", "5.5", "--json")
        assert ran.exit_code == 0, ran.output
        measured = json.loads(ran.stdout)
        shown = json.loads(run(baseline, "--show", "--json").stdout)
        words = run(baseline, "--show").stdout
    assert measured["median_w"] == pytest.approx(23.0, rel=0.02)
    watts = {each["key"]: each["median_w"] for each in measured["channels"]}
    assert watts["rapl:package-0"] == pytest.approx(20.0, rel=0.02)
    assert watts["rapl:package-0:dram"] == pytest.approx(3.0, rel=0.02)
    assert measured["is_stale"] is False
    assert shown["id"] == measured["id"]
    assert "CPU 0" in words
    assert "Measured" in words


def test_a_gpu_at_a_steady_load_is_no_idle_unless_a_person_says_so(
    run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.quiet.SETTLE_S", 0.1)
    monkeypatch.setattr("monitor.energy.baseline.BLOCK_S", 0.1)
    monkeypatch.setattr("monitor.commands.baseline.LOOK_S", 0.1)
    monkeypatch.setattr(
        "monitor.commands.baseline.sampler_for", lambda history: Sampler(50, [SilentGpu(300.0)])
    )
    monkeypatch.setattr(
        "monitor.commands.baseline.IdleMeasurement",
        lambda sampler, seconds: IdleMeasurement(sampler, 0.8),
    )
    refused = run(baseline, "--json")
    assert refused.exit_code == 1
    assert "Intel GPU 0 drew 300 W all the while and does not tell its load" in refused.stderr
    assert "--gpu-at-rest" in refused.stderr
    assert run(baseline, "--show").exit_code == 1  # nothing was kept
    kept = json.loads(run(baseline, "--gpu-at-rest", "--json").stdout)
    assert (kept["on_word"], kept["stale_because"]) == ("Intel GPU 0", ["word"])
    shown = " ".join(run(baseline, "--show").stdout.split())
    assert "uncertain: a GPU that tells no load was at rest by a person's word only" in shown


def test_before_anything_was_measured_the_way_to_it_is_told(run: Command) -> None:
    for command, hint in (
        (baseline, "llamawatt baseline"),
        (calibrate_wall, "llamawatt calibrate"),
    ):
        ran = run(command, "--show")
        assert ran.exit_code == 1
        assert hint in ran.output


def test_without_a_plug_calibrating_says_what_to_connect(
    run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMAWATT_SYSFS", str(tmp_path / "nothing"))
    ran = run(calibrate_wall, "--quick", "--no-model")
    assert ran.exit_code == 1
    assert "Nothing here reads the whole machine" in ran.output
    assert not ran.stdout


def test_calibrating_waits_for_a_plug_which_is_asked_last(
    run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.power.sources.plug.PERIOD_S", 0.4)
    monkeypatch.setattr("monitor.commands.baseline.QUICK_S", 0.1)
    with serving(shelly()) as device:
        assert run(main, *PLUG_ADD, device.address).exit_code == 0
        ran = run(calibrate_wall, "--quick", "--no-model")
    assert "Desk is read every 0.4 s only" in ran.output, "it is what the steps are laid by"
    assert ran.stderr.count("Waiting for a first reading of Desk …") == 1


def test_a_plug_that_says_nothing_is_named(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.staircase.FIRST_S", 0.1)
    with serving(shelly()) as device:
        assert run(main, *PLUG_ADD, device.address).exit_code == 0
        device.status = 500
        ran = run(calibrate_wall, "--quick", "--no-model")
    assert ran.exit_code == 1
    assert "Desk did not tell any watts" in ran.output
    assert "battery" not in ran.output, "there is none here"


def test_a_laptop_on_mains_is_told_to_be_unplugged(
    run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.staircase.FIRST_S", 0.1)
    monkeypatch.setenv("LLAMAWATT_SYSFS", str(tmp_path / "sys"))
    put_supply(tmp_path / "sys", "BAT0", type="Battery", status="Charging", power_now=12_500_000)
    ran = run(calibrate_wall, "--quick", "--no-model")
    assert ran.exit_code == 1
    told = " ".join(ran.output.split())
    assert "Battery did not tell any watts" in told
    assert "battery tells them while its charger is unplugged" in told


@pytest.mark.parametrize("seconds", ["0", "-5", "4", "a minute", "100000"])
def test_a_nonsensical_time_is_refused(run: Command, seconds: str) -> None:
    assert run(baseline, "--seconds", seconds).exit_code == 2
