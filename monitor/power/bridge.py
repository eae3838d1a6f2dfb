"""How sure the joules between two counts are that were shared out by watts.

A counter that is dear to ask is asked now and then; the watts read meanwhile tell how what it
counted is spread over that time (:meth:`monitor.power.trace.Trace.sketch`). They do not see all
that was drawn: what they come to differs from what was counted, now one way, now the other.
"""

import math
from typing import NamedTuple

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

STILL = (6366.0, 99.5, 26.13, 13.46)
"""A variance estimated with 1, 2 … degrees of freedom is so many times too small in one of a
hundred cases: degrees of freedom over the 1 % quantile of their chi square (as above,
1.3.6.7.4)."""


class _Bridge(NamedTuple):
    """From one count to the next, with watts between.

    :param length_s: seconds between the two counts
    :param counted_j: what was counted meanwhile
    :param strays_j2: square of what the watts differ from that by, less what is in doubt already
    :param sways_j2: of what lies between: mean square of how far it is off a straight line
    :param lever_s: in the mean square a walk that strays by 1 J in 1 s would be off so much there
    """

    length_s: float
    counted_j: float
    strays_j2: float
    sways_j2: float
    lever_s: float


def stray_j(period_s: float, curve: Curve, at_s: float) -> float:
    """Return how far off, as a standard deviation, joules are that watts have placed.

    What watts miss adds up by chance from one reading to the next: by the end, where the count
    says how much it was, to M. Of such a walk between two known ends, a Brownian bridge, the
    variance is M^2 x f(1 - f) at the share f of the way (Karatzas and Shreve, Brownian Motion and
    Stochastic Calculus, 2nd edition, 5.6.B): M^2 of a second times b x a / (b + a), b seconds
    after the one count and a before the other. After the last count nobody has said yet how far
    the watts have strayed: that grows with b.

    Between two glances a rhythm may be doubted more (:func:`_folded_w2s`). Beside a count, as a
    mark is, it has had no time to go astray.

    :param period_s: the counter's refresh period
    :param curve: its readings
    :return: 0 at a count, in a gap, and where each reading is a count
    """
    if curve.sketched is None or not curve.sketched.any():
        return 0.0
    right = min(int(np.searchsorted(curve.time_s, at_s)), len(curve.time_s) - 1)
    beside = curve.sketched[max(right - 1, 0) : right + 1]
    if curve.gap[right] != Gap.NONE or not beside.any():
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
        _bridge(period_s, curve, int(counts[each - 1]), int(counts[each]))
        for each in range(max(end - BESIDE, 1), min(end + BESIDE + 1, len(counts)))
    ]
    bridges = [each for each in around if each]
    rate_w2s = _rate_w2s(curve, bridges)
    if beside.all():
        rate_w2s = max(rate_w2s, _folded_w2s(bridges))
    return math.sqrt(rate_w2s / (1 / before_s + 1 / after_s))


def _rate_w2s(curve: Curve, bridges: list[_Bridge]) -> float:
    """Return the square of what watts and count may come to differ by, by each second.

    One M tells little of how large it mostly is: of the mean square of n bridges around, an
    interval needs as much more as Student's t of n is wider than a normal distribution.

    Before there is one, the watts are held to be off by anything up to themselves by the next
    count: by their third in the square, as of a uniform distribution.
    """
    if not bridges:
        shown_w = np.nan_to_num(curve.power_w[curve.is_sketch])
        return float(np.mean(shown_w**2)) * LONGEST_WHOLE_S / 3
    known_w2s = [each.strays_j2 / each.length_s for each in bridges]
    mean_w2s = max(sum(known_w2s) / len(known_w2s), AT_WORK * max(known_w2s), 0.0)
    return mean_w2s * (T95[len(known_w2s) - 1] / Z95) ** 2


def _folded_w2s(bridges: list[_Bridge]) -> float:
    """Return the same of a rhythm that watts show where there is none, or another.

    A rhythm quicker than half the rate of reading, of tokens say, is seen as a slower one (Shannon,
    Communication in the Presence of Noise, 1949). If that comes round between two counts, M tells
    nothing of it. But what is counted is missed by no reading, and a rhythm that is folded leaves
    it the same each time. What truly sways by chance sways as much from bridge to bridge as within
    one, each by its seconds: the variance of their mean watts times their length is S, the joules
    within are off a straight line by S x b x a / (b + a). Watts that sway by more than that, even
    if n bridges show an S as much too small as in one of a hundred cases, are doubted for the rest.
    A true rhythm that comes round from count to count is doubted as well: nothing tells the two
    apart.
    """
    if len(bridges) < 2:
        return 0.0
    seconds = sum(each.length_s for each in bridges)
    mean_w = sum(each.counted_j for each in bridges) / seconds
    counts_w2s = sum(
        (each.counted_j - mean_w * each.length_s) ** 2 / each.length_s for each in bridges
    ) / (len(bridges) - 1)
    watts_w2s = sum(each.sways_j2 for each in bridges) / sum(each.lever_s for each in bridges)
    return max(watts_w2s - STILL[len(bridges) - 2] * counts_w2s, 0.0)


def _bridge(period_s: float, curve: Curve, start: int, end: int) -> _Bridge | None:
    """Return what is known of the way from one count to the next.

    A count that is up to a refresh old leaves a difference as well, which is in doubt already: its
    square is taken off. That may leave less than nothing.

    :param start: which reading is the one count
    :param end: which the other
    :return: ``None`` if nothing lies between them, or a gap
    """
    rows = slice(start, end + 1)
    if end - start < 2 or (curve.gap[start + 1 : end + 1] != Gap.NONE).any():
        return None
    time_s, power_w = curve.time_s[rows], np.nan_to_num(curve.power_w[rows])
    after_s, gone_j = time_s - time_s[0], curve.energy_j[rows] - curve.energy_j[start]
    length_s, counted_j = float(after_s[-1]), float(gone_j[-1])
    drawn_j = float(np.sum((power_w[1:] + power_w[:-1]) / 2 * np.diff(time_s)))
    # Each count is anywhere between 0 and a refresh old, by which its joules are off.
    aged_j2 = (power_w[0] ** 2 + power_w[-1] ** 2) * period_s**2 / 12
    share = after_s[1:-1] / length_s
    return _Bridge(
        length_s,
        counted_j,
        strays_j2=float((counted_j - drawn_j) ** 2 - aged_j2),
        sways_j2=float(np.mean((gone_j[1:-1] - share * counted_j) ** 2)),
        lever_s=float(np.mean(share * (1 - share))) * length_s,
    )
