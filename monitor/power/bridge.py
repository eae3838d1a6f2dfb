"""How sure the joules between two counts are that were shared out by watts.

A counter that is dear to ask is asked now and then; the watts read meanwhile tell how what it
counted is spread over that time (:meth:`monitor.power.trace.Trace.sketch`). They do not see all
that was drawn: what they come to differs from what was counted, now one way, now the other.
"""

import math

import numpy as np

from monitor.power.curve import Curve, Gap

LONGEST_WHOLE_S = 0.8
"""A counter that is dear to ask is asked again after so long at the latest."""

BESIDE = 2
"""How far watts stray is learned from so many bridges on either side, beside the one itself: what
is at work changes after a while."""

AT_WORK = 1 / 3
"""Watts miss next to nothing of a machine at rest: so much of the time around is held to be like
that of which they missed most."""

T95 = (12.706, 4.303, 3.182, 2.776, 2.571)
"""95 % of Student's t lie within so much either way, of 1, 2 … degrees of freedom (NIST/SEMATECH
e-Handbook of Statistical Methods, 1.3.6.7.2): as many as there are bridges."""

Z95 = 1.960
"""And of a normal distribution, which intervals are made of."""


def stray_j(period_s: float, curve: Curve, at_s: float) -> float:
    """Return how far off, as a standard deviation, joules are that watts have placed.

    What watts miss adds up by chance from one reading to the next: by the end, where the count
    says how much it was, to M. Of such a walk between two known ends, a Brownian bridge, the
    variance is M^2 x f(1 - f) at the share f of the way (Karatzas and Shreve, Brownian Motion and
    Stochastic Calculus, 2nd edition, 5.6.B): M^2 of a second times b x a / (b + a), b seconds
    after the one count and a before the other. After the last count nobody has said yet how far
    the watts have strayed: that grows with b.

    :param period_s: the counter's refresh period
    :param curve: its readings
    :return: 0 at a count, in a gap, and where each reading is a count
    """
    if curve.sketched is None or not curve.sketched.any():
        return 0.0
    right = min(int(np.searchsorted(curve.time_s, at_s)), len(curve.time_s) - 1)
    if curve.gap[right] != Gap.NONE or not curve.sketched[max(right - 1, 0) : right + 1].any():
        return 0.0
    counts = np.flatnonzero(~curve.sketched)
    count_s = curve.time_s[counts]
    end = int(np.searchsorted(count_s, at_s))
    # One that these readings do not reach back to is no longer ago than that.
    before_s = at_s - float(count_s[end - 1]) if end else LONGEST_WHOLE_S
    after_s = float(count_s[end]) - at_s if end < len(counts) else math.inf
    if not before_s or not after_s:
        return 0.0
    around = [
        _stray_w2s(period_s, curve, int(counts[each - 1]), int(counts[each]))
        for each in range(max(end - BESIDE, 1), min(end + BESIDE + 1, len(counts)))
    ]
    rate_w2s = _rate_w2s(curve, [each for each in around if each is not None])
    return math.sqrt(rate_w2s / (1 / before_s + 1 / after_s))


def _rate_w2s(curve: Curve, known_w2s: list[float]) -> float:
    """Return the square of what watts and count may come to differ by, by each second.

    One M tells little of how large it mostly is: of the mean square of n bridges around, an
    interval needs as much more as Student's t of n is wider than a normal distribution.

    Before there is one, the watts are held to be off by anything up to themselves by the next
    count: by their third in the square, as of a uniform distribution.
    """
    if not known_w2s:
        shown_w = np.nan_to_num(curve.power_w[curve.is_sketch])
        return float(np.mean(shown_w**2)) * LONGEST_WHOLE_S / 3
    mean_w2s = max(sum(known_w2s) / len(known_w2s), AT_WORK * max(known_w2s), 0.0)
    return mean_w2s * (T95[len(known_w2s) - 1] / Z95) ** 2


def _stray_w2s(period_s: float, curve: Curve, start: int, end: int) -> float | None:
    """Return the square of what watts and count differ by from one count to the next, by a second.

    A count that is up to a refresh old leaves a difference as well, which is in doubt already: its
    square is taken off.

    :return: below 0 if they differ by less than the age of the two counts explains in the mean;
      ``None`` if nothing lies between them, or a gap
    """
    rows = slice(start, end + 1)
    if end - start < 2 or (curve.gap[start + 1 : end + 1] != Gap.NONE).any():
        return None
    time_s, power_w = curve.time_s[rows], np.nan_to_num(curve.power_w[rows])
    drawn_j = float(np.sum((power_w[1:] + power_w[:-1]) / 2 * np.diff(time_s)))
    differs_j = float(curve.energy_j[end] - curve.energy_j[start]) - drawn_j
    # Each count is anywhere between 0 and a refresh old, by which its joules are off.
    aged_j2 = (power_w[0] ** 2 + power_w[-1] ** 2) * period_s**2 / 12
    return float((differs_j**2 - aged_j2) / (time_s[-1] - time_s[0]))
