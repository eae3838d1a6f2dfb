"""A fake /sys of real files: RAPL zones whose counters run, and PCI devices.

Energies are joules, except `*_uj`, which are microjoules as in the kernel's files. Times are
seconds of `time.monotonic()`.

Counters are written over, with zeros in front so that all are of one length: a reader may keep its
file open, as it may the kernel's, and sees no half a number.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from .curve import PowerCurve

_TMPFS = Path("/dev/shm")
_REPOSITORY = Path(__file__).resolve().parents[2]
_WRITER_EXIT_S = 5.0


@dataclass(frozen=True)
class RaplZone:
    """One powercap zone.

    Attributes:
        folder: Its entry in class/powercap, such as "intel-rapl:0:1" or "intel-rapl-mmio:0".
        name: What its `name` file says, such as "package-0" or "dram".
        curve: The power behind the counter. Zones are independent: a package's curve must
            itself include what its cores draw.
        start_uj: The counter at the curve's time 0, in microjoules.
        range_uj: `max_energy_range_uj`, in microjoules; the counter wraps to 0 on reaching it.
        readable: False makes opening `energy_uj` fail with PermissionError, for root too.
        inside: The zone folder that holds it; empty for the one its own name implies.
    """

    folder: str
    name: str
    curve: PowerCurve
    start_uj: int = 0
    range_uj: int = 262143328850
    readable: bool = True
    inside: str = ""


@dataclass(frozen=True)
class PciDevice:
    """One entry of bus/pci/devices: its address, and the contents of its files."""

    address: str = "0000:01:00.0"
    vendor: str = "0x10de"
    device: str = "0x2684"
    class_code: str = "0x030000"
    runtime_status: str = "active"


def write_only_file() -> Path | None:
    """Return a file of the real /sys that even root may not open for reading, if there is one.

    Root passes every mode check of an ordinary file. Sysfs alone refuses (EACCES) to open a
    file for an access that its mode grants to nobody.
    """
    for path in sorted(Path("/sys/bus").glob("*/drivers_probe")):
        try:
            path.open("rb").close()
        except PermissionError:
            return path
        except OSError:
            continue
    return None


def can_deny() -> bool:
    """Say whether this user can build a zone that is not readable."""
    return sys.platform == "linux" and (os.geteuid() != 0 or write_only_file() is not None)


def build_tree(root: Path, zones: Sequence[RaplZone], pci: Sequence[PciDevice] = ()) -> None:
    """Lay out a still /sys under `root`, every counter at its start.

    If root runs this, an unreadable `energy_uj` is a symlink into the real /sys: never write,
    chmod or chown through it.

    Raises:
        RuntimeError: A zone is to be unreadable, and `can_deny()` is false.
    """
    powercap = root / "class/powercap"
    powercap.mkdir(parents=True)
    inside = {zone.folder: zone.inside for zone in zones}
    for control_type in sorted({zone.folder.partition(":")[0] for zone in zones}):
        _put(_link(root, control_type, inside) / "enabled", "1")
    for zone in zones:
        folder = _link(root, zone.folder, inside)
        _put(folder / "name", zone.name)
        _put(folder / "enabled", "1")
        _put(folder / "max_energy_range_uj", str(zone.range_uj))
        if zone.readable:
            # As long as what is written over it: see :mod:`tests.hardware.sysfs_writer`.
            _put(folder / "energy_uj", f"{zone.start_uj % zone.range_uj:020d}")
        else:
            _put_unreadable(folder / "energy_uj")
    for card in pci:
        folder = root / "bus/pci/devices" / card.address
        _put(folder / "vendor", card.vendor)
        _put(folder / "device", card.device)
        _put(folder / "class", card.class_code)
        _put(folder / "power/runtime_status", card.runtime_status)


class FakeSysfs:
    """A /sys tree whose RAPL counters run while the context is open.

    A process of its own moves the counters, so that the reader under test shares no
    interpreter lock with them. It ends with the context, or with the process that opened it.

    Attributes:
        root: What stands in for /sys. It must not exist before and is gone afterwards. Where
            the system has a memory file system it is a symlink to a folder there, since
            writing files a thousand times a second on a disk is slow.
        epoch_s: The monotonic time at which every curve is at 0; NaN until the counters run.
    """

    def __init__(
        self,
        root: Path,
        zones: Sequence[RaplZone],
        pci: Sequence[PciDevice] = (),
        update_s: float = 0.001,
        goes_first: bool = False,
    ) -> None:
        """Describe the tree.

        Args:
            root: What stands in for /sys.
            zones: Its RAPL counters.
            pci: Its other devices.
            update_s: Seconds between two moves of a counter.
            goes_first: Whether the counters move in time however busy the processors are, as
                those of hardware do. Where this user may not ask for that, they move when they can.
        """
        self.root = root
        self.epoch_s = math.nan
        self._zones = tuple(zones)
        self._pci = tuple(pci)
        self._update_s = update_s
        self._goes_first = goes_first
        self._writer: subprocess.Popen[str] | None = None

    def __enter__(self) -> FakeSysfs:
        """Build the tree and return once its counters run."""
        self._make_root()
        try:
            build_tree(self.root, self._zones, self._pci)
            self._launch_writer()
            self.wait_started()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the counters and take the tree away."""
        self._close()

    def wait_started(self) -> None:
        """Return once the counters run. `__enter__` calls this; later calls change nothing."""
        if math.isnan(self.epoch_s):
            # An epoch before the writer was up would make the counters jump at their start.
            epoch_s = time.monotonic()
            self._ask(repr(epoch_s))
            self.epoch_s = epoch_s

    def energy_j(self, zone: RaplZone, start_s: float, end_s: float) -> float:
        """Return the joules a zone truly used between two monotonic times, frozen or not."""
        return zone.curve.energy_j(start_s - self.epoch_s, end_s - self.epoch_s)

    def freeze(self, zone: RaplZone) -> None:
        """Stop a zone's counter for good, at its present value."""
        self._ask(zone.folder)

    def remove(self, zone: RaplZone) -> None:
        """Make a zone's `energy_uj` vanish, as when its device goes away."""
        self.freeze(zone)
        take_away(self.root / "class/powercap" / zone.folder / "energy_uj")

    def _make_root(self) -> None:
        if os.path.lexists(self.root):
            raise FileExistsError(f"{self.root} must not exist yet")
        self.root.parent.mkdir(parents=True, exist_ok=True)
        if os.access(_TMPFS, os.W_OK):
            self.root.symlink_to(tempfile.mkdtemp(prefix="fake-sys-", dir=_TMPFS))
        else:
            self.root.mkdir()

    def _launch_writer(self) -> None:
        powercap = self.root / "class/powercap"
        setup = {
            "parent_pid": os.getpid(),
            "update_s": self._update_s,
            "goes_first": self._goes_first,
            "zones": [
                {
                    "folder": zone.folder,
                    "path": str(powercap / zone.folder),
                    "steps": zone.curve.to_list(),
                    "start_uj": zone.start_uj,
                    "range_uj": zone.range_uj,
                }
                for zone in self._zones
                if zone.readable
            ],
        }
        script = self.root / "writer.json"
        script.write_text(json.dumps(setup), encoding="utf-8")
        self._writer = subprocess.Popen(
            [sys.executable, "-m", "tests.hardware.sysfs_writer", str(script.resolve())],
            cwd=_REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C in the tests' terminal must not reach it first.
        )
        self._await_answer()
        script.unlink()

    def _ask(self, request: str) -> None:
        """Send the writer one line and wait until it has acted on it."""
        if self._writer is None or self._writer.stdin is None:
            raise RuntimeError("the counters do not run: enter the context first")
        print(request, file=self._writer.stdin, flush=True)
        self._await_answer()

    def _await_answer(self) -> None:
        assert self._writer is not None
        assert self._writer.stdout is not None
        if not self._writer.stdout.readline():
            raise RuntimeError("the process that moves the counters has ended")

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.kill()
            self._writer.communicate(timeout=_WRITER_EXIT_S)
            self._writer = None
        if self.root.is_symlink():
            shutil.rmtree(self.root.readlink())
            self.root.unlink()
        else:
            shutil.rmtree(self.root)


def take_away(file: Path) -> None:
    """Make a file vanish as a device's does: who has it open reads nothing any more."""
    os.truncate(file, 0)
    file.unlink()


def let_go(file: Path) -> None:
    """Make a file one that nobody has open: who has reads nothing any more, as of a device that
    went, though it came back."""
    another = file.with_name(f".{file.name}")
    shutil.copyfile(file, another)
    with file.open("r+b") as held:
        another.replace(file)
        # The writer may just have opened the one before, and would fill it again.
        time.sleep(0.01)
        held.truncate(0)


def _device_path(folder: str, inside: Mapping[str, str]) -> Path:
    """Return a zone's or control type's place below devices/virtual/powercap."""
    holder = inside.get(folder) or folder.rpartition(":")[0]
    return _device_path(holder, inside) / folder if holder else Path(folder)


def _link(root: Path, folder: str, inside: Mapping[str, str]) -> Path:
    """Create an entry of class/powercap as the kernel does and return its device folder."""
    device = "devices/virtual/powercap" / _device_path(folder, inside)
    (root / device).mkdir(parents=True, exist_ok=True)
    (root / "class/powercap" / folder).symlink_to("../.." / device)
    return root / device


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="ascii")


def _put_unreadable(path: Path) -> None:
    if os.geteuid() != 0:
        path.touch(mode=0o000)
        return
    target = write_only_file()
    if target is None:
        raise RuntimeError("root can read every file here; see can_deny()")
    path.symlink_to(target)
