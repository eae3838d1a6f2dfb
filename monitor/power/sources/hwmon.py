"""Graphics cards under Linux, and the hardware monitors their drivers show beside them.

A card is an entry of ``class/drm``, a monitor a folder below its PCI device with a ``name`` and
files like ``energy1_input``, in microjoules (Documentation/hwmon/sysfs-interface.rst). Shared by
the AMD and Intel sources. A card that sleeps is not touched: reading its monitor would wake it on
older kernels and is refused on newer ones.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from monitor.power.gauge import Gauge, GaugeReading
from monitor.power.sysfs import read_int, read_text, sysfs_root

PERIOD_S = 0.1
"""No document tells how often AMD's or Intel's cards refresh; that of NVIDIA's is taken."""

FROZEN_S = 2.0
"""A counter that stands still so long while its card is awake is broken: even an idle card draws
several watts, a thousand times the step of its counter within a refresh."""

ASLEEP = ("suspended", "suspending")
"""What ``power/runtime_status`` says of a card at rest (ABI file sysfs-devices-power)."""


@dataclass(frozen=True, slots=True)
class Card:
    """One graphics card.

    :param number: N of ``cardN``
    :param folder: its entry of ``class/drm``
    :param device: its PCI device's folder
    :param address: its PCI address, ``0000:03:00.0``
    """

    number: int
    folder: Path
    device: Path
    address: str

    def is_asleep(self) -> bool:
        """Whether the kernel has put the card to sleep."""
        return read_text(self.device / "power/runtime_status") in ASLEEP

    def monitors(self) -> dict[str, Path]:
        """Return the folder of each monitor by its name; of two alike, the first."""
        found: dict[str, Path] = {}
        for folder in sorted(self.device.glob("hwmon/hwmon*")):
            found.setdefault(read_text(folder / "name") or "", folder)
        return found


def cards(vendor: str) -> list[Card]:
    """Return a vendor's cards in the order of their numbers, each device once.

    :param vendor: PCI vendor as sysfs writes it, ``0x1002``
    """
    found: dict[str, Card] = {}
    for folder in (sysfs_root() / "class/drm").glob("card*"):
        number = re.fullmatch(r"card(\d+)", folder.name)
        if number and read_text(folder / "device/vendor") == vendor:
            device = (folder / "device").resolve()
            card = Card(int(number[1]), folder, device, device.name)
            # Partitions of one accelerator are cards of one device.
            if device.name not in found or card.number < found[device.name].number:
                found[device.name] = card
    return sorted(found.values(), key=lambda card: card.number)


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

    def is_frozen(self, time_s: float) -> bool:
        """Whether the counter has stood still for too long to be working."""
        return self._same_since_s is not None and time_s - self._same_since_s >= FROZEN_S


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


def labelled(monitor: Path, quantity: str, label: str) -> Path | None:
    """Return the ``_input`` file whose ``_label`` is ``label``, ``None`` if there is none.

    :param quantity: ``temp``, ``freq``, ``energy``
    """
    for file in sorted(monitor.glob(f"{quantity}*_label")):
        if read_text(file) == label:
            return file.with_name(file.name.replace("_label", "_input"))
    return None
