"""Gauges that are a file each, or the sum of two."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from monitor.power.gauge import Gauge, GaugeReading
from monitor.power.sysfs import read_int


@dataclass(frozen=True, slots=True)
class Dial:
    """A gauge and the file it is read from.

    :param gauge: what is told
    :param file: one whole number
    :param per_unit: what the file says for one unit of the gauge: 1000 for millidegrees
    :param and_file: what this says is added, if there is one
    """

    gauge: Gauge
    file: Path
    per_unit: float = 1.0
    and_file: Path | None = None

    def read(self) -> float | None:
        """Return what is told now; ``None`` if a file does not answer."""
        told = [read_int(file) for file in (self.file, self.and_file) if file]
        values = [value for value in told if value is not None]
        return sum(values) / self.per_unit if len(values) == len(told) else None


def read_dials(dials: Iterable[Dial], time_s: float) -> list[GaugeReading]:
    """Read each dial that answers.

    :param time_s: ``time.monotonic()`` now
    """
    said = ((dial, dial.read()) for dial in dials)
    return [
        GaugeReading(dial.gauge.key, time_s, value) for dial, value in said if value is not None
    ]
