"""What a sensor is like on this machine: how often it refreshes, in what steps, how quietly.

A sensor is read in stages, each four times slower than the one before, until its value is seen to
stand still for several readings between two changes: their spacing is then the refresh period.
Every stage is a fixed number of readings, so that the whole test costs no more than
``STAGES x READS`` of them, however fast it looks at first.

Own :class:`~monitor.power.sources.Source` objects are read, never those of a running sampler: a
source is used from one thread only.
"""

import math
import threading
import time
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from monitor.power.channel import Channel, Kind, ProbeState
from monitor.power.sources import Source

SECONDS = 60.0
"""A minute also sees the slowest sensors, and how much the watts of a resting machine vary."""

FASTEST_S, SLOWEST_S = 0.00025, 1.0
"""Readings are at least and at most so far apart; a timer of the kernel is late by 0.05 ms."""

FINER = 32
"""The first stage reads so many times within the period that is expected."""

SLOWER = 4
READS = 150
"""Readings of a stage: with a change at every 4th to 16th, 9 to 37 periods."""

DUTY = 2
"""Readings are at least twice as far apart as one takes."""

FEWEST_SPACINGS = 8

SEEN_STILL = 2.0
"""Between two changes there must be so many readings, or some changes may have been missed."""

NEAR = (0.4, 1.6)
"""Spacings between these multiples of the median are single periods, not two with a change
unseen in between; most have to be."""

REGULAR_SHARE = 0.6

PLAUSIBLE = 50.0
"""A period so many times the documented one is a fault of the test or of the sensor. To believe
it would slow the sampler down."""

REST_S = 0.5
"""Once the periods are known, watts are read so far apart: as seldom as gauges are."""

FEWEST_STEPS = 6
"""Of fewer different increments the common divisor is an accident of the load."""

RAPL_UNITS = tuple(2.0**-exponent for exponent in range(10, 17))
"""Energy units that processors count in, in joules: 1/2^ESU (Intel SDM vol. 3B, section 16.10.1,
MSR_RAPL_POWER_UNIT). powercap tells them rounded down to whole microjoules."""

MICROJOULE = 1e-6
"""powercap and hwmon tell whole microjoules, NVML whole millijoules."""

WHOLE = 0.1
"""A number of microjoules is whole if it is so near to one: a double holds a counter of 10^8 J to
a hundredth of that."""

FEWEST_SECONDS = 5
"""Of fewer seconds a median and a spread mean nothing."""

MAD_TO_SIGMA = 1.4826
"""The median absolute deviation of a normal distribution times this is its standard deviation
(Rousseeuw and Croux 1993, doi 10.1080/01621459.1993.10476408)."""

Floats = npt.NDArray[np.float64]


class Verdict(StrEnum):
    """What became of the search for a channel's refresh period."""

    FOUND = "found"
    FAST = "fast"
    """It changed at nearly every reading: it refreshes faster than it can be read."""
    STILL = "still"
    """It never changed."""
    UNSURE = "unsure"
    """It changed too seldom or too irregularly for a period."""
    REFUSED = "refused"
    """A period was found that is not plausible."""
    SILENT = "silent"
    """It told nothing."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What a channel was found to be like.

    :param key: the channel's key
    :param verdict: what is to be said of its period
    :param period_s: the refresh period, or what it surely does not exceed; ``None`` where the
      documented one stays
    :param step_j: the smallest increment of its counter, ``None`` where that is not known
    :param idle_w: median of its mean watts second by second; ``None`` if the machine was busy
    :param spread_w: their robust standard deviation
    :param samples: how often it was read
    :param duration_s: how long the test took
    :param measured_at: UTC, ISO 8601; when it ended; "" until it is kept
    """

    key: str
    verdict: Verdict
    period_s: float | None
    step_j: float | None
    idle_w: float | None
    spread_w: float | None
    samples: int
    duration_s: float
    measured_at: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """A channel as its source describes it, and what it was found to be like."""

    channel: Channel
    traits: Traits


def used_period_s(channel: Channel, traits: Traits) -> float:
    """Return the period that bills are reckoned with, in seconds.

    It is what was learned, or what is documented where nothing was. A test sees how often a value
    is renewed: watts that are a mean over longer are older than that, and a counter may move more
    seldom now than it did then. So it never counts for less than what the source itself knows
    (``least_period_s``), whenever it was learned.
    """
    learned_s = traits.period_s if fits(channel, traits) else None
    return max(channel.period_s if learned_s is None else learned_s, channel.least_period_s)


def fits(channel: Channel, traits: Traits) -> bool:
    """Whether traits are of this channel, and not of a counter in whose place it tells watts.

    What has a step was found of a counter, and says nothing of watts.
    """
    return traits.step_j is None or channel.kind is Kind.COUNTER


def refined(channel: Channel, traits: Traits) -> Channel:
    """Return a channel with what was learned of it in the place of what is documented.

    If that does not fit, the channel stays as it is.

    The noise of watts is taken to be white, another chance with each refresh: the mean of a second
    then varies less than one of them, by the root of how many the test read in it. What the
    resting machine really drew more and less is in it as well, so that it is rather too large.
    """
    if not fits(channel, traits):
        return channel
    period_s = used_period_s(channel, traits)
    noise_w = channel.noise_w
    if channel.kind is Kind.POWER and traits.spread_w is not None:
        noise_w = traits.spread_w * math.sqrt(max(1.0 / max(period_s, REST_S), 1.0))
    return replace(
        channel,
        period_s=period_s,
        step_j=channel.step_j if traits.step_j is None else traits.step_j,
        noise_w=noise_w,
    )


def examine(source: Source, seconds: float, stop: threading.Event) -> tuple[Finding, ...]:
    """Find out what a source's channels are like; takes as long as is asked for.

    Modelled channels have no sensor and are left out.

    :param source: neither opened nor in use; it is closed in the end
    :param seconds: how long to look
    :param stop: ends the test early; nothing is found then
    :raises Exception: whatever the source's driver raises while it is opened
    """
    try:
        if source.probe().state is not ProbeState.AVAILABLE:
            return ()
        channels = tuple(c for c in source.open() if c.kind is not Kind.MODELLED)
        if not channels:
            return ()
        examination = _Examination(source, channels, seconds, stop)
        examination.run()
        return () if stop.is_set() else examination.findings()
    finally:
        source.close()


class _Examination:
    """The readings of one source, and what they have told so far."""

    def __init__(
        self, source: Source, channels: tuple[Channel, ...], seconds: float, stop: threading.Event
    ) -> None:
        self._source, self._channels, self._stop = source, channels, stop
        self._seconds = seconds
        self._until_s = time.monotonic() + seconds
        self._read: dict[str, list[tuple[float, float]]] = {c.key: [] for c in channels}
        self._stage: dict[str, list[tuple[float, float]]] = {}
        """The same of the present stage; what a read did not tell anew is in it again."""
        self._counted = {c.key for c in channels if c.kind is Kind.COUNTER}
        self._verdicts: dict[str, tuple[Verdict, float | None]] = {}

    def run(self) -> None:
        """Look ever more slowly until every period is known, then at the watts alone."""
        expected_s = min(channel.period_s for channel in self._channels)
        interval_s = min(max(expected_s / FINER, FASTEST_S), SLOWEST_S)
        while not self._is_over() and len(self._verdicts) < len(self._channels):
            self._stage = {key: [] for key in self._read}
            self._look(interval_s, READS)
            for key in self._read.keys() - self._verdicts.keys():
                told = period_of(*_columns(self._stage[key]))
                # What looks uneven may have been the machine's: a later stage sees it anew.
                if told and told[0] is not Verdict.UNSURE:
                    self._verdicts[key] = told
            interval_s = min(interval_s * SLOWER, SLOWEST_S)
        self._stage = {}
        while not self._is_over():
            self._look(REST_S, 1)

    def _is_over(self) -> bool:
        return self._stop.is_set() or time.monotonic() >= self._until_s

    def _look(self, interval_s: float, reads: int) -> None:
        for _ in range(reads):
            began_s = time.monotonic()
            self._look_once(began_s)
            took_s = time.monotonic() - began_s
            if self._stop.wait(max(max(interval_s, DUTY * took_s) - took_s, 0.0)):
                return
            if time.monotonic() >= self._until_s:
                return

    def _look_once(self, now_s: float) -> None:
        try:
            readings = self._source.read()
        except Exception:  # a driver may raise anything; what is missing is no reading
            return
        told = set()
        for reading in readings:
            value = reading.counter_j if reading.key in self._counted else reading.power_w
            if value is not None and math.isfinite(value) and reading.key in self._read:
                self._read[reading.key].append((reading.time_s, value))
                told.add(reading.key)
        for key, stage in self._stage.items():
            if key in told:
                stage.append(self._read[key][-1])
            elif self._read[key]:
                # Many sources leave out what has not been refreshed since.
                stage.append((now_s, self._read[key][-1][1]))

    def findings(self) -> tuple[Finding, ...]:
        """Return what was found of each channel."""
        return tuple(Finding(channel, self._traits(channel)) for channel in self._channels)

    def _traits(self, channel: Channel) -> Traits:
        time_s, value = _columns(self._read[channel.key])
        verdict, period_s = self._verdicts.get(channel.key, (Verdict.UNSURE, None))
        is_still = len(value) > 0 and not np.diff(value).any()
        if not len(value):
            verdict = Verdict.SILENT
        elif is_still:
            verdict = Verdict.STILL
        elif verdict is Verdict.FOUND and period_s and period_s > PLAUSIBLE * channel.period_s:
            verdict, period_s = Verdict.REFUSED, None
        elif verdict is Verdict.FAST and period_s and period_s >= channel.period_s:
            period_s = None
        step_j = watts = None
        if channel.kind is Kind.COUNTER:
            increments_j = _increments_j(value, channel.range_j)
            step_j = step_of(increments_j)
            if not is_still:
                watts = _second_means(time_s, np.concatenate(([0.0], np.cumsum(increments_j))))
        else:
            watts = _second_means(time_s, _trapezia(time_s, value))
        idle_w, spread_w = spread_of(watts) if watts is not None else (None, None)
        return Traits(
            channel.key, verdict, period_s, step_j, idle_w, spread_w, len(value), self._seconds
        )


def period_of(time_s: Floats, value: Floats) -> tuple[Verdict, float | None] | None:
    """Find the refresh period of a sensor in readings of even rhythm.

    The spacing of single periods is averaged, as each change is seen up to a reading late, which
    cancels over several.

    :param time_s: shape (n,), rising
    :param value: shape (n,); counter or watts
    :return: the period in seconds (for :attr:`Verdict.FAST` what it does not exceed), or ``None``
      if these readings lie too close together to see it
    """
    changed_s = time_s[1:][np.diff(value) != 0]
    spacing_s = np.diff(changed_s)
    if len(spacing_s) < FEWEST_SPACINGS:
        return None
    looked_s = float(np.median(np.diff(time_s)))
    median_s = float(np.median(spacing_s))
    if median_s < SEEN_STILL * looked_s * 0.9:
        return Verdict.FAST, SEEN_STILL * looked_s
    single = (spacing_s > NEAR[0] * median_s) & (spacing_s < NEAR[1] * median_s)
    if single.mean() < REGULAR_SHARE:
        return Verdict.UNSURE, None
    return Verdict.FOUND, float(spacing_s[single].mean())


def step_of(increments_j: Floats) -> float | None:
    """Find the step of a counter: the greatest common divisor of its increments.

    :param increments_j: shape (n,), joules, as read
    :return: joules; ``None`` if there are too few different increments to tell, or the counter
      is finer than a microjoule
    """
    exact_uj = increments_j[increments_j > 0] / MICROJOULE
    units = np.unique(np.rint(exact_uj).astype(np.int64))
    if len(units) < FEWEST_STEPS:
        return None
    is_whole = bool((np.abs(exact_uj - np.rint(exact_uj)) < WHOLE).all())
    divisor = int(np.gcd.reduce(units))
    if is_whole and divisor > 1:
        return divisor * MICROJOULE
    for unit_j in RAPL_UNITS:
        # Two values rounded down differ from a multiple of the unit by less than a microjoule.
        off_uj = exact_uj - np.rint(exact_uj * MICROJOULE / unit_j) * unit_j / MICROJOULE
        if np.abs(off_uj).max() < 1:
            return unit_j
    return MICROJOULE if is_whole else None


def spread_of(watts: Floats) -> tuple[float | None, float | None]:
    """Return median and robust standard deviation of mean watts second by second."""
    if len(watts) < FEWEST_SECONDS:
        return None, None
    median_w = float(np.median(watts))
    return median_w, MAD_TO_SIGMA * float(np.median(np.abs(watts - median_w)))


def _columns(read: list[tuple[float, float]]) -> tuple[Floats, Floats]:
    table = np.array(read, dtype=np.float64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _increments_j(counter_j: Floats, range_j: float | None) -> Floats:
    """Joules between readings; one that cannot be told, as the counter started again, is 0."""
    increments_j = np.diff(counter_j)
    if range_j:
        increments_j = np.where(increments_j < 0, increments_j + range_j, increments_j)
    return np.maximum(increments_j, 0.0)


def _trapezia(time_s: Floats, power_w: Floats) -> Floats:
    """Cumulative joules of watts."""
    parts_j = (power_w[1:] + power_w[:-1]) / 2 * np.diff(time_s)
    return np.concatenate(([0.0], np.cumsum(parts_j)))


def _second_means(time_s: Floats, energy_j: Floats) -> Floats:
    """Mean watts of each whole second that was read."""
    if len(time_s) < 2:
        return np.empty(0)
    seconds = np.arange(time_s[0], time_s[-1], 1.0)
    return np.diff(np.interp(seconds, time_s, energy_j[: len(time_s)]))
