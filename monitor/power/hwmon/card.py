"""Graphics cards, and the folders of their hardware monitors."""

import re
from dataclasses import dataclass
from pathlib import Path

from monitor.power.asleep import is_asleep
from monitor.power.sysfs import read_text, sysfs_root

PERIOD_S = 0.1
"""No document tells how often AMD's or Intel's cards refresh; that of NVIDIA's is taken."""


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
        return is_asleep(self.device)

    def may_sleep(self) -> bool:
        """Whether the kernel puts the card to sleep when nobody uses it, as in a laptop."""
        return read_text(self.device / "power/control") == "auto"

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


def kept_awake(name: str) -> str:
    """Say, in a sentence, that a card which may sleep is kept from it: each reading wakes it."""
    return f"{name} cannot fall asleep while it is read."


def labelled(monitor: Path, quantity: str, label: str) -> Path | None:
    """Return the ``_input`` file whose ``_label`` is ``label``, ``None`` if there is none.

    :param quantity: ``temp``, ``freq``, ``energy``
    """
    for file in sorted(monitor.glob(f"{quantity}*_label")):
        if read_text(file) == label:
            return file.with_name(file.name.replace("_label", "_input"))
    return None
