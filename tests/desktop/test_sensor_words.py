"""What the Sensors page says of a refresh: what was learned, and with what bills reckon."""

from dataclasses import replace

import pytest

from desktop.sensors import words
from monitor.power.channel import Channel, Kind
from monitor.power.selftest import Traits, Verdict
from tests.unit.builders import channel

USUAL = replace(channel(), period_s=0.1)
SEEN_SLOW = replace(USUAL, period_s=1.0, least_period_s=1.0)
MEAN = replace(SEEN_SLOW, kind=Kind.POWER)


def learned(period_s: float | None, step_j: float | None = None) -> Traits:
    when = "2026-11-01T10:00:00.000+00:00"
    return Traits("test:one", Verdict.FOUND, period_s, step_j, None, None, 300, 60.0, when)


@pytest.mark.parametrize(
    ("sensor", "found", "cell", "tip"),
    [
        (USUAL, learned(0.02), "20.0 ms learned", "Learned on this machine"),
        (USUAL, learned(None), "100 ms", "Learned on this machine"),
        (MEAN, learned(0.1), "1.00 s mean", "every 100 ms, but tells a mean: bills take it to be "),
        (MEAN, learned(2.0), "2.00 s learned", "Learned on this machine"),
        (SEEN_SLOW, learned(0.001), "1.00 s seen", "seen to move every 1.00 s only when it was"),
        # Found of a counter in whose place watts are read now.
        (MEAN, learned(0.02, step_j=0.001), "1.00 s", "As documented."),
    ],
)
def test_a_refresh_is_the_one_that_bills_reckon_with(
    sensor: Channel, found: Traits, cell: str, tip: str
) -> None:
    assert words.refresh(sensor, found) == cell
    assert tip in words.refresh_tip(sensor, found)
