"""Jetson boards on constructed /sys trees: no watt of a board is in two parts."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from monitor.power.board_meters import board_meters
from monitor.power.channel import Channel, Domain, Kind, ProbeState, Role, counted
from monitor.power.memory import lacks_memory
from monitor.power.sources import SOURCES
from monitor.power.sources.jetson import Jetson
from monitor.power.unread import ComputedOn, unread_part
from tests.hardware.hwmon import say
from tests.unit.builders import channel

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the fakes imitate Linux")

MODEL = channel("model:package-0", kind=Kind.MODELLED)

Rails = Mapping[str, tuple[int, int]]
"""Of each: millivolts and milliamperes."""

PutBoard = Callable[..., Path]

ORIN_NX: Rails = {"VDD_IN": (5_000, 2_400), "VDD_CPU_GPU_CV": (5_000, 900), "VDD_SOC": (5_000, 500)}

AGX_ORIN: tuple[Rails, ...] = (
    {"VDD_GPU_SOC": (19_000, 500), "VDD_CPU_CV": (19_000, 200), "VIN_SYS_5V0": (5_000, 800)},
    {"NC": (0, 0), "VDDQ_VDD2_1V8AO": (5_000, 300)},
)

AGX_XAVIER: tuple[Rails, ...] = (
    {"GPU": (19_000, 100), "CPU": (19_000, 50), "SOC": (19_000, 60)},
    {"CV": (19_000, 0), "VDDRQ": (19_000, 20), "SYS5V": (19_000, 90)},
)


@pytest.fixture
def put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PutBoard:
    """Put a board's monitors into this test's /sys; returns the folder with all of them."""
    monkeypatch.setenv("LLAMAWATT_SYSFS", str(tmp_path))

    def board(*monitors: Rails, compatible: str = "nvidia,p3768-0000\0nvidia,tegra234\0") -> Path:
        tree = tmp_path / "firmware/devicetree/base"
        tree.mkdir(parents=True)
        (tree / "compatible").write_text(compatible)
        for at, rails in enumerate(monitors):
            folder = tmp_path / f"class/hwmon/hwmon{at}"
            say(folder, {"name": "ina3221", "in7_label": "sum of shunt voltages"})
            for number, (label, (voltage_mv, current_ma)) in enumerate(rails.items(), start=1):
                say(folder, {f"in{number}_label": label, f"in{number}_input": voltage_mv})
                say(folder, {f"curr{number}_input": current_ma})
        return tmp_path / "class/hwmon"

    return board


def opened() -> tuple[Jetson, dict[str, Channel]]:
    source = Jetson()
    assert source.probe().state is ProbeState.AVAILABLE
    return source, {each.key: each for each in source.open()}


def read_w(source: Jetson) -> dict[str, float | None]:
    return {reading.key: reading.power_w for reading in source.read()}


def total_w(source: Jetson, channels: dict[str, Channel]) -> float:
    watts, standing = read_w(source), counted((*channels.values(), MODEL))
    assert all(each.kind is Kind.POWER for each in standing)
    return sum(watts[c.key] or 0.0 for c in standing if c.role is Role.PART)


def test_the_source_is_registered() -> None:
    assert Jetson in SOURCES


def test_a_module_is_one_part_with_its_rails_inside(put: PutBoard) -> None:
    put(ORIN_NX)
    source, channels = opened()
    assert {key: (c.domain, c.role) for key, c in channels.items()} == {
        "jetson:VDD_IN": (Domain.SOC, Role.PART),
        "jetson:VDD_CPU_GPU_CV": (Domain.SOC, Role.INSIDE),
        "jetson:VDD_SOC": (Domain.SOC, Role.INSIDE),
        "jetson:rest": (Domain.DRAM, Role.INSIDE),
    }
    assert read_w(source) == {
        "jetson:VDD_IN": 12.0,
        "jetson:VDD_CPU_GPU_CV": 4.5,
        "jetson:VDD_SOC": 2.5,
        "jetson:rest": pytest.approx(5.0),
    }
    # The model of its processor gives way, and the GPU on the chip is not one that is not read.
    standing = counted((*channels.values(), MODEL))
    assert total_w(source, channels) == 12.0
    assert unread_part(ComputedOn(("Orin",), is_in_processor=True), standing) is None


@pytest.mark.parametrize(
    ("board", "lacks"),
    [
        (({"VDD_IN": (5_000, 2_400)},), False),
        ((ORIN_NX,), False),
        (AGX_ORIN, False),
        # What feeds its memory is shown, and not added.
        (AGX_XAVIER, True),
    ],
    ids=["module alone", "module", "AGX Orin", "AGX Xavier"],
)
def test_a_module_holds_its_memory(put: PutBoard, board: tuple[Rails, ...], lacks: bool) -> None:
    put(*board)
    _, channels = opened()
    assert lacks_memory(counted((*channels.values(), MODEL))) is lacks


def test_an_agx_orin_is_the_sum_of_what_lies_beside_each_other(put: PutBoard) -> None:
    put(*AGX_ORIN)
    source, channels = opened()
    roles = {key: each.role for key, each in channels.items()}
    assert roles == {
        "jetson:VDD_GPU_SOC": Role.PART,
        "jetson:VDD_CPU_CV": Role.PART,
        "jetson:VIN_SYS_5V0": Role.PART,
        "jetson:VDDQ_VDD2_1V8AO": Role.INSIDE,
    }
    assert total_w(source, channels) == pytest.approx(9.5 + 3.8 + 4.0)


def test_rails_that_no_document_places_are_shown_and_not_added(put: PutBoard) -> None:
    put(*AGX_XAVIER)
    source, channels = opened()
    assert {each.role for each in channels.values()} == {Role.INSIDE}
    assert read_w(source)["jetson:GPU"] == 1.9
    assert "not added" in source.probe().reason
    # The processor stays modelled.
    assert MODEL in counted((*channels.values(), MODEL))


def test_a_rail_that_draws_nothing_may_be_told_a_little_below(put: PutBoard) -> None:
    folder = put(ORIN_NX)
    source, _ = opened()
    say(folder / "hwmon0", {"curr3_input": -20})
    assert read_w(source)["jetson:VDD_SOC"] == 0.0
    say(folder / "hwmon0", {"curr3_input": -500})
    assert read_w(source).keys() == {"jetson:VDD_IN", "jetson:VDD_CPU_GPU_CV"}
    for number in (1, 2, 3):
        (folder / f"hwmon0/curr{number}_input").unlink()
    with pytest.raises(OSError, match="no supply rail"):
        source.read()


@pytest.mark.parametrize(("told", "period_s"), [(None, 0.1), (7, 0.02), (250, 0.25)])
def test_a_rail_is_read_as_often_as_it_is_measured(
    put: PutBoard, told: int | None, period_s: float
) -> None:
    folder = put(ORIN_NX)
    if told is not None:
        say(folder / "hwmon0", {"update_interval": told})
    channels = opened()[1].values()
    assert {(each.period_s, each.least_period_s) for each in channels} == {(period_s, period_s)}


@pytest.mark.parametrize(
    ("compatible", "monitors", "says"),
    [
        ("raspberrypi,5-model-b\0brcm,bcm2712\0", (ORIN_NX,), "no Jetson board"),
        ("nvidia,p3450-0000\0nvidia,tegra210\0", (), "shows no supply rails"),
    ],
    ids=["another maker's", "without sensors"],
)
def test_what_is_not_read_has_a_reason(
    put: PutBoard, compatible: str, monitors: tuple[Rails, ...], says: str
) -> None:
    put(*monitors, compatible=compatible)
    probe = Jetson().probe()
    assert (probe.state, says in probe.reason) == (ProbeState.ABSENT, True)
    # Another maker's rails are named, as nobody knows what contains what.
    assert len(board_meters()) == len(monitors)


def test_a_jetson_of_which_rails_are_read_is_not_said_to_be_unread(put: PutBoard) -> None:
    put(ORIN_NX)
    assert board_meters() == ()
