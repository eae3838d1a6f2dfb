"""The supply rails of a Jetson board, each with its voltage and current.

Up to four monitors, named ``ina3221``, with three channels each: ``in1_label``, ``in1_input`` in
millivolts and ``curr1_input`` in milliamperes (Documentation/hwmon/ina3221.rst). Which rails there
are is told by the board's device tree. Kernels of JetPack 4 and older have another driver, which
shows them elsewhere; it is not read.
"""

from dataclasses import dataclass
from pathlib import Path

from monitor.power.sysfs import read_int, read_text, sysfs_root

NAME = "ina3221"

CHANNELS = range(1, 4)
"""Further labels are of sums."""

NOT_CONNECTED = "NC"

OFFSET_MA = -40
"""A rail that draws nothing may be told to give this much: the chip is off by up to 80 microvolts
(TI, INA3221 datasheet SBOS576, offset voltage), and the smallest shunt of these boards has 2
milliohms. What is below that is no reading."""

INTERVAL_S, LEAST_INTERVAL_S = 0.1, 0.02
"""How often a rail is measured where the driver does not tell; no more often it is read."""


@dataclass(frozen=True, slots=True)
class Rail:
    """One rail.

    :param label: as the board's device tree has it, ``VDD_IN``
    :param monitor: the folder of its monitor
    :param number: of its channel there
    """

    label: str
    monitor: Path
    number: int

    @property
    def interval_s(self) -> float:
        """How long a measurement of it takes, all channels of its chip together."""
        told_ms = read_int(self.monitor / "update_interval")
        return INTERVAL_S if told_ms is None else max(told_ms / 1e3, LEAST_INTERVAL_S)

    def power_w(self) -> float | None:
        """Return its watts, ``None`` if it tells none."""
        voltage_mv = read_int(self.monitor / f"in{self.number}_input")
        current_ma = read_int(self.monitor / f"curr{self.number}_input")
        if voltage_mv is None or current_ma is None or current_ma < OFFSET_MA:
            return None
        return voltage_mv * max(current_ma, 0) / 1e6


def is_jetson() -> bool:
    """Whether this is a board by NVIDIA, by its device tree."""
    told = read_text(sysfs_root() / "firmware/devicetree/base/compatible") or ""
    return any(each.startswith("nvidia,") for each in told.split("\0"))


def rails() -> dict[str, Rail]:
    """Return the rails of a Jetson board by their labels; of two alike, the first."""
    found: dict[str, Rail] = {}
    for monitor in sorted((sysfs_root() / "class/hwmon").glob("hwmon*")) if is_jetson() else ():
        if read_text(monitor / "name") != NAME:
            continue
        for number in CHANNELS:
            label = read_text(monitor / f"in{number}_label")
            if label and label != NOT_CONNECTED:
                found.setdefault(label, Rail(label, monitor, number))
    return found
