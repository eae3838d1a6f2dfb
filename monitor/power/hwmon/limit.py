"""Whether a card's energy counter says more than the card ever draws.

Some do: an Arc B570 that cuts itself off at 328 W was told to draw up to 4,000 W (Syllo/nvtop#409,
Linux 6.16). ``powerN_crit`` is where a card does that, ``powerN_cap`` what it is held to by and by
(ABI files sysfs-driver-intel-i915-hwmon and sysfs-driver-intel-xe-hwmon); a card may have either.
"""

from functools import cached_property
from pathlib import Path

from monitor.power.channel import Channel
from monitor.power.sysfs import read_int

OVER_S = 10.0
"""A mean over so long is compared: bursts that a card allows itself are over by then."""

SOON_S, TIMES = 1.0, 2.0
"""Over this long already, if it is so many times what the card is limited to."""


class Limit:
    """Watches one counter, from one reading to the next.

    :param channel: what the counter tells
    :param counter: its file, ``energyN_input``; what limits it is beside it
    """

    def __init__(self, channel: Channel, counter: Path) -> None:
        self.found = ""
        """What was found, a sentence; from then on the counter is not to be believed."""
        self._channel, self._counter = channel, counter
        self._since: tuple[float, float] | None = None

    @cached_property
    def _limit_w(self) -> float:
        """Read when the first reading has come: the card is awake then. 0 if it has none."""
        beside = self._counter.name.replace("energy", "power")
        files = [beside.replace("_input", suffix) for suffix in ("_crit", "_cap")]
        told_uw = [read_int(self._counter.with_name(name)) or 0 for name in files]
        return max(told_uw) / 1e6

    def add(self, time_s: float, counter_j: float) -> None:
        """Take a reading in, in joules, and judge the time since the last window began."""
        if self._since is None:
            self._since = time_s, counter_j
        seconds = time_s - self._since[0]
        if seconds < SOON_S:
            return
        power_w = (counter_j - self._since[1]) / seconds
        is_whole = seconds >= OVER_S
        if is_whole:
            self._since = time_s, counter_j
        accuracy, limit_w = self._channel.accuracy, self._limit_w
        most_w = limit_w * (1 + accuracy.above) + accuracy.offset_w
        if limit_w and power_w > most_w * (1 if is_whole else TIMES):
            self.found = (
                f"{self._channel.label} counted {power_w:.0f} W for {seconds:.0f} s, but never "
                f"draws more than {limit_w:.0f} W."
            )
