"""A series kept at every zoom: the least and greatest value of ever longer runs of samples.

Drawing an hour then costs no more than drawing a minute: whatever the span, a level is chosen
at which it has a few hundred buckets.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class Pyramid:
    """The newest samples of an evenly spaced series, with minima and maxima of 2, 4, 8, ... each.

    Samples are numbered from 0. NaN is a gap.

    :param capacity: samples kept; a power of two
    :param levels: number of halvings; ``2 ** levels`` divides the capacity
    """

    def __init__(self, capacity: int = 1 << 17, levels: int = 10) -> None:
        self._capacity, self._levels = capacity, levels
        self._low = [np.full(capacity >> level, np.nan, np.float32) for level in range(levels + 1)]
        self._high = [row.copy() for row in self._low]
        self.count = 0

    def extend(self, values: Floats) -> None:
        """Append samples; costs in proportion to their number, not to what is kept."""
        if not len(values):
            return
        first, self.count = self.count, self.count + len(values)
        at = np.arange(first, self.count) % self._capacity
        self._low[0][at] = self._high[0][at] = values
        for level in range(1, self._levels + 1):
            touched = np.arange(first >> level, ((self.count - 1) >> level) + 1)
            touched = touched[-(self._capacity >> level) :]
            size = len(self._low[level - 1])
            left, right = touched * 2 % size, (touched * 2 + 1) % size
            # The second half of the newest pair may hold what was there a capacity ago.
            fresh = (touched * 2 + 1) << (level - 1) < self.count
            rows = touched % (self._capacity >> level)
            for rung, join in ((self._low, np.fmin), (self._high, np.fmax)):
                below = rung[level - 1]
                rung[level][rows] = join(below[left], np.where(fresh, below[right], np.nan))

    def samples(self, first: int, until: int) -> npt.NDArray[np.float32]:
        """Return samples as they were appended, NaN where they are no longer kept."""
        at = np.arange(first, until)
        return np.where(
            at >= self.count - self._capacity, self._low[0][at % self._capacity], np.nan
        )

    def view(self, first: int, last: int, most: int) -> "View":
        """Return the series from sample ``first`` to before ``last`` in ``most`` buckets or fewer.

        What is no longer kept, or not yet there, is left out.
        """
        first = max(first, self.count - self._capacity + (1 << self._levels), 0)
        last = min(last, self.count)
        level = 0
        while level < self._levels and (last - first) >> level > most:
            level += 1
        buckets = np.arange(first >> level, max((last - 1 >> level) + 1, first >> level))
        rows = buckets % (self._capacity >> level)
        return View(1 << level, buckets, self._low[level][rows], self._high[level][rows])


@dataclass(frozen=True, slots=True)
class View:
    """Some buckets of a series. The arrays have shape (buckets,).

    :param width: samples a bucket holds
    :param buckets: their numbers; times ``width`` the number of their first sample
    :param low: least value of each, NaN where all samples are gaps
    :param high: greatest value of each
    """

    width: int
    buckets: npt.NDArray[np.int64]
    low: npt.NDArray[np.float32]
    high: npt.NDArray[np.float32]
