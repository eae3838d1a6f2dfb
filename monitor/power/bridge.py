"""How sure the joules between two counts are that were shared out by watts.

A counter that is dear to ask is asked now and then; the watts read meanwhile tell how what it
counted is spread over that time (:meth:`monitor.power.trace.Trace.sketch`). They do not see all
that was drawn: what they come to differs from what was counted, now one way, now the other.
"""

import math
from typing import NamedTuple

import numpy as np

from monitor.power.curve import Curve, Gap

BESIDE = 2
"""How far watts stray is learned from so many bridges on either side, beside the one itself: what
is at work changes after a while."""


class _Bridge(NamedTuple):
    """From one count to the next, where only watts were read between.

    :param stray_w2s: square of what watts and count differ by, in J, by each second; below 0 if
      that is less than the age of the two counts explains in the mean
    """

    start_s: float
    end_s: float
    stray_w2s: float


def stray_j(period_s: float, curve: Curve, at_s: float) -> float:
    """Return how far off, as a standard deviation, joules are that watts have placed.

    What watts miss adds up by chance from one reading to the next: by the end, where the count
    says how much it was, to M. Of such a walk between two known ends, a Brownian bridge, the
    variance is M^2 x f(1 - f) at the share f of the way (Karatzas and Shreve, Brownian Motion and
    Stochastic Calculus, 2nd edition, 5.6.B). One M tells little of how large it mostly is: the
    square of a second is the mean of n bridges around, and n / (n - 2) times as large is the
    variance of what so few tell of (Student's t). A count that is up to a refresh old leaves an M
    as well, which is in doubt already, and its square is taken off.

    After the last count nobody has said yet how far the watts have strayed: that grows with time.

    :param period_s: the counter's refresh period
    :param curve: its readings
    :return: 0 at a count, in a gap, and where each reading is a count
    """
    if curve.sketched is None or not curve.sketched.any():
        return 0.0
    counts = np.flatnonzero(~curve.sketched)
    right = int(np.searchsorted(curve.time_s[counts], at_s))
    around = [
        _bridge(period_s, curve, int(counts[end - 1]), int(counts[end]))
        for end in range(max(right - BESIDE, 1), min(right + BESIDE + 1, len(counts)))
    ]
    known = [each for each in around if each]
    if not right or not known:
        return 0.0
    rate_w2s = max(sum(each.stray_w2s for each in known), 0.0) / max(len(known) - 2, 1)
    if right == len(counts):
        return math.sqrt(rate_w2s * (at_s - curve.time_s[counts[-1]]))
    own = next((each for each in known if each.start_s < at_s < each.end_s), None)
    if own is None:
        return 0.0
    span_s = own.end_s - own.start_s
    return math.sqrt(rate_w2s * (at_s - own.start_s) * (own.end_s - at_s) / span_s)


def _bridge(period_s: float, curve: Curve, start: int, end: int) -> _Bridge | None:
    """Return what lies between two counts; ``None`` if nothing does, or a gap."""
    rows = slice(start, end + 1)
    if end - start < 2 or (curve.gap[start + 1 : end + 1] != Gap.NONE).any():
        return None
    time_s, power_w = curve.time_s[rows], np.nan_to_num(curve.power_w[rows])
    span_s = float(time_s[-1] - time_s[0])
    drawn_j = float(np.sum((power_w[1:] + power_w[:-1]) / 2 * np.diff(time_s)))
    differs_j = float(curve.energy_j[end] - curve.energy_j[start]) - drawn_j
    # Each count is anywhere between 0 and a refresh old, by which its joules are off.
    aged_j2 = (power_w[0] ** 2 + power_w[-1] ** 2) * period_s**2 / 12
    return _Bridge(float(time_s[0]), float(time_s[-1]), (differs_j**2 - aged_j2) / span_s)
