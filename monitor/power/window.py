"""The energy of a window of one channel's readings, and how far off that may be.

Three things are doubtful about a perfect sensor that is read now and then: it tells what was a
while ago (``lag_j``), an end of the window falls between two readings (``edge_j``), and watts are
known at moments only (``shape_j``). What the sensor itself is off by is no part of it; see
:class:`monitor.power.channel.Accuracy`.
"""

import math
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from monitor.power.channel import Channel, Kind

TICK_S = 0.01
"""A modelled load is told by the operating system in steps of 10 ms."""

LONG_INTERVALS = 3
"""Between readings so many times further apart than usual, anything may have happened."""

REPEATED = 1.5
"""A counter that is the same so many refresh periods later has not moved, and is not just old."""

Floats = npt.NDArray[np.float64]


class Gap(IntEnum):
    """Why the time before a sample carries no energy of its own."""

    NONE = 0
    MISSED = 1
    """The source did not answer, or the sampler was kept from asking."""
    RESET = 2
    """The counter started again."""
    AMBIGUOUS = 3
    """So long unread that the counter may have wrapped more than once."""
    IMPLAUSIBLE = 4
    """The reading was not physically possible."""
    ASLEEP = 5
    """The machine was suspended."""


@dataclass(frozen=True, slots=True)
class Window:
    """The energy of one channel between two moments.

    :param joules: energy over the covered part; ``None`` when nothing was covered
    :param mean_w: joules over covered seconds
    :param peak_w: highest watts read inside
    :param samples: readings inside
    :param coverage: covered share of the window, 0 to 1
    :param spacing_s: mean time between readings
    :param edge_j: standard deviation of what the two ends add, because neither falls exactly
      on a refresh of the sensor
    :param shape_j: standard deviation of integrating watts between samples; 0 for counters
    :param lag_j: joules that are still to come at the end less those that came late at the start,
      because the sensor shows its last refresh: the truth lies this much higher, or lower
    """

    joules: float | None
    mean_w: float | None
    peak_w: float | None
    samples: int
    coverage: float
    spacing_s: float
    edge_j: float
    shape_j: float
    lag_j: float


Stretch = tuple[float, float]
"""From one moment to a later one: seconds on the clock of the readings."""

EMPTY = Window(None, None, None, 0, 0.0, 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Curve:
    """Readings of one channel, oldest first. All arrays have shape (n,).

    :param time_s: monotonic seconds
    :param energy_j: unwrapped cumulative joules since the channel's first reading
    :param power_w: watts; NaN where a counter has none yet
    :param gap: the :class:`Gap` before each reading
    """

    time_s: Floats
    energy_j: Floats
    power_w: Floats
    gap: npt.NDArray[np.uint8]


def read_of(curve: Curve, start_s: float, end_s: float) -> list[Stretch]:
    """Return the stretches between two times that were read, in their order: all but the gaps."""
    gaps = np.flatnonzero(curve.gap[1:] != Gap.NONE) + 1
    runs = [(float(run[0]), float(run[-1])) for run in np.split(curve.time_s, gaps) if len(run)]
    inside = [(max(from_s, start_s), min(to_s, end_s)) for from_s, to_s in runs]
    return [(from_s, to_s) for from_s, to_s in inside if to_s > from_s]


def window_of(channel: Channel, curve: Curve, start_s: float, end_s: float) -> Window:
    """Return the energy of a curve between two times; see :meth:`Trace.window`."""
    if channel.kind is Kind.COUNTER:
        curve = _refreshed(channel, curve)
    if len(curve.time_s) < 2 or end_s <= start_s:
        return EMPTY
    low_s = max(start_s, float(curve.time_s[0]))
    high_s = min(end_s, float(curve.time_s[-1]))
    if high_s <= low_s:
        return EMPTY
    ends_j = _energy_at(channel, curve, np.array([low_s, high_s]))
    inside = (curve.time_s >= start_s) & (curve.time_s <= end_s)
    covered_s = (high_s - low_s) - _gap_s(curve, low_s, high_s)
    if covered_s <= 0:
        return Window(None, None, None, int(inside.sum()), 0.0, 0.0, 0.0, 0.0, 0.0)
    joules = float(ends_j[1] - ends_j[0])
    if not math.isfinite(joules):
        return EMPTY  # max() would make no watts of watts that are not known
    joules = max(0.0, joules)
    read_w = curve.power_w[inside & np.isfinite(curve.power_w)]
    mean_w = joules / covered_s
    spacing_s = _middle(np.diff(curve.time_s))
    return Window(
        joules=joules,
        mean_w=mean_w,
        peak_w=max(mean_w, float(read_w.max())) if len(read_w) else mean_w,
        samples=int(inside.sum()),
        coverage=min(1.0, covered_s / (end_s - start_s)),
        spacing_s=spacing_s,
        edge_j=_edge_j(channel, curve, low_s, high_s, spacing_s),
        shape_j=_shape_j(channel, curve, low_s, high_s),
        lag_j=(_before_w(curve, high_s) - _before_w(curve, low_s)) * _refresh_s(channel) / 2,
    )


def _middle(values: Floats) -> float:
    """Return the median. numpy's reads its masked arrays first, a thirtieth of a second."""
    ordered = np.sort(values)
    half = len(ordered) // 2
    return float((ordered[half] + ordered[~half]) / 2)


def _refreshed(channel: Channel, curve: Curve) -> Curve:
    """Leave out a counter's readings that came before its next refresh.

    They repeat what the one before said, later: a line through them would put the energy of a whole
    refresh between two readings that happen to lie close together. One that still repeats it after
    a refresh says that nothing was drawn, and stays; so does the last, up to which the counter is
    known.
    """
    time_s = curve.time_s
    if len(time_s) < 3:
        return curve
    is_new = np.ones(len(time_s), dtype=bool)
    is_new[1:] = (np.diff(curve.energy_j) > 0) | (curve.gap[1:] != Gap.NONE)
    refreshed_s = np.maximum.accumulate(np.where(is_new, time_s, -np.inf))
    kept = is_new | (time_s - refreshed_s >= REPEATED * channel.period_s)
    kept[-1] = True
    return Curve(time_s[kept], curve.energy_j[kept], curve.power_w[kept], curve.gap[kept])


def _energy_at(channel: Channel, curve: Curve, at_s: Floats) -> Floats:
    """Cumulative joules at moments inside the curve."""
    linear_j = np.interp(at_s, curve.time_s, curve.energy_j)
    if channel.kind is not Kind.POWER:
        return linear_j
    right = np.clip(np.searchsorted(curve.time_s, at_s), 1, len(curve.time_s) - 1)
    left = right - 1
    dt_s = at_s - curve.time_s[left]
    span_s = curve.time_s[right] - curve.time_s[left]
    at_w = curve.power_w[left] + (curve.power_w[right] - curve.power_w[left]) * dt_s / span_s
    trapezium_j = curve.energy_j[left] + (curve.power_w[left] + at_w) / 2 * dt_s
    return np.where(curve.gap[right] == Gap.NONE, trapezium_j, linear_j)


def _gap_s(curve: Curve, low_s: float, high_s: float) -> float:
    """Seconds between two moments that lie in gaps."""
    starts_s = np.clip(curve.time_s[:-1], low_s, high_s)
    ends_s = np.clip(curve.time_s[1:], low_s, high_s)
    return float(np.sum((ends_s - starts_s)[curve.gap[1:] != Gap.NONE]))


def _refresh_s(channel: Channel) -> float:
    """How old a reading is at most when it is read."""
    return TICK_S if channel.kind is Kind.MODELLED else channel.period_s


def _right_of(curve: Curve, at_s: float) -> int:
    """Index of the first reading at or after a moment, of those with one before them."""
    return int(np.clip(np.searchsorted(curve.time_s, at_s), 1, len(curve.time_s) - 1))


def _before_w(curve: Curve, at_s: float) -> float:
    """Watts at the end of a window, told by the readings around it; 0 where none is known."""
    right = _right_of(curve, at_s)
    for power_w in (curve.power_w[right], curve.power_w[right - 1]):
        if np.isfinite(power_w):
            return float(power_w)
    return 0.0


def _edge_j(channel: Channel, curve: Curve, low_s: float, high_s: float, spacing_s: float) -> float:
    """Standard deviation of what the two ends of a window add.

    The last refresh of a sensor lies up to a period back, anywhere: uniform, with a standard
    deviation of a twelfth's root of it. A counter is off by the watts at each end times that.
    Watts that are late are late at both ends, which cancels as far as they are the same.
    """
    ends_w = _before_w(curve, low_s), _before_w(curve, high_s)
    refresh_s = _refresh_s(channel) / math.sqrt(12)
    if channel.kind is Kind.POWER:
        return abs(ends_w[1] - ends_w[0]) * refresh_s
    return math.hypot(
        *(power_w * refresh_s for power_w in ends_w),
        *(_between_j(curve, at_s, spacing_s) for at_s in (low_s, high_s)),
        channel.step_j / math.sqrt(6),
    )


def _between_j(curve: Curve, at_s: float, spacing_s: float) -> float:
    """Standard deviation of a counter's joules at a moment between two of its readings.

    With f the part of their distance dt that has passed: if the power stepped by dP anywhere
    between them, a straight line is off by dP x f(1 - f) x dt / sqrt 3. If its mean there stands
    out from both sides by dP, that was a burst, and has passed or not: dP x dt x sqrt (f(1 - f)).
    Between readings unusually far apart all of the power may have come or gone.
    """
    right = _right_of(curve, at_s)
    if curve.gap[right] != Gap.NONE:
        return 0.0
    dt_s = float(curve.time_s[right] - curve.time_s[right - 1])
    passed = (at_s - float(curve.time_s[right - 1])) / dt_s
    mean_w = _before_w(curve, at_s)
    beside_w = [w for w in curve.power_w[right - 1 : right + 2 : 2].tolist() if math.isfinite(w)]
    step_w = max(mean_w, *beside_w) - min(mean_w, *beside_w) if beside_w else mean_w
    burst_w = 0.0
    if dt_s > LONG_INTERVALS * spacing_s:
        step_w = max(mean_w, *beside_w) if beside_w else mean_w
    elif len(beside_w) == 2:
        burst_w = max(mean_w - max(beside_w), min(beside_w) - mean_w, 0.0)
    return dt_s * math.hypot(
        step_w * passed * (1 - passed) / math.sqrt(3), burst_w * math.sqrt(passed * (1 - passed))
    )


def _shape_j(channel: Channel, curve: Curve, low_s: float, high_s: float) -> float:
    """Standard deviation of integrating watts that are known at the readings only.

    * A step dP between readings dt apart may lie anywhere between them: dP x dt / sqrt 12, by
      another chance for each step. The readings themselves are late by up to a refresh, which
      makes dt the longer of the sides of a right angle: sqrt (dt^2 + refresh^2).
    * A rise that goes on in the next interval is a ramp, of which a trapezium misses nothing:
      what two neighbours have in common is no step.
    * A reading that stands out from both its neighbours by dP is a burst shorter than dt, and as
      many are missed as are seen, or more. Bursts of a third of dt, taken for three times as long
      or not at all, make dP x dt x sqrt (2/3) for each that is seen, of which its two flanks have
      made a quarter of the square.
    * In a short window there are few of these, and none of the missed ones: one more is allowed
      for, as large as the largest.

    An interval of which the window holds a part g counts by 4g^3 - 3g^4, which is what remains of
    the square of a step's error.
    """
    if channel.kind is not Kind.POWER:
        return 0.0
    dt_s = np.diff(curve.time_s)
    held = np.diff(np.clip(curve.time_s, low_s, high_s)) / dt_s
    weight = np.where(curve.gap[1:] == Gap.NONE, 4 * held**3 - 3 * held**4, 0.0)
    steps_j = np.sqrt(weight) * np.nan_to_num(np.diff(curve.power_w))
    steps_j *= np.hypot(dt_s, _refresh_s(channel))
    pairs = steps_j[1:] * steps_j[:-1]
    steps = steps_j**2
    ramps = np.maximum(pairs, 0.0) / 2
    steps[1:] -= ramps
    steps[:-1] -= ramps
    steps = np.maximum(steps, 0.0) / 12
    bursts = np.maximum(-pairs, 0.0)
    largest = max(np.max(steps, initial=0.0), np.max(bursts, initial=0.0))
    return math.sqrt(float(np.sum(steps) + np.sum(bursts) / 2 + largest))
