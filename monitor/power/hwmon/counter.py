"""An energy counter of a card's monitor."""

from pathlib import Path

from monitor.power.sysfs import read_int

FROZEN_S = 2.0
"""A counter that stands still so long while its card is awake is broken: even an idle card draws
several watts, a thousand times the step of its counter within a refresh."""


class EnergyCounter:
    """An ``energyN_input`` file.

    A value that is the same as before has not been refreshed yet and is not told again: the
    trace interpolates across it, and where the counter has stopped for good there is a gap
    instead of zero watts.

    :param file: in microjoules
    :param may_rest: whether what is counted may draw nothing while the card is awake
    """

    def __init__(self, file: Path, may_rest: bool = False) -> None:
        self.file = file
        self._may_rest = may_rest
        self._last_uj: int | None = None
        self._same_since_s: float | None = None

    def read_j(self, time_s: float) -> float | None:
        """Return the counter in joules, ``None`` if it is unreadable or has not moved."""
        counter_uj = read_int(self.file)
        if counter_uj is None:
            return None
        if counter_uj == self._last_uj and not self._may_rest:
            self._same_since_s = time_s if self._same_since_s is None else self._same_since_s
            return None
        self._last_uj, self._same_since_s = counter_uj, None
        return counter_uj / 1e6

    def rest(self) -> None:
        """Note that the card sleeps: its counter may stand."""
        self._same_since_s = None

    def still_s(self, time_s: float) -> float:
        """Return for how long the counter has stood still."""
        return 0.0 if self._same_since_s is None else time_s - self._same_since_s

    def is_frozen(self, time_s: float) -> bool:
        """Whether the counter has stood still for too long to be working."""
        return self._same_since_s is not None and self.still_s(time_s) >= FROZEN_S
