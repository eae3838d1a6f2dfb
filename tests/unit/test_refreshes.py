"""When a counter was refreshed: read on at a mark until that is known, and billed by it."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest

from monitor.energy.account import WATCH, Phase, account
from monitor.power.channel import Channel, Domain, Kind, Probe, ProbeState, Reading
from monitor.power.clock import beat_after
from monitor.power.curve import Curve
from monitor.power.refreshes import refreshed
from monitor.power.sampler import Sampler
from monitor.power.trace import Trace
from tests.unit.conftest import Eventually, MakeChannel

Floats = npt.NDArray[np.float64]

GRID_S, BEFORE_S, AFTER_S = 0.0005, 2.0, 1.5
IDLE_W, LOADED_W = 60.0, (250.0, 400.0)


@dataclass(frozen=True)
class Query:
    """A GPU's watts around a query: it begins and ends at once, with bursts in between."""

    start_s: float
    end_s: float
    energy_j: Floats

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> "Query":
        start_s = BEFORE_S + rng.uniform()
        end_s = start_s + rng.uniform(1, 8)
        time_s = np.arange(0.0, end_s + AFTER_S, GRID_S)
        power_w = np.full(len(time_s), IDLE_W)
        power_w[(time_s >= start_s) & (time_s < end_s)] = rng.uniform(*LOADED_W)
        for burst_s in rng.uniform(start_s, end_s, rng.poisson(3)):
            until_s = min(burst_s + rng.uniform(0.05, 0.5), end_s)
            power_w[(time_s >= burst_s) & (time_s < until_s)] = rng.uniform(150, 450)
        return cls(start_s, end_s, np.concatenate([[0.0], np.cumsum(power_w) * GRID_S]))

    def joules(self, time_s: Floats | float) -> Floats:
        return np.interp(time_s, np.arange(len(self.energy_j)) * GRID_S, self.energy_j)

    def read(self, period_s: float, is_followed: bool, rng: np.random.Generator) -> list[Reading]:
        """What a counter tells that is read at 10 Hz and at both marks, and on from there."""
        end_s = self.end_s + AFTER_S - 0.1
        refreshes_s = rng.uniform(0, period_s) + np.arange(-1, end_s / period_s) * period_s
        refreshes_s += rng.uniform(-0.05, 0.05, len(refreshes_s)) * period_s
        due_s = np.arange(0.2, end_s, 0.1)
        times_s = [*(due_s + rng.uniform(-0.01, 0.01, len(due_s)))]
        for mark_s in (self.start_s, self.end_s):
            step_s = period_s / 10 + 0.0003
            count = 21 if is_followed else 1
            times_s += [mark_s + rng.exponential(0.0007) + step_s * at for at in range(count)]
        time_s = np.unique(times_s)
        shown_s = refreshes_s[np.searchsorted(refreshes_s, time_s, side="right") - 1]
        shown_j = np.floor(self.joules(np.maximum(shown_s, 0.0)) * 1e3) / 1e3
        rows = zip(time_s.tolist(), shown_j.tolist(), strict=True)
        return [Reading("a counter", at_s, counter_j=joules) for at_s, joules in rows]


def billed(channel: Channel, is_followed: bool) -> tuple[float, float, float]:
    """Bill queries; return RMS and mean error as shares, and how often the interval was right."""
    rng = np.random.default_rng(5)
    errors, right = [], []
    for _ in range(200):
        query, trace = Query.drawn(rng), Trace()
        trace.add(channel)
        trace.record(query.read(channel.period_s, is_followed, rng))
        (line,) = account(trace, [channel], [Phase(WATCH, query.start_s, query.end_s)]).lines
        truth_j = float(query.joules(query.end_s) - query.joules(query.start_s))
        assert line.energy
        errors.append(line.energy.joules / truth_j - 1)
        right.append(line.energy.low_j <= truth_j <= line.energy.high_j)
    return float(np.sqrt(np.mean(np.square(errors)))), float(np.mean(errors)), float(np.mean(right))


@pytest.mark.parametrize(("period_s", "most"), [(0.02, 0.0006), (0.1, 0.0025)])
def test_a_slow_counter_that_is_followed_at_the_marks_is_billed_sharply(
    make_channel: MakeChannel, period_s: float, most: float
) -> None:
    """Work begins and ends at the marks; between two refreshes it is known when."""
    channel = make_channel("a counter", period_s=period_s, domain=Domain.GPU, step_j=0.001)
    rms, mean, right = billed(channel, is_followed=True)
    assert rms < most
    assert abs(mean) < most / 3
    assert right >= 0.93
    unfollowed_rms, _, unfollowed_right = billed(channel, is_followed=False)
    assert rms < unfollowed_rms / 2
    assert unfollowed_right >= 0.93


class Moving:
    """A source of one counter, which moves every so often by the clock; or stands."""

    name = "moving"

    def __init__(self, channel: Channel, is_still: bool = False, repeats: bool = True) -> None:
        self.channel, self._is_still, self._repeats = channel, is_still, repeats
        self._told = -1.0
        self.read_at_s: list[float] = []
        self.raises = threading.Event()

    def probe(self) -> Probe:
        return Probe(self.name, ProbeState.AVAILABLE, "Scripted.")

    def open(self) -> tuple[Channel, ...]:
        return (self.channel,)

    def read(self) -> list[Reading]:
        if self.raises.is_set():
            raise OSError("it does not answer")
        now_s = time.monotonic()
        self.read_at_s.append(now_s)
        refreshes = 0 if self._is_still else now_s // self.channel.period_s
        if refreshes == self._told and not self._repeats:
            return []
        self._told = refreshes
        return [Reading(self.channel.key, now_s, counter_j=100 * refreshes)]

    def close(self) -> None:
        pass


@pytest.fixture
def sampled() -> Iterator[list[Sampler]]:
    samplers: list[Sampler] = []
    yield samplers
    for sampler in samplers:
        sampler.stop()


def after_a_mark(source: Moving, sampled: list[Sampler], eventually: Eventually) -> list[float]:
    """Mark once, at 1 Hz; return when it was read within half a second from there."""
    if not sampled:
        sampled.append(Sampler(hz=1, sources=[source]))
        sampled[0].start()
    sampler = sampled[0]
    assert sampler.wait_ready(timeout_s=10.0)
    mark_s = time.monotonic()
    if (due_s := beat_after(mark_s, 1.0)) < mark_s + 0.6:
        # Then only the mark has it read.
        eventually(lambda: source.read_at_s[-1] >= due_s)
        mark_s = time.monotonic()
    sampler.mark()
    eventually(lambda: time.monotonic() > mark_s + 0.5)
    return [at_s for at_s in source.read_at_s if mark_s <= at_s <= mark_s + 0.5]


def closely_after_a_mark(
    source: Moving, sampled: list[Sampler], eventually: Eventually
) -> list[float]:
    """The same after a mark at which no reading was late, as those of a busy machine are at times.

    One that is never read closely is returned all the same.
    """
    for _ in range(10):
        read_s = after_a_mark(source, sampled, eventually)
        if max((b - a for a, b in pairwise(read_s)), default=1.0) < 0.03:
            break
    return read_s


def test_a_mark_reads_a_slow_counter_on_until_it_was_refreshed_twice(
    make_channel: MakeChannel, sampled: list[Sampler], eventually: Eventually
) -> None:
    source = Moving(make_channel(period_s=0.1))
    read_s = closely_after_a_mark(source, sampled, eventually)
    refreshes = [at_s // 0.1 for at_s in read_s]
    assert sum(later > earlier for earlier, later in pairwise(refreshes)) >= 2
    # No longer than it takes, and no more closely than tells something.
    assert 8 <= len(read_s) <= 24
    curve = sampled[0].trace.curve(source.channel.key)
    assert len(set(curve.energy_j.tolist())) >= 3


def test_a_source_that_leaves_out_what_did_not_move_is_known_as_sharply(
    make_channel: MakeChannel, sampled: list[Sampler], eventually: Eventually
) -> None:
    """That it did not tells when the next refresh was: the reading before that is recorded."""
    source = Moving(make_channel(period_s=0.1), repeats=False)
    read_s = closely_after_a_mark(source, sampled, eventually)
    curve = sampled[0].trace.curve(source.channel.key, read_s[0], read_s[-1])
    moved = np.flatnonzero(np.diff(curve.energy_j) > 0)
    assert len(moved) >= 2
    unseen_s = np.diff(curve.time_s)[moved][-2:]
    assert (unseen_s < 0.06).all()
    assert not curve.gap[1:].any()


@pytest.mark.parametrize(
    ("period_s", "kind", "is_still", "most"),
    [
        (0.001, Kind.COUNTER, False, 2),
        (0.4, Kind.COUNTER, False, 2),
        (0.1, Kind.POWER, False, 12),
        (0.1, Kind.COUNTER, True, 30),
    ],
    ids=["quick", "too slow", "watts", "still"],
)
def test_what_a_mark_does_not_make_it_read_on_for_ever(
    make_channel: MakeChannel,
    sampled: list[Sampler],
    eventually: Eventually,
    period_s: float,
    kind: Kind,
    is_still: bool,
    most: int,
) -> None:
    """One reading tells a quick counter; a slow one, watts and one that stands are left alone."""
    source = Moving(make_channel(period_s=period_s, kind=kind), is_still)
    assert 1 <= len(after_a_mark(source, sampled, eventually)) <= most


def test_a_counter_that_fails_while_it_is_followed_fails_as_ever(
    make_channel: MakeChannel, sampled: list[Sampler], eventually: Eventually
) -> None:
    source = Moving(make_channel(period_s=0.2))
    sampler = Sampler(hz=1, sources=[source])
    sampled.append(sampler)
    sampler.start()
    assert sampler.wait_ready(timeout_s=10.0)
    read = len(source.read_at_s)
    sampler.mark()
    eventually(lambda: len(source.read_at_s) >= read + 2)
    source.raises.set()
    eventually(lambda: "does not answer" in sampler.probes()[0].reason)


def test_a_reading_that_still_tells_the_same_says_that_the_refresh_was_less_long_ago() -> None:
    """It is a period old at most when it is told for the last time, not for the first.

    A period is a mean: a single one may be a tenth longer.
    """
    time_s = np.array([0.0, 0.1, 0.2, 0.28, 0.4])
    curve = Curve(
        time_s, np.array([0.0, 10.0, 20.0, 20.0, 30.0]), np.full(5, np.nan), np.zeros(5, np.uint8)
    )
    known = refreshed(0.1, curve)
    row = int(np.searchsorted(known.curve.energy_j, 20.0))
    assert known.curve.time_s[row] == pytest.approx((0.17 + 0.2) / 2)
    assert known.doubt_s[row] == pytest.approx(0.03 / np.sqrt(12))


def test_a_counter_that_stands_still_tells_nothing_of_its_refreshes() -> None:
    time_s = np.array([0.0, 0.1, 0.2, 0.28, 0.35, 0.4])
    curve = Curve(
        time_s, np.array([0.0, 10.0, 20.0, 20.0, 20.0, 20.0]), np.full(6, np.nan),
        np.zeros(6, np.uint8),
    )  # fmt: skip
    known = refreshed(0.1, curve)
    row = int(np.searchsorted(known.curve.energy_j, 20.0))
    assert known.curve.time_s[row] == pytest.approx(0.15)
