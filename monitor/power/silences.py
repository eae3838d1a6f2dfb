"""A counter that nobody read for a while, and that went on counting.

What it counted meanwhile is known, and is no gap; of the watts only their mean is. A line between
the watts at both ends of such a time would show what nobody has seen.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from monitor.power.channel import Channel, Kind
from monitor.power.curve import Curve, Gap
from monitor.power.present import fresh_s

STEP_S = 1.0
"""Points of a level lie no further apart: what makes a curve narrower finds it everywhere."""

Rows = npt.NDArray[np.intp]

NONE: Rows = np.empty(0, np.intp)


def silences(channel: Channel, curve: Curve) -> Rows:
    """Return the numbers of the readings before which a counter was silent.

    It was so for longer than a reading is held to be of now (:func:`fresh_s`); where watts are
    integrated, a time so long is a gap, or a trapezium that was billed as such.
    """
    longest_s, time_s = fresh_s(channel), curve.time_s
    # A live plot asks for a moment at a time: it is not to cost it anything.
    is_short = len(time_s) < 2 or time_s[-1] - time_s[0] <= longest_s
    if is_short or channel.kind is Kind.POWER:
        return NONE
    is_long = time_s[1:] - time_s[:-1] > longest_s
    return np.flatnonzero(is_long & (curve.gap[1:] == Gap.NONE)) + 1 if is_long.any() else NONE


def levelled(channel: Channel, curve: Curve) -> Curve:
    """Return a curve as it is to be drawn: level in a silence, at the mean of what was counted.

    The surface below it is then the joules that are billed.
    """
    after = silences(channel, curve)
    if not len(after):
        return curve
    time_s, energy_j, rows = curve.time_s, curve.energy_j, []
    for row in after:
        first_s = np.nextafter(time_s[row - 1], np.inf)
        last_s = np.nextafter(time_s[row], -np.inf)
        rows.append(np.linspace(first_s, last_s, int((last_s - first_s) / STEP_S) + 2))
    counts = [len(row) for row in rows]
    levels_w = (energy_j[after] - energy_j[after - 1]) / (time_s[after] - time_s[after - 1])
    at, between_s = np.repeat(after, counts), np.concatenate(rows)
    return replace(
        curve,
        time_s=np.insert(time_s, at, between_s),
        energy_j=np.insert(energy_j, at, np.interp(between_s, time_s, energy_j)),
        power_w=np.insert(curve.power_w, at, np.repeat(levels_w, counts)),
        gap=np.insert(curve.gap, at, Gap.NONE),
        sketched=None if curve.sketched is None else np.insert(curve.sketched, at, False),
    )
