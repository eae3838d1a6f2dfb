"""What was learned of sensors is kept, and used by those who read them afterwards."""

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from statistics import median

import pytest

from monitor.power.channel import Channel, Probe, ProbeState, Reading
from monitor.power.sampler import Sampler
from monitor.power.selftest import Traits, Verdict
from monitor.store.history import History
from monitor.store.sensor_traits import SensorTraits, traits_of
from tests.unit.conftest import Eventually, MakeChannel

FOUND = Traits("rapl:package-0", Verdict.FOUND, 0.00098, 2.0**-14, 4.2, 0.1, 812, 60.0)
STILL = Traits("rapl:package-0:dram", Verdict.STILL, None, None, None, None, 812, 60.0)


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with closing(History(tmp_path / "history.db")) as opened:
        yield opened


def test_what_is_kept_is_read_back_with_its_time(history: History) -> None:
    traits = SensorTraits(history.store)
    assert traits.all() == {}
    kept = traits.keep([FOUND, STILL])
    assert all(each.measured_at for each in kept)
    assert traits.all() == {each.key: each for each in kept}


def test_a_new_test_replaces_what_it_looked_at_and_nothing_else(history: History) -> None:
    traits = SensorTraits(history.store)
    traits.keep([FOUND, STILL])
    again = Traits("rapl:package-0", Verdict.FAST, None, None, None, None, 5, 2.0)
    (kept,) = traits.keep([again])
    known = traits.all()
    assert known["rapl:package-0"] == kept
    assert known[STILL.key].verdict is Verdict.STILL


@pytest.mark.parametrize("verdict", [Verdict.UNSURE, Verdict.SILENT, Verdict.STILL])
def test_a_test_that_found_nothing_takes_nothing_away(history: History, verdict: Verdict) -> None:
    traits = SensorTraits(history.store)
    (known,) = traits.keep([FOUND])
    nothing = Traits(FOUND.key, verdict, None, None, None, None, 3, 1.0)
    assert traits.keep([nothing]) == (known,)
    assert traits.all() == {FOUND.key: known}


def test_of_each_trait_the_newest_that_was_found_is_kept(history: History) -> None:
    traits = SensorTraits(history.store)
    traits.keep([FOUND])
    # While the machine was busy, and so short that the steps were too few.
    (kept,) = traits.keep([Traits(FOUND.key, Verdict.FOUND, 0.002, None, None, None, 90, 5.0)])
    assert (kept.period_s, kept.samples) == (0.002, 90)
    assert (kept.step_j, kept.idle_w, kept.spread_w) == (FOUND.step_j, FOUND.idle_w, FOUND.spread_w)
    # At rest, on a sensor that changed too seldom.
    (kept,) = traits.keep([Traits(FOUND.key, Verdict.UNSURE, None, None, 3.0, 0.2, 40, 5.0)])
    assert (kept.verdict, kept.period_s) == (Verdict.FOUND, 0.002)
    assert (kept.idle_w, kept.spread_w) == (3.0, 0.2)


def test_another_machines_sensors_are_not_taken_for_this_ones(history: History) -> None:
    other = {"id": "other", "name": "a", "system": "b", "processor": "c", "threads": 1}
    history.store.write(
        lambda db: db.table("machines").insert({**other, "memory_bytes": 1})
    ).result()
    SensorTraits(history.store, "other").keep([FOUND])
    assert SensorTraits(history.store).all() == {}


def test_channels_take_what_was_learned_of_them(
    history: History, make_channel: MakeChannel
) -> None:
    SensorTraits(history.store).keep([FOUND, STILL])
    refine = traits_of(history)
    learned = refine(make_channel("rapl:package-0", period_s=0.001, step_j=1e-6))
    assert (learned.period_s, learned.step_j) == (0.00098, 2.0**-14)
    # Stored by any version: what its source sees today counts.
    slow = replace(make_channel(FOUND.key, period_s=1.0), least_period_s=1.0)
    assert refine(slow).period_s == 1.0
    # Nothing was learned of these: what is documented stays.
    for key in ("rapl:package-0:dram", "nvml:unknown"):
        channel = make_channel(key, period_s=0.001, step_j=1e-6)
        assert refine(channel) == channel


class Counter:
    """100 W, told ten times a second, whatever is documented."""

    name = "test"

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def probe(self) -> Probe:
        return Probe(self.name, ProbeState.AVAILABLE, "Scripted.")

    def open(self) -> tuple[Channel, ...]:
        return (self._channel,)

    def read(self) -> list[Reading]:
        now_s = time.monotonic()
        return [Reading(self._channel.key, now_s, counter_j=100 * (now_s // 0.1) * 0.1)]

    def close(self) -> None:
        pass


def test_a_sampler_widens_its_intervals_by_what_was_learned(
    history: History, make_channel: MakeChannel, eventually: Eventually
) -> None:
    """A counter that refreshes every 0.1 s rather than every millisecond is off by more."""
    channel = make_channel("test:one", period_s=0.001)
    documented = Sampler(50, [Counter(channel)])
    SensorTraits(history.store).keep(
        [Traits(channel.key, Verdict.FOUND, 0.1, None, None, None, 500, 60.0)]
    )
    learned = Sampler(50, [Counter(channel)], refine=traits_of(history))
    edges_j: list[list[float]] = []
    with documented, learned:
        start_s = time.monotonic() + 0.2
        eventually(lambda: time.monotonic() > start_s + 0.8)
        # Of several windows: one may end at a refresh, or where a thread was late.
        starts_s = [start_s + part / 40 for part in range(5)]
        for sampler in (documented, learned):
            windows = [sampler.trace.window(channel.key, at_s, at_s + 0.5) for at_s in starts_s]
            edges_j.append([window.edge_j for window in windows])
        assert learned.channels()[0].period_s == 0.1
    # At each end lie two refreshes, each some time within 0.1 s at 100 W: between them they are off
    # by as much, or by less where they share it.
    told_j = median(edges_j[1])
    assert 0.5 < told_j / (2**0.5 * 100 * 0.1 / 12**0.5) <= 1.1
    assert min(edges_j[0]) < told_j / 4
