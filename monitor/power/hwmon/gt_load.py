"""How busy an Intel graphics card is: the part of the time in which one of its GTs did not sleep.

No file tells the load of these cards. But a GT (a graphics or media block) falls into its deepest
sleep by itself within milliseconds of having nothing to do, and counts the milliseconds it sleeps.
While it is awake it works, or is about to sleep: that is no less than its load.

* i915: ``cardN/gt/gtM/rc6_residency_ms``, where ``rc6_enable`` is not 0 (intel_gt_sysfs_pm.c). The
  driver passes it on in 32 bits, which wrap after 50 days.
* xe: ``device/tileN/gtM/gtidle/idle_residency_ms`` (xe_gt_idle.c).
"""

import math
from pathlib import Path

from monitor.power.gauge import GAP_S
from monitor.power.hwmon.card import Card
from monitor.power.sysfs import read_int, read_text

SHORTEST_S = 0.1
"""The counters have steps of a millisecond: over this they tell the load to a percent."""


class GtLoad:
    """The load of one card, from one reading to the next. Used by one thread."""

    def __init__(self, card: Card) -> None:
        self._files = tuple(_counters(card))
        self._before_s = -math.inf
        self._before_ms: tuple[int | None, ...] = (None,) * len(self._files)

    def __bool__(self) -> bool:
        """Whether the card tells anything of it."""
        return bool(self._files)

    def read(self, time_s: float) -> float | None:
        """Return how much of the time since the last reading the busiest GT was awake, in percent.

        :param time_s: ``time.monotonic()`` now
        :return: ``None`` at first, after a gap, and while a GT has never slept since the driver was
            loaded: it may be that its sleep is not counted
        """
        since_s = time_s - self._before_s
        if since_s < SHORTEST_S:
            return None
        before, now = self._before_ms, tuple(map(read_int, self._files))
        self._before_s, self._before_ms = time_s, now
        if since_s > GAP_S or not all(before) or not all(now):
            return None
        pairs = zip(before, now, strict=True)
        slept_ms = min(now_ms - before_ms for before_ms, now_ms in pairs if before_ms and now_ms)
        if slept_ms < 0:
            return None  # the number has wrapped
        return 100 * max(1 - slept_ms / 1e3 / since_s, 0.0)


def _counters(card: Card) -> list[Path]:
    of_xe = sorted(card.device.glob("tile*/gt*/gtidle/idle_residency_ms"))
    return of_xe or [
        file
        for file in sorted(card.folder.glob("gt/gt*/rc6_residency_ms"))
        if read_text(file.with_name("rc6_enable")) != "0"
    ]
