"""A suspend of Windows: its monotonic clock goes on meanwhile, and no joule is made of that."""

import time
from types import SimpleNamespace
from typing import Any

import pytest

from monitor.power import clock
from monitor.power.cpu import this_processor
from monitor.power.curve import Gap
from monitor.power.sampler import Sampler
from monitor.power.sources import modelled
from monitor.power.sources.modelled import ModelledCpu
from monitor.power.windows_sleep import suspended_s
from tests.unit.conftest import Eventually


def library(interrupt: int, unbiased: int) -> Any:
    """What kernelbase.dll has two functions of: each writes a count through a pointer."""

    def writing(count: int) -> Any:
        def write(pointer: Any) -> None:
            pointer._obj.value = count

        return write

    return SimpleNamespace(
        QueryInterruptTime=writing(interrupt), QueryUnbiasedInterruptTime=writing(unbiased)
    )


@pytest.mark.parametrize(
    ("interrupt", "unbiased", "seconds"),
    [
        (50_000_000, 50_000_000, 0.0),
        (8 * 3600 * 10**7 + 123, 123, 8 * 3600.0),
        (2**63, 2**63 - 10**7, 1.0),
        (99, 100, 0.0),
    ],
    ids=["never", "a night", "whatever the bits", "a tick between the two"],
)
def test_the_two_counts_differ_by_what_it_slept(
    interrupt: int, unbiased: int, seconds: float
) -> None:
    assert suspended_s(library(interrupt, unbiased)) == pytest.approx(seconds)


def test_a_windows_that_does_not_count_so_says_so() -> None:
    with pytest.raises(AttributeError):
        suspended_s(SimpleNamespace())


def test_a_suspend_is_a_gap_though_the_monotonic_clock_went_on(
    monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    slept_s = [500.0]
    monkeypatch.setattr(clock, "suspended_s", lambda: slept_s[0])
    with Sampler(hz=50, sources=[ModelledCpu()]) as sampler:
        assert sampler.wait_ready()
        (key, *_) = (channel.key for channel in sampler.channels())
        eventually(lambda: len(sampler.trace.curve(key).time_s) > 2)
        slept_s[0] += 8 * 3600.0
        woken_s = time.monotonic()
        eventually(lambda: sampler.trace.curve(key).time_s[-1] > woken_s + 0.3)
        curve = sampler.trace.curve(key)
        assert curve.gap.tolist().count(Gap.ASLEEP) == 1
        # Nothing is to be added to the clock, which has the night already.
        assert sampler.trace.suspends() == ()


def test_the_model_takes_no_night_for_a_time_of_work(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s, busy = [1_000.0], [0.0]

    def times(**_: object) -> list[SimpleNamespace]:
        return [Times(busy[0])] * this_processor().threads

    class Times(SimpleNamespace):
        def __init__(self, seconds: float) -> None:
            super().__init__(idle=seconds / 2)
            self._all = (seconds / 2, seconds / 2)

        def __iter__(self) -> Any:
            return iter(self._all)

    monkeypatch.setattr(modelled, "time", SimpleNamespace(monotonic=lambda: now_s[0]))
    monkeypatch.setattr(modelled, "psutil", SimpleNamespace(cpu_times=times))
    source = ModelledCpu()
    source.open()

    def after(elapsed_s: float, accounted_s: float) -> float:
        before_j = sum(source._energy_j.values())
        now_s[0] += elapsed_s
        busy[0] += accounted_s
        source.read()
        return sum(source._energy_j.values()) - before_j

    tick_j = after(0.1, 0.1)
    assert tick_j > 0
    assert after(8 * 3600.0, 0.1) == pytest.approx(tick_j)
    # What is accounted for a little late is no suspend, and nothing is lost of it.
    assert after(0.1, 0.09) == pytest.approx(tick_j)
    # Where nothing is accounted for it is not known that it slept: it idles.
    assert 0 < after(10.0, 0.0) < 100 * tick_j
