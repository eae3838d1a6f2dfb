"""NVIDIA GPUs through NVML (``nvidia-ml-py``).

A card of the Volta generation or later counts its energy (millijoules since the driver was
loaded); older ones only give watts, which are integrated. Every call may fail on its own and is
then a missing reading. MIG instances have no sensor: what is read is the whole card.

A GPU that sleeps is not woken; it is read from when a program has woken it. From then on it is
kept awake, as an open handle does, and that is said: letting go of it would leave holes in the
bills. A GPU that is lost is a gap until a fresh start of NVML brings it back, and one that does not
answer at first is looked for in the same way.

See the NVML API reference and :mod:`monitor.power.nvml.gpu`. Built and tested against a
compiled stand-in for the library (tests/hardware) and against what an H200 told
(tests/recorded/h200.py); not yet run on hardware itself, for which there is
tests/hardware/test_gpu.py.
"""

import platform
import time
from contextlib import suppress
from typing import Any, ClassVar

import pynvml

from monitor.power.asleep import BusGpu, has_left, nvidia_gpus
from monitor.power.channel import Channel, Doubt, OpenAnew, Probe, ProbeState, Reading
from monitor.power.crosscheck import WINDOW_S
from monitor.power.gauge import Gauge, GaugeReading
from monitor.power.nvml.fields import GONE
from monitor.power.nvml.gauges import read_gauges
from monitor.power.nvml.gpu import Gpu, open_gpu
from monitor.power.nvml.handles import awake_handles, none_to_ask

RETRY_ASLEEP_S = 10.0
"""How often it is looked whether a sleeping GPU has woken, which costs reading a small file."""

RETRY_DRIVER_S = 60.0
"""How often a driver that does not start is tried again: it may be loaded or updated meanwhile."""

RETRY_LOST_S = 10.0
"""How often GPUs are looked for where none answers."""

FIRST_REVIVAL_S, LONGEST_REVIVAL_S = 5.0, 600.0
"""A GPU among others that is lost, or never answered, is looked for after so long, then after twice
as long each time: NVML is started anew for it, which costs the others a moment."""


class Nvml:
    """The ``nvml`` source: channels and gauges of each GPU.

    :param check_s: how long a stretch each counter is compared with its watts over
    :param revive_s: after how long a GPU that does not answer is looked for at first
    """

    name = "nvml"

    _addresses: ClassVar[dict[str, str]] = {}
    """PCI addresses by UUID, of the GPUs that the bus has shown. Kept for all objects: one that
    failed is replaced by another, which may find fewer GPUs."""

    def __init__(self, check_s: float = WINDOW_S, revive_s: float = FIRST_REVIVAL_S) -> None:
        self._check_s = check_s
        self._first_revival_s = self._revival_s = revive_s
        self._gpus: tuple[Gpu, ...] = ()
        self._silent: frozenset[int] = frozenset()
        self._anew = ""
        self._asleep: frozenset[str] = frozenset()
        self._started = False
        self._revive_at_s: float | None = None
        self._looked_s = time.monotonic()

    def probe(self) -> Probe:
        """Load NVML, unless that would wake a GPU, and look for GPUs that tell their power."""
        self.close()
        on_bus = nvidia_gpus()
        self._asleep = frozenset(gpu.address for gpu in on_bus if gpu.asleep)
        if none_to_ask(on_bus):
            whose = "The NVIDIA GPU is" if len(on_bus) == 1 else "The NVIDIA GPUs are"
            return self._absent(
                f"{whose} asleep. Reading would wake it; it is read when a program uses it.",
                retry_s=RETRY_ASLEEP_S,
            )
        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError as error:
            return _cannot_start(error, has_gpu=bool(on_bus))
        self._started = True
        return self._look(on_bus)

    def open(self) -> tuple[Channel, ...]:
        """Return the channels of each GPU found by :meth:`probe`."""
        return tuple(channel for gpu in self._gpus for channel in gpu.channels)

    def read(self) -> list[Reading]:
        """Read every GPU: joules where it counts them, watts where it tells them.

        :raises OSError: if none answers
        :raises OpenAnew: if a GPU that slept has woken, one that did not answer does, or a counter
          has been found broken, so that watts are integrated instead
        """
        return self._ask(is_glance=False)

    def glance(self) -> list[Reading]:
        """Read the watts of every GPU that tells them; raises as :meth:`read` does."""
        return self._ask(is_glance=True)

    def _ask(self, is_glance: bool) -> list[Reading]:
        now_s = time.monotonic()
        self._look_for_woken(now_s)
        for gpu in self._gpus:
            if gpu.is_broken:
                # What one had counted that stands still now was drawn.
                raise OpenAnew(
                    f"the energy counter of {gpu.name} does not follow its watts any more",
                    withdrawn=() if gpu.stands else [gpu.part.key],
                )
        self._revive_if_due(now_s)
        if self._anew:
            raise OpenAnew(self._anew)
        readings: list[Reading] = []
        error: pynvml.NVMLError | None = None
        for gpu in self._gpus:
            try:
                readings += gpu.glance() if is_glance else gpu.read()
            except pynvml.NVMLError as failed:
                error = failed
                gpu.miss()
                if failed.value in GONE:
                    self._lose(gpu, failed, now_s)
            else:
                # Watts may be told where the counter is not.
                gpu.lost = gpu.lost if is_glance else ""
        if not readings and error:
            raise OSError(str(error))
        return readings

    def close(self) -> None:
        """Shut NVML down, which lets a GPU fall asleep."""
        if self._started:
            self._started = False
            with suppress(pynvml.NVMLError):
                pynvml.nvmlShutdown()

    def has_left(self, channel: Channel) -> bool:
        """Say whether a GPU sleeps, or is not in the machine any more; only the bus knows."""
        address = self._addresses.get(channel.device)
        return address is not None and has_left(address)

    def gauges(self) -> tuple[Gauge, ...]:
        """Return the gauges of each GPU."""
        return tuple(gauge for gpu in self._gpus for gauge in gpu.gauges)

    def read_gauges(self) -> list[GaugeReading]:
        """Read every gauge now; one that does not answer is left out."""
        return [reading for gpu in self._gpus for reading in read_gauges(gpu.handle, gpu.gauges)]

    def remarks(self) -> tuple[str, ...]:
        """Say what has been found since :meth:`probe`, a sentence each. From any thread."""
        return tuple(remark for gpu in self._gpus for remark in gpu.remarks())

    def doubts(self) -> tuple[Doubt, ...]:
        """Say whose counter is at odds with its watts at present."""
        return tuple(doubt for gpu in self._gpus for doubt in gpu.doubts())

    def _look(self, on_bus: tuple[BusGpu, ...]) -> Probe:
        """Open the GPUs that are awake, and say what was found."""
        found: list[Gpu] = []
        silent: list[str] = []
        errors: dict[int, pynvml.NVMLError] = {}
        handles = awake_handles(self._asleep)
        for index, handle in handles:
            try:
                if isinstance(handle, pynvml.NVMLError):
                    raise handle
                gpu = open_gpu(index, handle, self._check_s)
            except pynvml.NVMLError as error:
                errors[index] = error
            else:
                if gpu:
                    found.append(gpu)
                else:
                    silent.append(f"GPU {index} tells no power: what it draws is in no total.")
        self._addresses.update(_on_bus(found))
        self._gpus, self._silent = tuple(found), frozenset(errors)
        lost = [
            f"GPU {index} does not answer ({error}); it is asked again."
            for index, error in errors.items()
        ]
        if found:
            self._anew, self._revive_at_s = "", None
            if errors:
                self._revive_at_s = time.monotonic() + self._revival_s
            return self._available([*silent, *lost], on_bus)
        self.close()
        for failed in errors.values():
            if failed.value == pynvml.NVML_ERROR_NO_PERMISSION:
                return _cannot_start(failed, has_gpu=True)
        if lost:
            return self._absent(" ".join([*silent, *lost]), retry_s=RETRY_LOST_S)
        if not handles:
            return self._absent("The NVIDIA driver is loaded, but shows no GPU to this program.")
        whose = "The NVIDIA GPU does" if len(handles) == 1 else "The NVIDIA GPUs do"
        return self._absent(
            f"{whose} not tell any power, as some older, laptop and virtual ones: what is drawn "
            "there is in no total."
        )

    def _available(self, unread: list[str], on_bus: tuple[BusGpu, ...]) -> Probe:
        words = [f"Reading {', '.join(gpu.part.label for gpu in self._gpus)}."]
        words += [note for gpu in self._gpus for note in gpu.notes]
        words += unread
        for gpu in on_bus:
            if gpu.asleep:
                words.append(f"The GPU at {gpu.address} is asleep; it is not woken.")
            elif gpu.may_sleep:
                words.append(f"The GPU at {gpu.address} cannot fall asleep while it is read.")
        return Probe(self.name, ProbeState.AVAILABLE, " ".join(words))

    def _absent(self, reason: str, retry_s: float | None = None) -> Probe:
        return Probe(self.name, ProbeState.ABSENT, reason, retry_s=retry_s)

    def _look_for_woken(self, now_s: float) -> None:
        """Look now and then whether a GPU that slept is awake.

        :raises OpenAnew: if so
        """
        if self._asleep and now_s - self._looked_s >= RETRY_ASLEEP_S:
            asleep = {gpu.address for gpu in nvidia_gpus() if gpu.asleep}
            if not self._asleep <= asleep:
                raise OpenAnew("a GPU that slept has woken, and all are opened anew")
            self._looked_s = now_s

    def _lose(self, gpu: Gpu, error: pynvml.NVMLError, now_s: float) -> None:
        gpu.lost = str(error)
        if self._revive_at_s is None:
            self._revive_at_s = now_s + self._revival_s

    def _revive_if_due(self, now_s: float) -> None:
        """Start NVML anew while a GPU does not answer, and take each up where it was left."""
        if self._revive_at_s is None:
            return
        if not self._silent and not any(gpu.lost for gpu in self._gpus):
            self._revive_at_s, self._revival_s = None, self._first_revival_s
        elif now_s >= self._revive_at_s:
            self._start_anew()
            self._revival_s = min(2 * self._revival_s, LONGEST_REVIVAL_S)
            self._revive_at_s = now_s + self._revival_s

    def _start_anew(self) -> None:
        self.close()
        handles: dict[str, Any] = {}
        with suppress(pynvml.NVMLError):
            pynvml.nvmlInit()
            self._started = True
            for index, handle in awake_handles(self._asleep):
                if uuid := _uuid(handle):
                    handles[uuid] = handle
                    if index in self._silent:
                        self._anew = f"GPU {index} answers by now, and all are opened anew"
        for gpu in self._gpus:
            gpu.handle = handles.get(gpu.part.device, gpu.handle)


def _uuid(handle: Any) -> str:
    """Return what tells a GPU from others; empty unless it answers what opening it asks for.

    :param handle: a handle, or why there is none
    """
    if isinstance(handle, pynvml.NVMLError):
        return ""
    try:
        pynvml.nvmlDeviceGetName(handle)
        return str(pynvml.nvmlDeviceGetUUID(handle))
    except pynvml.NVMLError:
        return ""


def _on_bus(gpus: list[Gpu]) -> dict[str, str]:
    """Return where on the bus GPUs are, by UUID; those that it does not show are left out."""
    shown, found = {gpu.address for gpu in nvidia_gpus()}, {}
    for gpu in gpus:
        with suppress(pynvml.NVMLError):
            pci = pynvml.nvmlDeviceGetPciInfo(gpu.handle)
            address = f"{pci.domain:04x}:{pci.bus:02x}:{pci.device:02x}.0"
            if address in shown:
                found[gpu.part.device] = address
    return found


def _cannot_start(error: pynvml.NVMLError, has_gpu: bool) -> Probe:
    """Say why NVML does not start, and what to do.

    :param has_gpu: whether the bus shows an NVIDIA GPU
    """
    state, mend, retry_s = ProbeState.ABSENT, "", None
    match error.value:
        case pynvml.NVML_ERROR_LIBRARY_NOT_FOUND:
            reason = "No NVIDIA driver is installed."
            if has_gpu:
                reason = "There is an NVIDIA GPU, but its driver's library (NVML) is not installed."
            mend = no_library_mend(platform.release(), has_gpu)
        case pynvml.NVML_ERROR_NO_PERMISSION:
            state, reason = ProbeState.DENIED, "The NVIDIA driver refuses this user."
            mend = (
                "Give this user access to /dev/nvidiactl and /dev/nvidia0, usually by adding "
                "it to the group that owns them: `ls -l /dev/nvidia*`"
            )
        case pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH:
            state = ProbeState.DENIED
            reason = "The NVIDIA driver was updated, but the old one is still at work."
            mend = "Restart the computer."
        case pynvml.NVML_ERROR_DRIVER_NOT_LOADED:
            reason, retry_s = f"The NVIDIA driver does not start: {error}.", RETRY_DRIVER_S
            mend = "Load it: `sudo modprobe nvidia`" if has_gpu else ""
        case _:
            reason, retry_s = f"The NVIDIA driver does not start: {error}.", RETRY_DRIVER_S
            mend = "See what it says: `sudo dmesg | grep -i -e nvrm -e nvidia`" if has_gpu else ""
    return Probe(Nvml.name, state, reason, mend, retry_s)


def no_library_mend(kernel: str, has_gpu: bool) -> str:
    """Say how to get the driver's library; empty where there is no GPU to use it for.

    :param kernel: the system's release, in which WSL names Microsoft
    :param has_gpu: whether the bus shows an NVIDIA GPU, which WSL does not
    """
    if "microsoft" in kernel.lower():
        return (
            "If this computer has an NVIDIA GPU: install its driver in Windows, none inside WSL, "
            "then run `wsl --shutdown` in Windows. The driver's library is in /usr/lib/wsl/lib."
        )
    if has_gpu:
        return (
            "Install NVIDIA's own driver, as your system's documentation says. The open driver "
            "nouveau does not tell a GPU's energy."
        )
    return ""
