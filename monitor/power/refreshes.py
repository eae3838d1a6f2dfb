"""When a counter was refreshed: its readings tell of those moments, not of when they were made.

A reading tells what a counter had come to at its last refresh. That was at most a period before
the last reading that tells the same, and after the reading before if that told less. Where the
next two refreshes are known well, this one was as long before the first of them as that before the
second: at a mark a sensor is read until both are seen (:mod:`monitor.power.reader`).
"""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from monitor.power.curve import Curve, Floats, Gap

Flags = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]

REPEATED = 1.5
"""A counter that is the same so many refresh periods later has not moved, and is not just old."""

SHARP = 0.25
"""Two refreshes tell a rhythm if each is known to this share of the time between them."""

UNEVEN = 0.1
"""A rhythm is even to this share of itself: timers of drivers are late by a millisecond or two."""

SLOPE_PERIODS = 2
"""Watts after the last refresh are those of so many periods before it, or more."""


class Refreshed(NamedTuple):
    """What a counter had come to at each refresh that was seen.

    A stretch between gaps begins with its first reading and ends with its last: up to there the
    counter is taken to have gone on as it did before its last refresh.

    :param curve: at the times of the refreshes
    :param doubt_s: shape (n,), how far off each of the times may be: standard deviations
    """

    curve: Curve
    doubt_s: Floats


def refreshed(period_s: float, curve: Curve) -> Refreshed:
    """Find out when a counter was refreshed.

    :param period_s: its refresh period in the mean, or what that does not exceed
    :param curve: its readings, one or more
    """
    starts = np.flatnonzero(curve.gap[1:] != Gap.NONE) + 1
    if not len(starts):
        return _stretch(period_s, curve)
    found: list[Refreshed] = []
    columns = (curve.time_s, curve.energy_j, curve.power_w, curve.gap)
    for piece in zip(*(np.split(column, starts) for column in columns), strict=True):
        each = _stretch(period_s, Curve(*piece))
        if found:
            # Nothing is added in a gap, wherever its ends are taken to be.
            each.curve.energy_j[:] += found[-1].curve.energy_j[-1] - each.curve.energy_j[0]
        found.append(each)
    curves = [each.curve for each in found]
    return Refreshed(
        Curve(
            np.concatenate([each.time_s for each in curves]),
            np.concatenate([each.energy_j for each in curves]),
            np.concatenate([each.power_w for each in curves]),
            np.concatenate([each.gap for each in curves]),
        ),
        np.concatenate([each.doubt_s for each in found]),
    )


def _stretch(period_s: float, curve: Curve) -> Refreshed:
    """Find out when a counter was refreshed in one stretch without a gap."""
    read_s = curve.time_s
    is_new = np.ones(len(read_s), dtype=bool)
    is_new[1:] = np.diff(curve.energy_j) > 0
    newest_s = np.maximum.accumulate(np.where(is_new, read_s, -np.inf))
    # Readings in between repeat what the one before said, later. One that repeats it still after
    # a refresh says that nothing was drawn.
    kept = np.flatnonzero(is_new | (read_s - newest_s >= REPEATED * period_s))
    low_s, high_s = _bounds(period_s, read_s, is_new, kept)
    time_s, energy_j = (low_s + high_s) / 2, curve.energy_j[kept]
    # Anywhere between its bounds: the standard deviation of a uniform distribution.
    doubt_s = (high_s - low_s) / math.sqrt(12)
    if len(read_s) == 1:
        return Refreshed(Curve(read_s, energy_j, curve.power_w, curve.gap), doubt_s)
    late_s = read_s[-1] - time_s[-1]
    since = max(int(np.searchsorted(time_s, time_s[-1] - SLOPE_PERIODS * period_s)) - 1, 0)
    rise_j, span_s = energy_j[-1] - energy_j[since], time_s[-1] - time_s[since]
    last_j = energy_j[-1] + (rise_j * late_s / span_s if span_s else 0.0)
    energy_j[0] = np.interp(read_s[0], time_s, energy_j)
    time_s[0] = read_s[0]
    gap = np.zeros(len(kept) + 1, dtype=curve.gap.dtype)
    gap[0] = curve.gap[0]
    return Refreshed(
        Curve(
            np.append(time_s, read_s[-1]),
            np.append(energy_j, last_j),
            curve.power_w[np.append(kept, len(read_s) - 1)],
            gap,
        ),
        np.append(doubt_s, math.hypot(doubt_s[-1], late_s / math.sqrt(12))),
    )


def _bounds(period_s: float, read_s: Floats, is_new: Flags, kept: Rows) -> tuple[Floats, Floats]:
    """Return after when, and up to when, each refresh was that some readings tell of.

    :param read_s: shape (n,), when the counter was read
    :param is_new: shape (n,), whether it told more than the time before
    :param kept: shape (k,), which readings
    :return: seconds, shape (k,) each
    """
    high_s = read_s[kept]
    low_s = high_s - period_s
    new = is_new[kept]
    after = new & (kept > 0)
    low_s[after] = np.maximum(low_s[after], read_s[kept[after] - 1])
    told_s = _soonest_s(period_s, read_s, kept)
    low_s = np.where(new & (told_s < high_s), np.maximum(low_s, told_s), low_s)
    if len(kept) < 3:
        return low_s, high_s
    middle_s = (low_s + high_s) / 2
    rhythm_s = middle_s[2:] - middle_s[1:-1]
    known = np.maximum(high_s[2:] - low_s[2:], high_s[1:-1] - low_s[1:-1]) <= SHARP * rhythm_s
    # No other refresh fits between two readings that are no further apart than the rhythm.
    near = new[:-2] & new[1:-1] & new[2:] & (high_s[1:-1] - high_s[:-2] <= rhythm_s * (1 + 1e-9))
    least_s = low_s[1:-1] - (1 + UNEVEN) * rhythm_s
    most_s = high_s[1:-1] - (1 - UNEVEN) * rhythm_s
    fits = known & near & (np.maximum(low_s[:-2], least_s) < np.minimum(high_s[:-2], most_s))
    low_s[:-2] = np.where(fits, np.maximum(low_s[:-2], least_s), low_s[:-2])
    high_s[:-2] = np.where(fits, np.minimum(high_s[:-2], most_s), high_s[:-2])
    return low_s, high_s


def _soonest_s(period_s: float, read_s: Floats, kept: Rows) -> Floats:
    """Return after when each refresh was, by the last reading that still tells of it.

    It was not a period before that, uneven as that is: there the counter had not been refreshed
    again. One that tells the same for longer stands still, and no such moment is known of it: then
    it is later than the first reading that tells of the refresh.

    :return: seconds, shape (k,)
    """
    last_same_s: Floats = read_s[np.append(kept[1:], len(read_s)) - 1]
    return last_same_s - (1 + UNEVEN) * period_s
