"""The readings of one channel as arrays, and which stretches of time they tell of."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

Stretch = tuple[float, float]
"""From one moment to a later one: seconds on the clock of the readings."""


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
    LEFT = 6
    """It was not there any more: no reading, but the moment a machine or a person said so. What
    comes after it is no gap, but the time until the channel was there again."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Readings of one channel, oldest first. All arrays have shape (n,).

    :param time_s: monotonic seconds
    :param energy_j: unwrapped cumulative joules since the channel's first reading
    :param power_w: watts; NaN where a counter has none yet
    :param gap: the :class:`Gap` before each reading
    :param sketched: whether a counter was not asked, and watts tell what it had come to (see
      :meth:`monitor.power.trace.Trace.sketch`); ``None``: it was, each time
    """

    time_s: Floats
    energy_j: Floats
    power_w: Floats
    gap: npt.NDArray[np.uint8]
    sketched: Flags | None = None

    def rows(self, chosen: slice | npt.NDArray[np.intp]) -> "Curve":
        """Return some of the readings."""
        return Curve(
            self.time_s[chosen],
            self.energy_j[chosen],
            self.power_w[chosen],
            self.gap[chosen],
            None if self.sketched is None else self.sketched[chosen],
        )

    @property
    def is_sketch(self) -> Flags:
        """Shape (n,): whether each reading was sketched."""
        return np.zeros(len(self.time_s), np.bool_) if self.sketched is None else self.sketched

    def first(self, count: int) -> "Curve":
        """Return the first so many readings."""
        return self.rows(slice(count))


def middle(values: Floats) -> float:
    """Return the median. numpy's reads its masked arrays first, a thirtieth of a second."""
    ordered = np.sort(values)
    half = len(ordered) // 2
    return float((ordered[half] + ordered[~half]) / 2)
