"""Graphics cards and batteries of a fake /sys: real files, laid out as the kernel lays them out.

Values are what the kernel writes: microjoules, microwatts, millidegrees, hertz. Nothing moves by
itself; a test writes what a file says next with `say`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

Says = Mapping[str, int | str]

AMD, INTEL, NVIDIA = "0x1002", "0x8086", "0x10de"


@dataclass(frozen=True)
class FakeCard:
    """One graphics card.

    Attributes:
        vendor: Its PCI vendor, as sysfs writes it.
        number: N of its `cardN`.
        address: Its PCI address.
        monitors: For each hardware monitor its files; `name` is the driver's.
        files: Files of the PCI device, such as "gpu_busy_percent" or "tile0/gt0/freq0/act_freq".
        card_files: Files of the DRM card itself, such as "gt_act_freq_mhz".
        runtime_status: What `power/runtime_status` says.
    """

    vendor: str
    number: int = 0
    address: str = "0000:03:00.0"
    monitors: tuple[Says, ...] = ()
    files: Says = field(default_factory=dict)
    card_files: Says = field(default_factory=dict)
    runtime_status: str = "active"

    def put(self, root: Path) -> Path:
        """Lay the card out below a fake /sys; return its PCI device's folder."""
        device = root / "devices/pci0000:00" / self.address
        card = device / f"drm/card{self.number}"
        # A card has connectors, which look like cards by their names, and a node to render with.
        (card / f"card{self.number}-DP-1").mkdir(parents=True)
        (card / "device").symlink_to("../..")
        say(device, {"vendor": self.vendor, "power/runtime_status": self.runtime_status})
        say(device, self.files)
        say(card, self.card_files)
        for number, files in enumerate(self.monitors):
            say(device / f"hwmon/hwmon{number + 3}", files)
        drm = root / "class/drm"
        drm.mkdir(parents=True, exist_ok=True)
        here = Path(f"../../devices/pci0000:00/{self.address}/drm/card{self.number}")
        (drm / here.name).symlink_to(here)
        (drm / f"{here.name}-DP-1").symlink_to(here / f"{here.name}-DP-1")
        (drm / f"renderD{128 + self.number}").symlink_to(here)
        bus = root / "bus/pci/devices"
        bus.mkdir(parents=True, exist_ok=True)
        (bus / self.address).symlink_to(f"../../../devices/pci0000:00/{self.address}")
        return device


def put_supply(root: Path, name: str, **says: int | str) -> Path:
    """Lay a power supply out below a fake /sys, such as BAT0 or AC; return its folder."""
    folder = root / "class/power_supply" / name
    say(folder, says)
    return folder


def say(folder: Path, says: Says) -> None:
    """Let files below a folder say something else from now on; never half of it."""
    for name, value in says.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}")
        fresh.write_text(f"{value}\n", encoding="utf-8")
        fresh.replace(path)


_listeners: list[list[str]] = []
_hooks: list[object] = []


def _hear(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and isinstance(arguments[0], str | Path):
        for names in _listeners:
            names.append(Path(arguments[0]).name)


@contextmanager
def opened_files() -> Iterator[list[str]]:
    """Tell the names of the files that this process opens in the block."""
    if not _hooks:
        # The interpreter never takes a hook back: one serves every block.
        _hooks.append(_hear)
        sys.addaudithook(_hear)
    names: list[str] = []
    _listeners.append(names)
    try:
        yield names
    finally:
        _listeners.remove(names)
