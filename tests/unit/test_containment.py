"""What lies within a part reads no more than the part, or one of the two is not believed."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from monitor.energy.account import WATCH, Bill, Phase, account
from monitor.power import containment
from monitor.power import sampler as sampler_module
from monitor.power.channel import Accuracy, Channel, Domain, Kind, Reading, Role, counted
from monitor.power.containment import AT_ODDS, NOT_BELIEVED, Containment
from monitor.power.sampler import Sampler
from monitor.power.sources.amdgpu import AmdGpu
from monitor.power.sources.rapl import Rapl
from monitor.power.trace import Trace
from tests.hardware.curve import PowerCurve
from tests.hardware.hwmon import AMD, FakeCard, Says
from tests.hardware.sysfs import FakeSysfs, RaplZone
from tests.unit.builders import channel
from tests.unit.conftest import Eventually

TENTH = Accuracy(0.1, 0.1, 1.0, "a test")

PACKAGE = replace(
    channel(key="rapl", label="CPU"), kind=Kind.COUNTER, period_s=0.001, accuracy=TENTH
)
SOCKET = replace(PACKAGE, key="apu", label="APU", domain=Domain.SOC, kind=Kind.POWER, period_s=0.1)
CARD = replace(PACKAGE, key="card", label="Card", domain=Domain.GPU, device="card")
CHIP = replace(CARD, key="chip", label="Chip", role=Role.INSIDE)

Watts = float | Callable[[float], float]


def read(*drawn: tuple[Channel, Watts], seconds: float = 10.0) -> Trace:
    """A trace of some channels, read ten times a second."""
    trace = Trace()
    for each, watts in drawn:
        trace.add(each)
        joules = 0.0
        for at_s in np.arange(0.0, seconds + 0.05, 0.1):
            power_w = watts(at_s) if callable(watts) else watts
            joules += power_w * 0.1
            reading = Reading(each.key, at_s)
            if each.kind is Kind.POWER:
                trace.record([replace(reading, power_w=power_w)])
            else:
                trace.record([replace(reading, counter_j=joules)])
    return trace


def looked_at(trace: Trace, now_s: float = 10.0, looks: int = 2) -> Containment:
    found = Containment()
    for look in range(looks):
        found.look(trace, trace.channels(), now_s + look * (containment.JUDGED_S + 0.1))
    return found


def bill_of(trace: Trace, found: Containment, end_s: float = 10.0) -> Bill:
    there = counted(tuple(map(found.as_found, trace.channels())))
    return account(trace, there, [Phase(WATCH, 0.0, end_s)])


def test_once_may_be_an_accident() -> None:
    trace = read((PACKAGE, 60.0), (SOCKET, 45.0), seconds=14.0)
    found = looked_at(trace, looks=1)
    assert found.doubts == ()
    assert found.as_found(SOCKET).role is Role.PART


def test_a_socket_that_tells_less_than_its_package_is_only_shown() -> None:
    trace = read((PACKAGE, 60.0), (SOCKET, 45.0), seconds=14.0)
    found = looked_at(trace)
    (doubt,) = found.doubts
    assert (doubt.key, doubt.text) == (SOCKET.key, NOT_BELIEVED)
    assert doubt.words().startswith("APU reads 45 W where CPU, which lies within it, reads 60 W.")
    bill = bill_of(trace, found)
    # Of the whole time, also of what came before it was found out.
    assert bill.total().joules == pytest.approx(600.0, rel=0.01)
    assert bill.total().kind is Kind.COUNTER
    assert {line.channel.key: line.channel.role for line in bill.lines} == {
        PACKAGE.key: Role.PART,
        SOCKET.key: Role.INSIDE,
    }
    # Opened anew it is what it was found to be.
    assert found.as_found(SOCKET).role is Role.INSIDE
    assert found.as_found(PACKAGE) == PACKAGE


@pytest.mark.parametrize(
    "told",
    [70.0, 60.0, 52.0, lambda at_s: 10.0 if at_s < 8.05 else 60.0],
    ids=["more", "as much", "within what both may be off", "late by a second"],
)
def test_a_socket_that_may_be_right_contains_its_package(told: Watts) -> None:
    stepping = callable(told)
    drawn = (lambda at_s: 10.0 if at_s < 7.05 else 60.0) if stepping else 60.0
    trace = read((PACKAGE, drawn), (SOCKET, told), seconds=14.0)
    found = looked_at(trace)
    assert found.doubts == ()
    roles = {line.channel.key: line.channel.role for line in bill_of(trace, found).lines}
    assert roles == {PACKAGE.key: Role.INSIDE, SOCKET.key: Role.PART}


@pytest.mark.parametrize("chip_w", [80.0, 150.0])
def test_a_card_that_tells_less_than_its_chip_is_billed_and_doubtful(chip_w: float) -> None:
    trace = read((CARD, 100.0), (CHIP, chip_w))
    found = looked_at(trace, looks=1)
    told = [(doubt.key, doubt.text) for doubt in found.doubts]
    assert told == ([(CARD.key, AT_ODDS)] if chip_w > 100 else [])
    assert bill_of(trace, found).total().joules == pytest.approx(1000.0, rel=0.01)


def test_what_was_not_read_together_is_not_compared() -> None:
    trace = read((PACKAGE, 60.0), (SOCKET, 45.0))
    assert looked_at(trace, now_s=20.0).doubts == (), "both are silent by now"
    early = read((PACKAGE, 60.0), (SOCKET, 45.0), seconds=1.0)
    assert looked_at(early, now_s=1.0).doubts == (), "too short"
    own = replace(CHIP, key="own", kind=Kind.MODELLED)
    assert looked_at(read((CARD, 100.0), (own, 150.0))).doubts == (), "modelled is no measurement"


@pytest.mark.skipif(sys.platform != "linux", reason="the fakes imitate Linux")
def test_the_package_of_a_real_tree_stays_the_part_beside_a_socket_that_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    for name in ("JUDGED_S", "LATE_S"):
        monkeypatch.setattr(containment, name, 0.4)
    monkeypatch.setattr(sampler_module, "WATCH_S", 0.1)
    root = tmp_path / "sys"
    monkeypatch.setenv("LLAMAWATT_SYSFS", str(root))
    zone = RaplZone("intel-rapl:0", "package-0", PowerCurve.constant(60.0))
    apu: Says = {"name": "amdgpu", "in1_label": "vddnb", "power1_input": 45_000_000}
    with FakeSysfs(root, [zone]):
        FakeCard(AMD, monitors=(apu,)).put(root)
        with Sampler(20, sources=[Rapl(), AmdGpu()]) as sampler:
            eventually(lambda: any(probe.doubts for probe in sampler.probes()))
            roles = {each.key: each.role for each in sampler.channels()}
            (doubt,) = (doubt for probe in sampler.probes() for doubt in probe.doubts)
    assert roles == {"rapl:package-0": Role.PART, "amdgpu:0000:03:00.0": Role.INSIDE}
    assert doubt.key == "amdgpu:0000:03:00.0"
    assert "rapl" not in doubt.words()
    assert "It is not believed" in doubt.words()
