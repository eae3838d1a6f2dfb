"""Gauges that are one file each."""

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
    """

    gauge: Gauge
    file: Path
    per_unit: float = 1.0


def read_dials(dials: Iterable[Dial], time_s: float) -> list[GaugeReading]:
    """Read each dial that answers.

    :param time_s: ``time.monotonic()`` now
    """
    said = ((dial, read_int(dial.file)) for dial in dials)
    return [
        GaugeReading(dial.gauge.key, time_s, value / dial.per_unit)
        for dial, value in said
        if value is not None
    ]
