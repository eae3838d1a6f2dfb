"""What the machine draws while a benchmark computes nothing: before it, and after."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from monitor.energy.account import WATCH, Phase, account
from monitor.gpu_rest import why_at_work
from monitor.power.channel import Kind
from monitor.power.sampler import Sampler
from monitor.quiet import LoadMeter, most_busy_cores, present_conditions

SETTLE_S = 1.0
"""What ran a moment ago has not come to rest yet."""


@dataclass(frozen=True, slots=True)
class Idle:
    """Mean watts of the idle machine, the sum of the parts, and the weakest kind among them."""

    power_w: float
    kind: Kind


def measure_idle(sampler: Sampler, seconds: float, is_cancelled: Callable[[], bool]) -> Idle | None:
    """Measure the idle machine for a while.

    :return: ``None`` if it was not idle (see :func:`most_busy_cores`), nothing could be read, or it
      was cancelled
    """
    rest(SETTLE_S, is_cancelled)
    sampler.mark()
    load, start_s = LoadMeter(), time.monotonic()
    rest(seconds, is_cancelled)
    busy_cores, end_s = load.busy_cores(), time.monotonic()
    sampler.wait_until(end_s)
    bill = account(sampler.trace, sampler.channels(), [Phase(WATCH, start_s, end_s)])
    total = bill.total()
    if is_cancelled() or total.joules is None or total.kind is None:
        return None
    if busy_cores > most_busy_cores() or why_at_work(
        sampler, start_s, end_s, present_conditions(), (), is_asked=True
    ):
        return None
    return Idle(total.joules / (end_s - start_s), total.kind)


def rest(seconds: float, is_cancelled: Callable[[], bool]) -> None:
    """Do nothing for a while, unless cancelled."""
    end_s = time.monotonic() + seconds
    while (left_s := end_s - time.monotonic()) > 0 and not is_cancelled():
        time.sleep(min(left_s, 0.1))
