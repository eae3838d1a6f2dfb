"""The energy of a window of one channel's readings, and how far off that may be.

Three things are doubtful about a perfect sensor that is read now and then: watts tell what was a
while ago (``lag_j``), an end of the window falls between two readings (``edge_j``), and watts are
known at moments only (``shape_j``). What the sensor itself is off by is no part of it; see
:class:`monitor.power.channel.Accuracy`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monitor.power.bridge import stray_j
from monitor.power.channel import Channel, Kind
from monitor.power.curve import Curve, Floats, Gap, middle
from monitor.power.moment import Moment, moment_of
from monitor.power.refreshes import Refreshed, refreshed

TICK_S = 0.01
"""A modelled load is told by the operating system in steps of 10 ms."""


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
      on a refresh of the sensor, or on a count where only watts are read between
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


EMPTY = Window(None, None, None, 0, 0.0, 0.0, 0.0, 0.0, 0.0)


def window_of(channel: Channel, curve: Curve, start_s: float, end_s: float) -> Window:
    """Return the energy of a curve between two times; see :meth:`Trace.window`."""
    if len(curve.time_s) < 2 or end_s <= start_s:
        return EMPTY
    if channel.kind is Kind.COUNTER:
        known = refreshed(channel.period_s, curve)
    else:
        # What a model or watts tell is as old whenever they are read.
        doubt_s = np.full(len(curve.time_s), _refresh_s(channel) / math.sqrt(12))
        known = Refreshed(curve, doubt_s)
    read, curve = curve, known.curve
    low_s = max(start_s, float(curve.time_s[0]))
    high_s = min(end_s, float(curve.time_s[-1]))
    if high_s <= low_s:
        return EMPTY
    spacing_s = middle(np.diff(curve.time_s))
    ends = [_moment(channel, known, at_s, spacing_s) for at_s in (low_s, high_s)]
    inside = (curve.time_s >= start_s) & (curve.time_s <= end_s) & (curve.gap != Gap.LEFT)
    covered_s = (high_s - low_s) - _gap_s(curve, low_s, high_s)
    if covered_s <= 0:
        return Window(None, None, None, int(inside.sum()), 0.0, 0.0, 0.0, 0.0, 0.0)
    joules = ends[1].joules - ends[0].joules
    if not math.isfinite(joules):
        return EMPTY  # max() would make no watts of watts that are not known
    joules = max(0.0, joules)
    read_w = curve.power_w[inside & np.isfinite(curve.power_w)]
    mean_w = joules / covered_s
    return Window(
        joules=joules,
        mean_w=mean_w,
        peak_w=max(mean_w, float(read_w.max())) if len(read_w) else mean_w,
        samples=int(inside.sum()),
        coverage=min(1.0, covered_s / (end_s - start_s)),
        spacing_s=spacing_s,
        edge_j=_edge_j(channel, read, low_s, high_s, ends),
        shape_j=_shape_j(channel, curve, low_s, high_s),
        lag_j=_lag_j(channel, curve, low_s, high_s),
    )


def _moment(channel: Channel, known: Refreshed, at_s: float, spacing_s: float) -> Moment:
    """Cumulative joules at a moment inside the curve; what is not known of watts is not in it."""
    if channel.kind is not Kind.POWER:
        return moment_of(known, at_s, spacing_s)
    curve, right = known.curve, _right_of(known.curve, at_s)
    left = right - 1
    if curve.gap[right] != Gap.NONE:
        return Moment(float(np.interp(at_s, curve.time_s, curve.energy_j)), 0.0)
    left_w, right_w = float(curve.power_w[left]), float(curve.power_w[right])
    dt_s = at_s - float(curve.time_s[left])
    span_s = float(curve.time_s[right] - curve.time_s[left])
    at_w = left_w + (right_w - left_w) * dt_s / span_s
    return Moment(float(curve.energy_j[left]) + (left_w + at_w) / 2 * dt_s, 0.0)


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


def _lag_j(channel: Channel, curve: Curve, low_s: float, high_s: float) -> float:
    """Joules that come late at the end less those that came late at the start.

    A counter's curve stands at its refreshes already: none does.
    """
    if channel.kind is Kind.COUNTER:
        return 0.0
    return (_before_w(curve, high_s) - _before_w(curve, low_s)) * _refresh_s(channel) / 2


def _edge_j(
    channel: Channel, read: Curve, low_s: float, high_s: float, ends: Sequence[Moment]
) -> float:
    """Standard deviation of what the two ends of a window add.

    :param read: at the times of the readings
    """
    if channel.kind is Kind.POWER:
        # Watts that are late are late at both ends, which cancels as far as they are the same.
        ends_w = _before_w(read, low_s), _before_w(read, high_s)
        return abs(ends_w[1] - ends_w[0]) * _refresh_s(channel) / math.sqrt(12)
    strays_j = (stray_j(channel.period_s, read, at_s) for at_s in (low_s, high_s))
    return math.hypot(*(end.doubt_j for end in ends), *strays_j, channel.step_j / math.sqrt(6))


def _shape_j(channel: Channel, curve: Curve, low_s: float, high_s: float) -> float:
    """Standard deviation of integrating watts that are known at the readings only.

    * A step dP between readings dt apart may lie anywhere between them: dP x dt / sqrt 12, by
      another chance for each step.
    * The readings are late by up to a refresh T as well, so that a step is off by another
      dP x T / sqrt 12. That holds for a step which stands alone: the two sides of a burst are late
      alike, which shifts it and takes nothing from its joules.
    * A rise that goes on in the next interval is a ramp, of which a trapezium misses nothing:
      what two neighbours have in common is no step.
    * A reading that stands out from both its neighbours by dP is a burst shorter than dt. One that
      lasts f x dt is met by a reading with probability f, and then taken for (1 - f) x dt too long;
      or it is missed, f x dt too short: f(1 - f) (dP x dt)^2 for each there was, which is
      (1 - f) (dP x dt)^2 for each that is seen. Least is known of a burst of half an interval: with
      f a half that is dP x dt x sqrt (1/2), of which its flanks have made a third of the square.
    * The n bursts that are seen tell their rate only so well: n + 1 are to be reckoned with where
      nothing was known of it before (Gelman et al., Bayesian Data Analysis, 3rd edition, 2.6, with
      a flat prior). The one more is as large as the largest change: watts that changed so much
      between two readings may have done so, and back, between two others.

    A burst is shown for a refresh T, however often the sensor is read in it: where T is longer, it
    is T that its dt stands for.

    An interval of which the window holds a part g counts by 4g^3 - 3g^4, which is what remains of
    the square of a step's error.
    """
    if channel.kind is not Kind.POWER:
        return 0.0
    refresh_s = _refresh_s(channel)
    curve = _told_once(curve, refresh_s)
    dt_s = np.diff(curve.time_s)
    held = np.diff(np.clip(curve.time_s, low_s, high_s)) / dt_s
    weight = np.where(curve.gap[1:] == Gap.NONE, 4 * held**3 - 3 * held**4, 0.0)
    changes_w = np.sqrt(weight) * np.nan_to_num(np.diff(curve.power_w))
    steps_j = changes_w * dt_s
    pairs = steps_j[1:] * steps_j[:-1]
    steps = _without(steps_j**2, np.maximum(pairs, 0.0) / 2)
    late = _without(steps, np.maximum(-pairs, 0.0)) * (refresh_s / dt_s) ** 2
    shown_j = changes_w * np.maximum(dt_s, refresh_s)
    pairs = shown_j[1:] * shown_j[:-1]
    bursts = np.maximum(-pairs, 0.0)
    changes = _without(shown_j**2, np.maximum(pairs, 0.0) / 2)
    one_more = max(np.max(changes, initial=0.0), np.max(bursts, initial=0.0)) / 2
    return math.sqrt(float(np.sum(steps + late) / 12 + np.sum(bursts) / 3 + one_more))


def _told_once(curve: Curve, refresh_s: float) -> Curve:
    """Leave out readings that repeat the one before within a refresh: they tell the same one."""
    is_new = np.ones(len(curve.time_s), dtype=bool)
    is_new[1:] = (np.diff(curve.power_w) != 0) | (curve.gap[1:] != Gap.NONE)
    newest_s = np.maximum.accumulate(np.where(is_new, curve.time_s, -np.inf))
    kept = is_new | (curve.time_s - newest_s >= refresh_s)
    return Curve(curve.time_s[kept], curve.energy_j[kept], curve.power_w[kept], curve.gap[kept])


def _without(squares: Floats, shared: Floats) -> Floats:
    """Take from each square what it shares with the one before, and with the one after."""
    left = squares.copy()
    left[1:] -= shared
    left[:-1] -= shared
    return np.maximum(left, 0.0)
