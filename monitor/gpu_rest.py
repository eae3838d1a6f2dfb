"""Whether the GPUs were at rest: by what they tell of their load, else by their watts."""

import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from monitor import figures
from monitor.energy.baseline import (
    AND,
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
to sleep, may be in it, but no load of a graphics card. Of one that was never compared and draws
more it is asked whether that is rest."""


def present_gpu_percent(sampler: Sampler) -> float:
    """Return how much of its time the busiest GPU is at work now; 0 where none tells that."""
    now_s = time.monotonic()
    latest = [sampler.gauge_trace.latest(gauge.key) for gauge in _loads(sampler)]
    return max((one.value for one in latest if one and now_s - one.time_s < GAP_S), default=0.0)


def silent_gpus(sampler: Sampler) -> tuple[str, ...]:
    """Return the labels of the GPUs that tell no load."""
    told = {(gauge.domain, gauge.device) for gauge in _loads(sampler)}
    return tuple(c.label for c in _gpus(sampler) if (c.domain, c.device) not in told)


@dataclass(frozen=True, slots=True)
class Rest:
    """Whether the GPUs were at rest.

    :param at_work: which of them was not, or may not have been, and what to do; "" if none
    :param unknown: those of which nothing tells, each with its watts
    :param on_word: those that draw what they did when a person said they were at rest
    """

    at_work: str = ""
    unknown: tuple[tuple[str, float], ...] = ()
    on_word: tuple[str, ...] = ()

    @property
    def question(self) -> str:
        """What only a person can answer; "" if there is nothing to ask."""
        if not self.unknown:
            return ""
        drew = " ".join(
            f"{label} drew {figures.power(watts)} all the while and does not tell its load."
            for label, watts in self.unknown
        )
        return (
            f"{drew} A steady load looks the same as rest, and no earlier baseline says what is "
            "drawn at rest."
        )


def why_at_work(
    sampler: Sampler,
    start_s: float,
    end_s: float,
    conditions: Conditions,
    earlier: Sequence[Baseline],
    is_asked: bool,
) -> str:
    """Say which GPU was at work in a span, or may have been; "" if all were at rest."""
    rest = rest_of_gpus(sampler, start_s, end_s, conditions, earlier, is_asked)
    return rest.at_work or rest.question


def rest_of_gpus(
    sampler: Sampler,
    start_s: float,
    end_s: float,
    conditions: Conditions,
    earlier: Sequence[Baseline],
    is_asked: bool,
) -> Rest:
    """Tell whether the GPUs were at rest in a span.

    A steady load looks like rest to whoever sees watts alone. Where a GPU tells no load, it is
    compared with its own least second, and with what it drew in the newest baseline taken under
    the same power profile and on the same mains.

    :param start_s: monotonic, as ``end_s``
    :param conditions: the present ones
    :param earlier: the baselines of this machine, the newest first
    :param is_asked: whether a person says that the machine is idle. Then only baselines since the
      last restart count, and a GPU without one that draws more than :data:`ASKED_W` is asked for;
      else it must draw next to nothing
    """
    told = set()
    for gauge in _loads(sampler):
        load = sampler.gauge_trace.summary(gauge.key, start_s, end_s)
        if load and load.mean > QUIET_GPU_PERCENT:
            return Rest(
                f"{gauge.label} was {load.mean:.0f} % while idle was measured, where at most "
                f"{QUIET_GPU_PERCENT:.0f} % count as idle. Nothing was kept. Close what computes "
                "on it, and try again."
            )
        if load and load.samples * PERIOD_S >= TOLD * (end_s - start_s):
            told.add((gauge.domain, gauge.device))
    known = _comparable(earlier, conditions, is_asked)
    silent = (each for each in _gpus(sampler) if (each.domain, each.device) not in told)
    found = [_rest_by_watts(sampler, each, start_s, end_s, known, is_asked) for each in silent]
    return Rest(
        at_work=next(filter(None, (each.at_work for each in found)), ""),
        unknown=tuple(gpu for each in found for gpu in each.unknown),
        on_word=tuple(label for each in found for label in each.on_word),
    )


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


def _rest_by_watts(
    sampler: Sampler,
    channel: Channel,
    start_s: float,
    end_s: float,
    earlier: Sequence[Baseline],
    is_asked: bool,
) -> Rest:
    seconds_w = watts_by_second(sampler.trace, channel, start_s, end_s)
    if len(seconds_w) < FEWEST_BLOCKS:
        return Rest()  # the baseline will have no line of it
    share, slack_w = (ASKED_SHARE, ASKED_W) if is_asked else (REST_SHARE, REST_W)
    median_w, least_w = statistics.median(seconds_w), min(seconds_w)
    begin = f"{channel.label} does not tell its load, and "
    end = "Nothing was kept. Close what computes on it, and try again."
    if median_w > (1 + share) * least_w + slack_w:
        ends = f"{figures.power(least_w)} to {figures.power(max(seconds_w))}"
        return Rest(
            f"{begin}its watts came and went ({ends}), so that it may have been at work. {end}"
        )
    before = next(
        ((line.median_w, each) for each in earlier for line in each.lines
         if line.channel.key == channel.key),
        None,
    )  # fmt: skip
    if before is None:
        if median_w <= slack_w:
            return Rest()
        if is_asked:
            return Rest(unknown=((channel.label, median_w),))
        return Rest(
            f"{begin}no earlier baseline says what it draws at rest. Measure one on demand."
        )
    before_w, baseline = before
    if median_w > (1 + share) * before_w + slack_w:
        return Rest(
            f"{begin}drew {figures.power(median_w)}, where it drew {figures.power(before_w)} "
            f"before, so that it may have been at work. {end} If it draws that at rest now, "
            "restart the machine and measure then."
        )
    is_on_word = channel.label in baseline.conditions.on_word.split(AND)
    return Rest(on_word=(channel.label,) if is_on_word else ())
