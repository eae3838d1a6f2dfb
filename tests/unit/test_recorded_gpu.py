"""Bills of what a real GPU said: read as the sampler reads it, against all that it told."""

import math
from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import pytest

from monitor.power import following
from monitor.power.channel import Reading
from monitor.power.following import Following
from monitor.power.trace import Trace
from monitor.power.window import Window
from tests.recorded.h200 import PERIOD_S, Recording
from tests.unit.conftest import MakeChannel

TICK_S, WHOLE_S = 0.1, 0.8
"""Watts are read so often; the counter, where that costs 4.5 ms."""

KEY = "nvml:recorded"


@pytest.fixture(scope="module")
def recording() -> Recording:
    return Recording.load()


class Player:
    """Reads a recording as :class:`monitor.power.reader.Reader` reads a source.

    :param whole_s: how far apart the readings of the counter are, without a mark
    """

    def __init__(self, recording: Recording, make_channel: MakeChannel, whole_s: float) -> None:
        self.trace = Trace()
        self._channel = make_channel(KEY, period_s=PERIOD_S, step_j=0.001)
        self.trace.add(self._channel)
        self._recording, self._whole_s = recording, whole_s

    def play(self, monkeypatch: pytest.MonkeyPatch, marks_s: Iterable[float] = ()) -> Trace:
        told, marks = self._recording, sorted(marks_s)
        due_s = whole_due_s = float(told.asked_s[0]) + 0.03
        soon_s, follows = math.inf, None
        while True:
            at_s = min(due_s, soon_s, marks[0] if marks else math.inf)
            row = int(np.searchsorted(told.asked_s, at_s))
            if row >= len(told.asked_s) - 1:
                return self.trace
            asked_s, counted_s = float(told.asked_s[row]), float(told.counted_s[row])
            if is_marked := bool(marks) and marks[0] <= at_s:
                marks.pop(0)
            if at_s >= due_s:
                due_s += TICK_S
            if is_marked and not follows:
                monkeypatch.setattr(following.time, "monotonic", lambda now_s=asked_s: now_s)
                follows = Following([self._channel], self.trace)
            watts = float(told.instant_w[row])
            if follows or asked_s >= whole_due_s:
                self.trace.record([Reading(KEY, counted_s, float(told.counted_j[row]), watts)])
                whole_due_s = asked_s + self._whole_s
            else:
                self.trace.sketch([Reading(KEY, float(told.told_s[row]), power_w=watts)])
            if follows:
                follows.note(asked_s)
                wait_s = follows.wait_s(counted_s)
                soon_s = counted_s + wait_s if wait_s else math.inf
                follows = follows if wait_s else None


def windows(recording: Recording, count: int) -> list[tuple[float, float]]:
    random = np.random.default_rng(1)
    first_s, last_s = recording.span_s
    lengths_s = random.uniform(1.0, 20.0, count)
    starts_s = random.uniform(first_s + 0.5, last_s - 2.5 - lengths_s)
    return list(zip(starts_s.tolist(), (starts_s + lengths_s).tolist(), strict=True))


def errors(
    trace: Trace, recording: Recording, spans_s: list[tuple[float, float]]
) -> tuple[list[float], list[Window]]:
    told = [trace.window(KEY, *span_s) for span_s in spans_s]
    pairs = zip(told, spans_s, strict=True)
    return [window.joules - recording.energy_j(*span_s) for window, span_s in pairs], told


@pytest.mark.parametrize(("whole_s", "rms"), [(0.0, 0.004), (WHOLE_S, 0.015), (2 * WHOLE_S, 0.025)])
def test_spans_that_nobody_marked_are_billed_within_their_doubt(
    recording: Recording,
    make_channel: MakeChannel,
    monkeypatch: pytest.MonkeyPatch,
    whole_s: float,
    rms: float,
) -> None:
    trace = Player(recording, make_channel, whole_s).play(monkeypatch)
    spans_s = windows(recording, 400)
    off_j, told = errors(trace, recording, spans_s)
    shares = [off / recording.energy_j(*span_s) for off, span_s in zip(off_j, spans_s, strict=True)]
    assert math.hypot(*shares) / math.sqrt(len(shares)) < rms
    held = [abs(off) <= 1.96 * each.edge_j for off, each in zip(off_j, told, strict=True)]
    assert np.mean(held) >= 0.93


def test_watts_between_two_counts_tell_where_the_joules_were(
    recording: Recording, make_channel: MakeChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    spans_s = windows(recording, 400)
    trace = Player(recording, make_channel, WHOLE_S).play(monkeypatch)
    without = Trace()
    without.add(make_channel(KEY, period_s=PERIOD_S, step_j=0.001))
    counted = Player(recording, make_channel, WHOLE_S)
    monkeypatch.setattr(counted.trace, "sketch", lambda readings: [])
    counted.play(monkeypatch)
    with_watts, _ = errors(trace, recording, spans_s)
    alone, _ = errors(counted.trace, recording, spans_s)
    assert math.hypot(*with_watts) < 0.6 * math.hypot(*alone)


@pytest.mark.parametrize("work", [0, 1, 2], ids=["matrices", "copies", "small matrices"])
def test_the_counter_of_a_gh100_counts_bursts_that_its_watts_hardly_see(
    recording: Recording, work: int
) -> None:
    """Why its counter is not said to look at a quarter of the time only."""
    watts = {}
    for (start_s, end_s), kind in zip(recording.bursts_s.tolist(), recording.works, strict=True):
        if kind == work and end_s - start_s < 0.3:
            low_s, high_s = start_s - 0.13, end_s + 0.28
            rest_w = recording.energy_j(low_s - 0.2, low_s) / 0.2
            drawn_j = recording.energy_j(low_s, high_s) - rest_w * (high_s - low_s)
            watts.setdefault(round(end_s - start_s, 2), drawn_j / (end_s - start_s))
    assert watts[0.02] == pytest.approx(watts[0.2], rel=0.12)
    assert watts[0.05] == pytest.approx(watts[0.2], rel=0.12)


def test_marked_work_is_billed_to_a_few_milliseconds_of_it(
    recording: Recording, make_channel: MakeChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    bursts_s = recording.bursts_s
    trace = Player(recording, make_channel, WHOLE_S).play(monkeypatch, bursts_s.ravel().tolist())
    judged = 0
    gaps_s = [start - end for (_, end), (start, _) in pairwise(bursts_s.tolist())]
    for burst, (start_s, end_s) in enumerate(bursts_s.tolist()):
        rests_s = [math.inf, *gaps_s, math.inf][burst : burst + 2]
        if min(rests_s) < 0.7 or end_s - start_s < 0.9:
            continue
        # Sure of itself are the joules from a rest to a rest, and what it draws while it rests.
        low_s, high_s = start_s - 0.25, end_s + 0.35
        rest_w = recording.energy_j(low_s - 0.1, low_s) / 0.1
        rest_j = rest_w * (high_s - low_s - (end_s - start_s))
        drawn_j = recording.energy_j(low_s, high_s) - rest_j
        window = trace.window(KEY, start_s, end_s)
        assert window.joules == pytest.approx(drawn_j, rel=0.035)
        assert abs(window.joules - drawn_j) <= 1.96 * window.edge_j
        judged += 1
    assert judged >= 4
