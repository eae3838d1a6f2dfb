"""An NVIDIA H200 as its driver told it, for a minute of bursts of known begin and end.

Recorded on a virtual machine with one H200, driver 580.159.04: its energy counter and its watts
were asked for every few milliseconds while another process multiplied matrices (8192 x 8192 in
bfloat16, 700 W), copied memory (400 W) and multiplied small matrices (300 W) for 0.02 to 6 s, with
rests between (125 W). The counter is refreshed every 100.0 ms, and each time it was asked for took
2.4 to 5 ms of a processor, or 15 ms where that fell into a refresh; the watts took 0.02 ms.

Times are seconds since the first reading, energy is in joules, power in watts.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

_FILE = Path(__file__).with_suffix(".npz")

PERIOD_S = 0.1

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Recording:
    """What was read, shape (n,) each, and the bursts.

    Attributes:
        asked_s: When the counter was asked for.
        counted_s: When it had answered.
        told_s: When the watts had been told, which were asked for next.
        counted_j: What the counter said, from 0.
        instant_w: The instantaneous watts.
        bursts_s: Begin and end of each burst, shape (k, 2).
        works: What each burst was: 0 large matrices, 1 copies, 2 small matrices.
    """

    asked_s: Floats
    counted_s: Floats
    told_s: Floats
    counted_j: Floats
    instant_w: Floats
    bursts_s: Floats
    works: npt.NDArray[np.int64]

    @classmethod
    def load(cls) -> Self:
        """Read the recording, which keeps differences as whole micro- and milliunits."""
        with np.load(_FILE) as kept:
            asked_us = np.cumsum(kept["asked_us"].astype(np.int64))
            return cls(
                asked_s=asked_us / 1e6,
                counted_s=(asked_us + kept["counted_us"]) / 1e6,
                told_s=(asked_us + kept["told_us"]) / 1e6,
                counted_j=np.cumsum(kept["counted_mj"].astype(np.int64)) / 1e3,
                instant_w=kept["instant_mw"] / 1e3,
                bursts_s=kept["work_us"] / 1e6,
                works=kept["work"],
            )

    @cached_property
    def _refreshes(self) -> tuple[Floats, Floats]:
        """When each refresh was, to 4 ms, and what the counter said from then on."""
        new = np.flatnonzero(np.diff(self.counted_j) > 0) + 1
        return (self.asked_s[new - 1] + self.counted_s[new]) / 2, self.counted_j[new]

    @property
    def span_s(self) -> tuple[float, float]:
        """From the first refresh to the last."""
        refreshed_s, _ = self._refreshes
        return float(refreshed_s[0]), float(refreshed_s[-1])

    def energy_j(self, start_s: float, end_s: float) -> float:
        """What was counted between two times, as told by all refreshes of the counter."""
        start_j, end_j = np.interp((start_s, end_s), *self._refreshes)
        return float(end_j - start_j)
