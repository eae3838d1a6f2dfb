"""Whether a counter and watts of known energy are told to agree, and others not to."""

import itertools
import random
from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from monitor.power.accuracy import accuracy_of
from monitor.power.channel import Accuracy, Domain, Reading
from monitor.power.crosscheck import CrossCheck
from tests.hardware.curve import PowerCurve
from tests.unit.conftest import EXACT, MakeChannel

Check = Callable[..., CrossCheck]


@pytest.fixture
def check(make_channel: MakeChannel) -> Check:
    def make(accuracy: Accuracy | None = None) -> CrossCheck:
        channel = make_channel(
            domain=Domain.GPU,
            period_s=0.1,
            step_j=0.001,
            accuracy=accuracy or accuracy_of("nvml"),
        )
        return CrossCheck(channel, power_period_s=0.1, window_s=5.0)

    return make


def readings(
    power: PowerCurve, seconds: float, *, counted: PowerCurve | None = None, start_s: float = 0.0
) -> Iterable[Reading]:
    """Ten readings a second, each up to 0.1 s old, of a counter that follows another curve."""
    chance = random.Random(7)
    for number in range(round(seconds * 10)):
        at_s = start_s + number * 0.1 + chance.uniform(0.0, 0.02)
        seen_s = (at_s * 10 // 1) / 10
        counter_j = (counted or power).energy_j(0.0, seen_s)
        yield Reading("gpu", at_s, counter_j, power.power_w(seen_s))


def feed(check: CrossCheck, told: Iterable[Reading]) -> None:
    for reading in told:
        check.add(reading)


def test_an_idle_card_that_counts_half_of_its_watts_is_found(check: Check) -> None:
    # The figures of ml-energy/zeus#181: 187 J counted and 327 J integrated in five seconds.
    odd = check()
    told = readings(PowerCurve.constant(65.4), 11.0, counted=PowerCurve.constant(37.5))
    feed(odd, told)
    assert odd.disagreement
    assert odd.disagreement.counted_j == pytest.approx(187, rel=0.05)
    assert odd.disagreement.integrated_j == pytest.approx(327, rel=0.05)
    assert not odd.disagreement.broken


@pytest.mark.parametrize("gain", [0.93, 1.0, 1.07])
def test_a_card_that_is_as_far_off_as_cards_are_agrees(check: Check, gain: float) -> None:
    sound = check()
    feed(sound, readings(PowerCurve.constant(700.0), 30.0, counted=PowerCurve.constant(700 * gain)))
    assert sound.disagreement is None


@pytest.mark.parametrize("seed", range(10))
def test_bursts_between_readings_are_no_disagreement(check: Check, seed: int) -> None:
    # Of a sensor that is exact, so that nothing else may explain them.
    chance = random.Random(seed)
    times_s = itertools.accumulate(chance.uniform(0.03, 0.4) for _ in range(200))
    bursts = PowerCurve(
        ((0.0, 50.0), *((at_s, chance.choice([50.0, 200.0, 420.0])) for at_s in times_s))
    )
    sound = check(accuracy=EXACT)
    for reading in readings(bursts, 30.0):
        sound.add(reading)
        assert sound.disagreement is None


def test_watts_that_are_a_mean_of_the_last_second_come_late_and_agree(
    make_channel: MakeChannel,
) -> None:
    load = PowerCurve(tuple((float(at_s), 400.0 if at_s % 8 else 50.0) for at_s in range(0, 60, 4)))
    channel = make_channel(domain=Domain.GPU, period_s=0.1, step_j=0.001, accuracy=EXACT)
    late = CrossCheck(channel, power_period_s=1.0, window_s=5.0)
    for reading in readings(load, 59.0):
        mean_w = load.energy_j(reading.time_s - 1.0, reading.time_s)
        late.add(replace(reading, power_w=mean_w))
        assert late.disagreement is None


def test_a_counter_that_stands_still_is_broken(check: Check) -> None:
    frozen = check()
    feed(frozen, readings(PowerCurve.constant(80.0), 11.0, counted=PowerCurve.constant(0.0)))
    assert frozen.disagreement
    assert frozen.disagreement.broken


def test_it_is_over_when_both_agree_again(check: Check) -> None:
    passing = check()
    counted = PowerCurve(((0.0, 40.0), (12.0, 200.0)))
    feed(passing, readings(PowerCurve.constant(200.0), 11.0, counted=counted))
    assert passing.disagreement
    feed(passing, readings(PowerCurve.constant(200.0), 12.0, counted=counted, start_s=11.0))
    assert passing.disagreement is None


def test_a_window_with_a_hole_is_not_judged(check: Check) -> None:
    holed = check()
    told = list(readings(PowerCurve.constant(65.4), 5.5, counted=PowerCurve.constant(37.5)))
    feed(holed, told[:20])
    holed.miss()
    feed(holed, told[40:])
    assert holed.disagreement is None
