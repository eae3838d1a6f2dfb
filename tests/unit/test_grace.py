"""Grace processors on constructed /sys trees: a socket is added once, its rails never."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.power.board_meters import board_meters
from monitor.power.channel import Channel, Domain, Kind, ProbeState, Role, counted
from monitor.power.hwmon import grace_meters
from monitor.power.memory import lacks_memory
from monitor.power.sources import SOURCES
from monitor.power.sources.grace import Grace
from monitor.power.trace import Trace
from tests.hardware.hwmon import say
from tests.unit.builders import channel

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the fakes imitate Linux")

Put = Callable[..., Path]

MODEL = channel("model:package-0", kind=Kind.MODELLED)


@pytest.fixture
def put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Put:
    """Put a power meter into this test's /sys; returns the folder of its files."""
    monkeypatch.setenv("LLAMAWATT_SYSFS", str(tmp_path))
    numbers = iter(range(100))

    def meter(measures: str, power_w: float, below: str = "", **says: int | str) -> Path:
        monitor = tmp_path / f"class/hwmon/hwmon{next(numbers)}"
        say(monitor, {"name": "power_meter"})
        files = {"power1_oem_info": measures, "power1_average_interval": 50}
        say(monitor / below, {**files, "power1_average": round(power_w * 1e6), **says})
        return monitor / below

    return meter


def put_socket(put: Put, number: int = 0, **says: int) -> dict[str, Path]:
    """A socket with its module, as NVIDIA reports one at work."""
    watts = {"Module": 450.0, "Grace": 104.0, "CPU": 53.5, "SysIO": 6.5}
    return {
        name: put(f"{name} Power Socket {number}", power_w, **says)
        for name, power_w in watts.items()
    }


def opened() -> tuple[Grace, dict[str, Channel]]:
    source = Grace()
    assert source.probe().state is ProbeState.AVAILABLE
    return source, {each.key: each for each in source.open()}


def read_w(source: Grace) -> dict[str, float | None]:
    return {reading.key: reading.power_w for reading in source.read()}


def test_the_source_is_registered() -> None:
    assert Grace in SOURCES


def test_a_socket_is_a_part_and_its_rails_lie_inside_it(put: Put) -> None:
    put_socket(put)
    source, channels = opened()
    assert {key: (c.domain, c.role) for key, c in channels.items()} == {
        "grace:0": (Domain.CPU, Role.PART),
        "grace:0:cores": (Domain.CPU, Role.INSIDE),
        "grace:0:io": (Domain.CPU, Role.INSIDE),
        "grace:0:memory": (Domain.DRAM, Role.INSIDE),
        "grace:0:module": (Domain.CPU, Role.WHOLE),
    }
    assert {c.kind for c in channels.values()} == {Kind.POWER}
    assert read_w(source) == {
        "grace:0": 104.0,
        "grace:0:cores": 53.5,
        "grace:0:io": 6.5,
        "grace:0:memory": pytest.approx(44.0),
        "grace:0:module": 450.0,
    }
    # With its GPU around it, but not the machine.
    assert not channels["grace:0:module"].is_machine


def test_the_total_is_the_sockets(put: Put) -> None:
    put_socket(put, 0)
    put_socket(put, 1)
    source, channels = opened()
    standing = counted((*channels.values(), MODEL))
    watts = read_w(source)
    parts = [each.key for each in standing if each.role is Role.PART]
    assert parts == ["grace:0", "grace:1"]
    assert sum(watts[key] or 0.0 for key in parts) == 208.0
    trace = Trace()
    for each in channels.values():
        trace.add(each)
    assert trace.record(source.read()) == []


@pytest.mark.parametrize("below", ["", "device"], ids=["since Linux 6.15", "before"])
def test_meters_are_found_where_the_driver_has_its_files(put: Put, below: str) -> None:
    put("Grace Power Socket 0", 88.0, below)
    source, channels = opened()
    assert (list(channels), read_w(source)) == (["grace:0"], {"grace:0": 88.0})


def test_a_socket_holds_its_memory_though_no_meter_tells_that_alone(put: Put) -> None:
    put("Module Power Socket 0", 450.0)
    put("CPU Power Socket 0", 53.5)
    assert lacks_memory([MODEL])
    put("Grace Power Socket 0", 104.0)
    _, channels = opened()
    assert all(each.domain is not Domain.DRAM for each in channels.values())
    assert not lacks_memory(counted((*channels.values(), MODEL)))
    # Neither its cores hold it, nor what is not added.
    socket = channels.pop("grace:0")
    assert lacks_memory([*channels.values(), replace(socket, role=Role.INSIDE)])


@pytest.mark.parametrize(("told_ms", "period_s"), [(50, 0.1), (1000, 1.0), (0, 0.1)])
def test_a_meter_is_read_as_often_as_it_averages(put: Put, told_ms: int, period_s: float) -> None:
    put("Grace Power Socket 0", 88.0, power1_average_interval=told_ms)
    channel = opened()[1]["grace:0"]
    assert (channel.period_s, channel.least_period_s) == (period_s, period_s)


def test_what_does_not_answer_is_missing_and_so_is_what_is_made_of_it(put: Put) -> None:
    folders = put_socket(put)
    source, _ = opened()
    (folders["SysIO"] / "power1_average").unlink()
    say(folders["Module"], {"power1_average": 0})
    assert read_w(source) == {"grace:0": 104.0, "grace:0:cores": 53.5}
    say(folders["SysIO"], {"power1_average": 60_000_000})
    # More than the socket has: the two are of different moments.
    assert "grace:0:memory" not in read_w(source)
    for folder in folders.values():
        say(folder, {"power1_average": "unknown"})
    with pytest.raises(OSError, match="no power meter"):
        source.read()


def test_rails_without_a_socket_are_no_part_and_are_not_read(put: Put) -> None:
    put("CPU Power Socket 0", 50.0)
    assert Grace().probe().state is ProbeState.ABSENT


@pytest.mark.parametrize("measures", ["", "Total Power socket 0", "Grace 0"])
def test_a_power_meter_of_something_else_is_named_and_not_read(put: Put, measures: str) -> None:
    put(measures, 300.0)
    probe = Grace().probe()
    assert (probe.state, "no Grace processor" in probe.reason) == (ProbeState.ABSENT, True)
    assert board_meters() == (f"power_meter ({measures})" if measures else "power_meter",)
    assert grace_meters.grace_meters() == []
