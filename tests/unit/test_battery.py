"""The battery on constructed /sys trees: the machine's draw while discharged, else nothing."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.power.channel import Channel, Domain, Kind, ProbeState, Role
from monitor.power.sampler import Sampler
from monitor.power.sources import SOURCES
from monitor.power.sources.battery import Battery
from monitor.quiet import present_conditions
from tests.hardware.hwmon import put_supply, say

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the fakes imitate Linux")

Put = Callable[..., Path]

ON_BATTERY = {"type": "Battery", "status": "Discharging", "power_now": 12_500_000}


@pytest.fixture
def put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Put:
    """Put a power supply into this test's /sys; returns its folder."""
    (tmp_path / "sys").mkdir()
    monkeypatch.setenv("LLAMAWATT_SYSFS", str(tmp_path / "sys"))
    return lambda name, **says: put_supply(tmp_path / "sys", name, **says)


def opened() -> tuple[Battery, Channel]:
    source = Battery()
    assert source.probe().state is ProbeState.AVAILABLE
    (channel,) = source.open()
    return source, channel


def read_w() -> list[float | None]:
    source, channel = opened()
    readings = source.read()
    assert {reading.key for reading in readings} <= {channel.key}
    assert all(reading.counter_j is None for reading in readings)
    return [reading.power_w for reading in readings]


def test_the_source_is_registered() -> None:
    assert Battery in SOURCES


def test_a_battery_reads_the_whole_machine(put: Put) -> None:
    put("BAT0", **ON_BATTERY)
    put("AC", type="Mains", online=0)
    source, channel = opened()
    assert (channel.role, channel.kind, channel.domain) == (Role.WHOLE, Kind.POWER, Domain.SYSTEM)
    assert [reading.power_w for reading in source.read()] == [12.5]
    assert "what the whole machine draws while the charger is unplugged" in source.probe().reason
    assert (source.rests(), source.remarks()) == ("", ())


# Which way the watts are told.


@pytest.mark.parametrize(
    ("says", "power_w"),
    [
        ({"power_now": 12_500_000}, 12.5),
        # The kernel says negative while discharging; many drivers say positive.
        ({"power_now": -12_500_000}, 12.5),
        ({"current_now": 1_500_000, "voltage_now": 11_400_000}, 17.1),
        ({"current_now": -1_500_000, "voltage_now": 11_400_000}, 17.1),
        ({"power_now": 0, "current_now": 1_500_000, "voltage_now": 11_400_000}, 17.1),
        # Some controllers say 0 or nothing before they have measured: missing, never 0 W.
        ({"power_now": 0}, None),
        ({"power_now": ""}, None),
        # Some gauges tell a mean alone; what is told now comes before it.
        ({"power_avg": 9_000_000, "voltage_now": 11_400_000}, 9.0),
        ({"current_avg": -1_500_000, "voltage_now": 11_400_000}, 17.1),
        ({"power_avg": 9_000_000, "power_now": 12_500_000}, 12.5),
        ({"current_now": 0, "voltage_now": 11_400_000}, None),
        ({"current_now": 1_500_000, "voltage_now": 0}, None),
    ],
)
def test_watts_come_from_power_or_from_current(
    put: Put, says: dict[str, int | str], power_w: float | None
) -> None:
    put("BAT0", type="Battery", status="Discharging", **says)
    assert read_w() == ([] if power_w is None else [pytest.approx(power_w)])


@pytest.mark.parametrize("says", [{}, {"current_now": 1_500_000}, {"voltage_now": 11_400_000}])
def test_a_battery_that_tells_its_charge_only_is_absent(put: Put, says: dict[str, int]) -> None:
    put("BAT0", type="Battery", status="Discharging", capacity=80, **says)
    probe = Battery().probe()
    assert probe.state is ProbeState.ABSENT
    assert "BAT0" in probe.reason


# When it is the machine's draw.


@pytest.mark.parametrize("status", ["Charging", "Full", "Not charging", "Unknown", ""])
def test_only_a_battery_that_is_discharged_is_read(put: Put, status: str) -> None:
    put("BAT0", **{**ON_BATTERY, "status": status})
    assert read_w() == []


@pytest.mark.parametrize("status", ["Charging", "Full", "Not charging"])
def test_on_mains_it_rests(put: Put, status: str) -> None:
    put("BAT0", **{**ON_BATTERY, "status": status})
    source, _ = opened()
    assert source.read() == []
    assert source.rests() == "on mains it does not tell what the machine draws"
    assert source.remarks() == ()


@pytest.mark.parametrize(
    ("says", "words"),
    [
        ({"status": "Unknown"}, "does not say at present whether it is charged or discharged"),
        ({"status": ""}, "does not say at present whether it is charged or discharged"),
        ({"power_now": 0}, "tells no watts at present"),
    ],
)
def test_what_is_not_told_off_mains_is_no_rest(
    put: Put, says: dict[str, int | str], words: str
) -> None:
    battery = put("BAT0", **{**ON_BATTERY, **says})
    source, _ = opened()
    assert source.read() == []
    assert source.rests() == ""
    assert words in " ".join(source.remarks())
    say(battery, ON_BATTERY)
    assert source.read()
    assert source.remarks() == ()


@pytest.mark.parametrize("kind", ["Mains", "USB", "Wireless"])
def test_a_charger_that_is_too_weak_hides_part_of_the_draw(put: Put, kind: str) -> None:
    put("BAT0", **ON_BATTERY)
    charger = put("charger", type=kind, online=1)
    assert read_w() == []
    say(charger, {"online": 0})
    assert read_w() == [12.5]


def test_unplugging_is_noticed(put: Put) -> None:
    battery = put("BAT0", **{**ON_BATTERY, "status": "Charging"})
    charger = put("AC", type="Mains", online=1)
    source, _ = opened()
    assert source.read() == []
    say(charger, {"online": 0})
    say(battery, {"status": "Discharging"})
    assert [reading.power_w for reading in source.read()] == [12.5]


def test_the_idle_baseline_agrees_on_what_mains_is(put: Put) -> None:
    charger = put("AC", type="Mains", online=1)
    battery = put("BAT0", **{**ON_BATTERY, "status": "Not charging"})
    assert (present_conditions().on_mains, read_w()) == (True, [])
    say(charger, {"online": 0})
    say(battery, {"status": "Discharging"})
    assert (present_conditions().on_mains, read_w()) == (False, [12.5])


# Several batteries, and those of other things.


def test_batteries_are_added_up(put: Put) -> None:
    put("BAT0", **ON_BATTERY)
    put("BAT1", **{**ON_BATTERY, "power_now": 4_000_000})
    assert read_w() == [16.5]


@pytest.mark.parametrize(
    ("other", "power_w"),
    [
        ({"status": "Not charging", "power_now": 0}, 12.5),
        ({"status": "Full", "power_now": 0}, 12.5),
        ({"status": "Unknown", "power_now": 0}, 12.5),
        # What flows into or out of it is not known: the first alone would be a wrong sum.
        ({"status": "Unknown", "power_now": 3_000_000}, None),
        ({"status": "Charging", "power_now": 3_000_000}, None),
        ({"status": "Charging", "power_now": 0}, None),
        ({"status": "Discharging", "power_now": 0}, None),
    ],
)
def test_a_second_battery_is_never_guessed(
    put: Put, other: dict[str, int | str], power_w: float | None
) -> None:
    put("BAT0", **ON_BATTERY)
    put("BAT1", type="Battery", **other)
    assert read_w() == ([] if power_w is None else [power_w])


def test_other_things_batteries_are_not_the_machines(put: Put) -> None:
    put("hidpp_battery_0", **{**ON_BATTERY, "scope": "Device", "power_now": 900_000})
    put("wacom_battery_0", type="Battery", scope="Device", status="Discharging")
    assert Battery().probe().state is ProbeState.ABSENT
    put("macsmc-battery", **{**ON_BATTERY, "scope": "System"})
    assert read_w() == [12.5]


def test_the_battery_of_a_mouse_silences_nothing_though_it_does_not_say_whose_it_is(
    put: Put,
) -> None:
    put("BAT0", **ON_BATTERY)
    put("hid-mouse-battery", type="Battery", present=1, status="Discharging", capacity=80)
    assert read_w() == [12.5]
    # A second one of the machine's own is part of what it draws, and not known.
    put("BAT1", type="Battery", status="Not charging", capacity=80, charge_now=5_000_000)
    probe = Battery().probe()
    assert probe.state is ProbeState.ABSENT
    assert probe.reason.startswith("BAT1:")


def test_an_empty_bay_and_a_ups_do_not_count(put: Put) -> None:
    put("BAT0", **ON_BATTERY)
    put("BAT1", type="Battery", present=0, status="Unknown")
    put("ups", type="UPS", status="Discharging", power_now=90_000_000)
    assert read_w() == [12.5]


@pytest.mark.parametrize("supplies", [{}, {"AC": {"type": "Mains", "online": 1}}])
def test_a_machine_without_a_battery_says_so(put: Put, supplies: dict[str, dict[str, str]]) -> None:
    for name, says in supplies.items():
        put(name, **says)
    probe = Battery().probe()
    assert (probe.source, probe.state) == ("battery", ProbeState.ABSENT)
    assert "no battery" in probe.reason


# Any state of any batteries: missing, or exactly what those that are discharged give.

any_battery = st.fixed_dictionaries(
    {
        "status": st.sampled_from(
            ["Discharging", "Charging", "Full", "Not charging", "Unknown", "surprise"]
        ),
        "power_now": st.integers(-60_000_000, 60_000_000) | st.sampled_from([0, "", "nonsense"]),
    }
)


@given(batteries=st.lists(any_battery, min_size=1, max_size=3), online=st.sampled_from([0, 1]))
def test_a_reading_is_missing_or_the_sum_of_what_is_discharged(
    tmp_path_factory: pytest.TempPathFactory,
    batteries: list[dict[str, int | str]],
    online: int,
) -> None:
    root = tmp_path_factory.mktemp("sys")
    for number, says in enumerate(batteries):
        put_supply(root, f"BAT{number}", type="Battery", **says)
    put_supply(root, "AC", type="Mains", online=online)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LLAMAWATT_SYSFS", str(root))
        powers_w = read_w()
    giving = [says["power_now"] for says in batteries if says["status"] == "Discharging"]
    if online or not giving or not all(isinstance(each, int) and each for each in giving):
        assert powers_w == []
    elif powers_w:
        assert powers_w == [pytest.approx(sum(abs(int(each)) for each in giving) / 1e6)]
        assert powers_w[0] is not None
        assert powers_w[0] > 0


# Through the sampler.


def test_on_mains_nothing_waits_and_nothing_is_read(put: Put) -> None:
    put("BAT0", **{**ON_BATTERY, "status": "Charging"})
    put("AC", type="Mains", online=1)
    with Sampler(hz=50, sources=[Battery()]) as sampler:
        began_s = time.monotonic()
        assert sampler.wait_ready(timeout_s=60.0)
        assert time.monotonic() - began_s < 30.0
        (channel,) = sampler.channels()
        assert sampler.trace.latest(channel.key) is None
        assert "failing" not in sampler.probes()[0].reason
        (rest,) = sampler.rests_of(channel)
        assert rest.covers(time.monotonic(), time.monotonic())


def test_a_battery_that_is_taken_out_is_a_fault(put: Put) -> None:
    battery = put("BAT0", **ON_BATTERY)
    source, _ = opened()
    for file in battery.iterdir():
        file.unlink()
    battery.rmdir()
    with pytest.raises(OSError, match="gone"):
        source.read()
