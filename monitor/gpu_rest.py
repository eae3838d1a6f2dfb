"""Whether the GPUs were at rest: by what they tell of their load, else by their watts."""

import statistics
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from monitor import figures
from monitor.energy.baseline import (
    FEWEST_BLOCKS,
    Baseline,
    Conditions,
    Stale,
    watts_by_second,
    why_stale,
)
from monitor.power.channel import Channel, Domain, Role
from monitor.power.gauge import GAP_S, PERIOD_S, Gauge, Quantity
from monitor.power.sampler import Sampler

GPUS = (Domain.GPU, Domain.SOC)
"""A GPU on one chip with its processor is read with it, as a ``soc``."""

QUIET_GPU_PERCENT = 10.0
"""The part of its time that a GPU may be busy with drawing a desktop."""

TOLD = 0.5
"""A load that was read for less than this share of a span tells nothing of the whole of it."""

REST_SHARE, REST_W = 0.25, 2.0
"""A GPU that tells no load is taken to rest by itself while it draws no more than at rest before,
and so much of it and so many watts on top. Strict, as nothing is lost by waiting for the next
quiet minute; below what even a laptop's GPU takes to compute."""

ASKED_SHARE, ASKED_W = 0.5, 10.0
"""The same where a person says that the machine is idle: another screen, or a bus that is not put
to sleep, may be in it, but no load of a graphics card."""


def present_gpu_percent(sampler: Sampler) -> float:
    """Return how much of its time the busiest GPU is at work now; 0 where none tells that."""
    now_s = time.monotonic()
    latest = [sampler.gauge_trace.latest(gauge.key) for gauge in _loads(sampler)]
    return max((one.value for one in latest if one and now_s - one.time_s < GAP_S), default=0.0)


def silent_gpus(sampler: Sampler) -> tuple[str, ...]:
    """Return the labels of the GPUs that tell no load."""
    told = {(gauge.domain, gauge.device) for gauge in _loads(sampler)}
    return tuple(c.label for c in _gpus(sampler) if (c.domain, c.device) not in told)


def why_at_work(
    sampler: Sampler,
    start_s: float,
    end_s: float,
    conditions: Conditions,
    earlier: Sequence[Baseline],
    is_asked: bool,
) -> str:
    """Say which GPU was at work in a span, or may have been; "" if all were at rest.

    A steady load looks like rest to whoever sees watts alone. Where a GPU tells no load, it is
    compared with its own least second, and with what it drew in the newest baseline taken under
    the same power profile and on the same mains.

    :param start_s: monotonic, as ``end_s``
    :param conditions: the present ones
    :param earlier: the baselines of this machine, the newest first
    :param is_asked: whether a person says that the machine is idle. Then only baselines since the
      last restart count, and a GPU without one is believed; else it must draw next to nothing
    """
    told = set()
    for gauge in _loads(sampler):
        load = sampler.gauge_trace.summary(gauge.key, start_s, end_s)
        if load and load.mean > QUIET_GPU_PERCENT:
            return (
                f"{gauge.label} was {load.mean:.0f} % while idle was measured, where at most "
                f"{QUIET_GPU_PERCENT:.0f} % count as idle. Nothing was kept. Close what computes "
                "on it, and try again."
            )
        if load and load.samples * PERIOD_S >= TOLD * (end_s - start_s):
            told.add((gauge.domain, gauge.device))
    known = _comparable(earlier, conditions, is_asked)
    silent = [each for each in _gpus(sampler) if (each.domain, each.device) not in told]
    found = (_why_restless(sampler, each, start_s, end_s, known, is_asked) for each in silent)
    return next(filter(None, found), "")


def _loads(sampler: Sampler) -> Iterator[Gauge]:
    for gauge in sampler.gauges():
        if gauge.quantity is Quantity.UTILISATION and gauge.domain in GPUS:
            yield gauge


def _gpus(sampler: Sampler) -> Iterator[Channel]:
    for channel in sampler.channels():
        if channel.role is Role.PART and channel.domain in GPUS:
            yield channel


def _comparable(
    earlier: Sequence[Baseline], conditions: Conditions, is_asked: bool
) -> list[Baseline]:
    now = datetime.now(UTC)
    other = {Stale.PROFILE, Stale.MAINS} | ({Stale.RESTART} if is_asked else set())
    return [each for each in earlier if not other & set(why_stale(each, conditions, now))]


def _why_restless(
    sampler: Sampler,
    channel: Channel,
    start_s: float,
    end_s: float,
    earlier: Sequence[Baseline],
    is_asked: bool,
) -> str:
    seconds_w = watts_by_second(sampler.trace, channel, start_s, end_s)
    if len(seconds_w) < FEWEST_BLOCKS:
        return ""  # the baseline will have no line of it
    share, slack_w = (ASKED_SHARE, ASKED_W) if is_asked else (REST_SHARE, REST_W)
    median_w, least_w = statistics.median(seconds_w), min(seconds_w)
    begin = f"{channel.label} does not tell its load, and "
    end = "Nothing was kept. Close what computes on it, and try again."
    if median_w > (1 + share) * least_w + slack_w:
        ends = f"{figures.power(least_w)} to {figures.power(max(seconds_w))}"
        return f"{begin}its watts came and went ({ends}), so that it may have been at work. {end}"
    before = next(
        ((line.median_w, each) for each in earlier for line in each.lines
         if line.channel.key == channel.key),
        None,
    )  # fmt: skip
    if before is None:
        if is_asked or median_w <= slack_w:
            return ""
        return f"{begin}no earlier baseline says what it draws at rest. Measure one on demand."
    if median_w > (1 + share) * before[0] + slack_w:
        return (
            f"{begin}drew {figures.power(median_w)}, where it drew {figures.power(before[0])} "
            f"before, so that it may have been at work. {end} If it draws that at rest now, "
            "restart the machine and measure then."
        )
    return ""
