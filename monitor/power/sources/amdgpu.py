"""AMD GPUs through the hardware monitor of the ``amdgpu`` driver.

``power1_input`` (instantaneous) or ``power1_average``, in microwatts, and ``energy1_input`` in
microjoules where there is one. On an APU both powers include the processor, as the kernel says
("DOC: hwmon" in drivers/gpu/drm/amd/pm/amdgpu_pm.c): such a card is a ``soc`` part of the package
it sits in, which is then not added to it (see :func:`monitor.power.channel.counted`). What is
told is the power of the socket; memory in slots lies outside and stays a part of its own.

Reading a card keeps it awake on kernels that count that as use. One that sleeps is not woken: it
has no channel until something else wakes it, and the source is then opened anew.

Not yet met on hardware: built from the kernel's documentation and source, tested on constructed
trees (tests/hardware/hwmon.py).
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from monitor.power.accuracy import accuracy_of
from monitor.power.asleep import has_left
from monitor.power.channel import Channel, Domain, Kind, OpenAnew, Probe, ProbeState, Reading, Role
from monitor.power.crosscheck import is_plausible
from monitor.power.gauge import Gauge, GaugeReading, Quantity
from monitor.power.hwmon.amd_metrics import (
    ThrottleReader,
    read_table,
    revision_of,
    tells_throttling,
)
from monitor.power.hwmon.card import PERIOD_S, Card, cards, kept_awake, labelled
from monitor.power.hwmon.counter import EnergyCounter
from monitor.power.hwmon.dials import Dial, read_dials
from monitor.power.hwmon.watch import LOOK_S, Watch
from monitor.power.sysfs import has_sysfs, read_int, read_text, sysfs_root

VENDOR = "0x1002"

STEP_J = 15.3e-6
"""The accumulator of AMD's firmware counts in 15.3 uJ (AMD SMI, amdsmi_get_energy_count)."""

CHECK_S = 0.3
"""So long a counter is watched before it is believed: three refreshes, 1.5 J of a card that idles
at 5 W."""

GIVEN_UP_S = 30.0
"""A counter that stands still so long beside cards that are read is given up for its watts: the
source is opened anew, which costs the other cards a few seconds."""

MEAN_FILE = "power1_average"

POWER_FILES = ("power1_input", MEAN_FILE)
"""What a card draws now, before a mean over a while. Some tell both, and 0 W in one of them."""

ENERGY_FILE = "energy1_input"

WATTS = ":watts"
"""What the key of a card ends with whose watts are read although it has a counter."""

LEAST_W = 0.5
"""What is awake draws more, memory and links of a card alone. Some sockets tell 12 mW beside 60 W
of their package (flightlessmango/MangoHud#1874), others 0: they do not tell."""

MI300A = "0x74a0"
"""The one APU without a north bridge voltage: pciidlist in drivers/gpu/drm/amd/amdgpu_drv.c."""

APU_METRICS = (2, 3)
"""Formats of ``gpu_metrics`` whose fields are those "on APUs" in kgd_pp_interface.h."""


@dataclass(slots=True)
class _Gpu:
    """A card, and how it is read.

    :param counter: if the card counts its energy and that is believed
    :param remark: why its power is integrated although it has a counter
    """

    card: Card
    monitor: Path
    channel: Channel
    counter: EnergyCounter | None
    remark: str = ""


@dataclass(frozen=True, slots=True)
class _Check:
    """Joules and watts of a card before a counter is believed."""

    time_s: float
    energy_j: float | None
    power_w: float | None


class AmdGpu:
    """The ``amdgpu`` source: one part channel a card that is awake."""

    name = "amdgpu"

    def __init__(self) -> None:
        self._watch = Watch(VENDOR, _can_tell)
        self._gpus: tuple[_Gpu, ...] = ()
        self._silent: tuple[Card, ...] = ()
        self._dials: dict[str, tuple[Dial, ...]] = {}
        self._throttles: dict[str, ThrottleReader] = {}
        self._problems: tuple[str, ...] = ()

    def probe(self) -> Probe:
        """Look for cards and find out how each that is awake is to be read."""
        self._watch.begin()
        self._gpus, self._problems = tuple(_gpus(self._watch.awake)), ()
        read = {gpu.card.address for gpu in self._gpus}
        self._silent = tuple(card for card in self._watch.awake if card.address not in read)
        retry_s = None if self._gpus else LOOK_S
        if self._gpus or self._watch.asleep:
            words = [_sentence(gpu) for gpu in self._gpus]
            words += [
                kept_awake(gpu.channel.label)
                for gpu in self._gpus
                if gpu.channel.domain is Domain.GPU and gpu.card.may_sleep()
            ]
            words += [f"{_name(card)} does not tell what it draws." for card in self._silent]
            words += [
                f"{_name(card)} is asleep: it is read once something wakes it."
                for card in self._watch.asleep
            ]
            return Probe(self.name, ProbeState.AVAILABLE, " ".join(words), retry_s=retry_s)
        if not cards(VENDOR):
            reason = "There is no AMD GPU."
            if not has_sysfs():
                reason = "AMD GPUs are read on Linux only."
            return Probe(self.name, ProbeState.ABSENT, reason)
        return Probe(
            self.name,
            ProbeState.ABSENT,
            "There is an AMD GPU, but its driver does not tell its power. The driver amdgpu does "
            "for most cards.",
            # One that has files for it may fill them later: it has just been woken.
            retry_s=retry_s if self._silent else None,
        )

    def open(self) -> tuple[Channel, ...]:
        """Return a channel for each card found by :meth:`probe` that is awake."""
        return tuple(gpu.channel for gpu in self._gpus)

    def read(self) -> list[Reading]:
        """Read every card that is awake.

        :raises OSError: if no card that is awake answers, or the source is to be opened anew: a
          card has woken or fallen asleep, one tells its watts that did not, or a counter has stood
          still for so long that its card's watts are to be integrated instead
        """
        if self._watch.look(time.monotonic()):
            self._look_at_silent()
        readings, problems, awake = [], [], 0
        for gpu in self._gpus:
            now_s = time.monotonic()
            if gpu.card.is_asleep():
                if gpu.counter:
                    gpu.counter.rest()
                continue
            awake += 1
            reading = _read_gpu(gpu, now_s)
            if reading:
                readings.append(reading)
            elif problem := _problem(gpu, now_s):
                problems.append(problem)
            if _is_given_up(gpu, now_s):
                raise OpenAnew(f"{gpu.channel.label}: its energy counter is given up")
        self._problems = tuple(problems)
        if problems and len(problems) == awake:
            raise OSError(problems[0])
        return readings

    def _look_at_silent(self) -> None:
        for card in self._silent:
            monitor = card.monitors().get("amdgpu")
            if monitor and not card.is_asleep() and _power_w(monitor) is not None:
                raise OpenAnew(f"{_name(card)} tells by now what it draws")

    def remarks(self) -> tuple[str, ...]:
        """Say which card does not answer beside others that do. From any thread."""
        return tuple(f"{problem}." for problem in self._problems)

    def has_left(self, channel: Channel) -> bool:
        """Say whether a card sleeps, or is not in the machine any more."""
        return has_left(channel.key.removeprefix("amdgpu:").removesuffix(WATTS))

    def gauges(self) -> tuple[Gauge, ...]:
        """Return load, temperature, clock, memory and throttling of each card, where told."""
        self._dials = {gpu.card.address: tuple(_dials(gpu)) for gpu in self._gpus}
        self._throttles = {
            gpu.card.address: ThrottleReader(_gauge(gpu, Quantity.THROTTLE, "throttled"), folder)
            for gpu in self._gpus
            if not gpu.card.is_asleep() and tells_throttling(read_table(folder := gpu.card.device))
        }
        return (
            *(dial.gauge for dials in self._dials.values() for dial in dials),
            *(throttle.gauge for throttle in self._throttles.values()),
        )

    def read_gauges(self) -> list[GaugeReading]:
        """Read the gauges of every card that is awake."""
        now_s = time.monotonic()
        readings = []
        for gpu in self._gpus:
            if gpu.card.is_asleep():
                continue
            readings += read_dials(self._dials[gpu.card.address], now_s)
            throttle = self._throttles.get(gpu.card.address)
            if throttle and (reading := throttle.read(now_s)):
                readings.append(reading)
        return readings

    def close(self) -> None:
        """Nothing is held open."""


def _can_tell(card: Card) -> bool:
    """Whether a card has files for what it draws; none is read, which would wake it."""
    monitor = card.monitors().get("amdgpu")
    return monitor is not None and any(
        (monitor / name).exists() for name in (*POWER_FILES, ENERGY_FILE)
    )


def _gpus(awake: Sequence[Card]) -> list[_Gpu]:
    """Return the cards that tell watts or joules; takes a moment if a counter is to be checked."""
    found = [(card, monitor) for card in awake if (monitor := card.monitors().get("amdgpu"))]
    first = {card.address: _check(card, monitor) for card, monitor in found}
    if any(check.energy_j is not None for check in first.values()):
        time.sleep(CHECK_S)
    gpus = []
    for card, monitor in found:
        before, after = first[card.address], _check(card, monitor)
        remark = _doubt(before, after)
        counts = after.energy_j is not None and not remark
        # Once is enough: what is told as 0 W at one moment may be told at the next.
        if counts or before.power_w is not None or after.power_w is not None:
            channel = _channel(card, monitor, Kind.COUNTER if counts else Kind.POWER)
            counter = EnergyCounter(monitor / ENERGY_FILE) if counts else None
            gpus.append(_Gpu(card, monitor, channel, counter, remark))
    return gpus


def _check(card: Card, monitor: Path) -> _Check:
    """Read joules and watts of a card; neither of one that has fallen asleep meanwhile."""
    if card.is_asleep():
        return _Check(time.monotonic(), None, None)
    energy_uj = read_int(monitor / ENERGY_FILE)
    energy_j = None if energy_uj is None else energy_uj / 1e6
    return _Check(time.monotonic(), energy_j, _power_w(monitor))


def _doubt(before: _Check, after: _Check) -> str:
    """Say why a counter is not believed; nothing if it is, or if there is none.

    Accumulators are known to freeze (ROCm/amdsmi issue 38) or to stay 0 (ollama issue 9633).
    """
    if before.energy_j is None or after.energy_j is None:
        return ""
    counted_w = (after.energy_j - before.energy_j) / (after.time_s - before.time_s)
    if not counted_w:
        return "its energy counter stands still, so its power is integrated instead"
    if before.power_w is None or after.power_w is None:
        return ""
    told_w = (before.power_w + after.power_w) / 2
    # Far from equal, since the two look at different moments.
    if is_plausible(counted_w, told_w):
        return ""
    return (
        f"its energy counter says {counted_w:.3g} W where its power is {told_w:.3g} W, so its "
        "power is integrated instead"
    )


def _channel(card: Card, monitor: Path, kind: Kind) -> Channel:
    is_apu = _is_apu(card, monitor)
    # What was counted before a counter was given up stays what it is, under a key of its own.
    is_instead = kind is Kind.POWER and (monitor / ENERGY_FILE).exists()
    return Channel(
        key=f"amdgpu:{card.address}{WATTS}" if is_instead else f"amdgpu:{card.address}",
        label=f"{_name(card)} with its processor (APU)" if is_apu else _name(card),
        domain=Domain.SOC if is_apu else Domain.GPU,
        device=f"package-{_package_of(card)}" if is_apu else card.address,
        kind=kind,
        role=Role.PART,
        period_s=PERIOD_S,
        # Over how long the mean goes no document tells: that is not how often it is renewed.
        least_period_s=PERIOD_S if kind is Kind.POWER and (monitor / MEAN_FILE).exists() else 0.0,
        step_j=STEP_J if kind is Kind.COUNTER else 0.0,
        accuracy=accuracy_of("amdgpu.apu" if is_apu else "amdgpu"),
    )


def _name(card: Card) -> str:
    """Name a card; its maker too, as another maker's first GPU may be number 0 as well."""
    product = (read_text(card.device / "product_name") or "").removeprefix("AMD ")
    return f"AMD GPU {card.number} {product}".rstrip()


def _is_apu(card: Card, monitor: Path) -> bool:
    """Whether a card is part of a processor, so that its power includes the processor's.

    The driver shows a north bridge voltage, ``vddnb``, for APUs only (amdgpu_pm.c,
    hwmon_attributes_visible), and their metrics have a revision of their own. An APU taken for a
    card would be counted twice, so one sign is enough.
    """
    if read_text(monitor / "in1_label") == "vddnb":
        return True
    if read_text(card.device / "device") == MI300A:
        return True
    revision = revision_of(read_table(card.device))
    return revision is not None and revision[0] in APU_METRICS


def _package_of(card: Card) -> int:
    """Return the number of the package an APU's graphics belong to; 0 if that is not told."""
    near = read_text(card.device / "local_cpulist") or ""
    first = near.replace("-", ",").split(",")[0]
    topology = sysfs_root() / f"devices/system/cpu/cpu{first}/topology"
    return read_int(topology / "physical_package_id") or 0


def _read_gpu(gpu: _Gpu, now_s: float) -> Reading | None:
    power_w = _power_w(gpu.monitor)
    if gpu.counter is None:
        return None if power_w is None else Reading(gpu.channel.key, now_s, power_w=power_w)
    counter_j = gpu.counter.read_j(now_s)
    if counter_j is None:
        return None
    return Reading(gpu.channel.key, now_s, counter_j=counter_j, power_w=power_w)


def _problem(gpu: _Gpu, now_s: float) -> str:
    """Say why a card gave no reading; nothing if it has only not been refreshed yet."""
    if gpu.counter is None or read_int(gpu.counter.file) is None:
        return f"{gpu.channel.label} does not tell any more what it draws"
    if gpu.counter.is_frozen(now_s):
        return f"{gpu.channel.label}: its energy counter stands still"
    return ""


def _is_given_up(gpu: _Gpu, now_s: float) -> bool:
    """Whether a counter has stood still for so long that the card's watts say more."""
    is_still = gpu.counter is not None and gpu.counter.still_s(now_s) >= GIVEN_UP_S
    return is_still and _power_w(gpu.monitor) is not None


def _power_w(monitor: Path) -> float | None:
    """Read the watts of a card, ``None`` if it does not tell them."""
    for name in POWER_FILES:
        power_uw = read_int(monitor / name)
        if power_uw is not None and power_uw >= LEAST_W * 1e6:
            return power_uw / 1e6
    return None


def _sentence(gpu: _Gpu) -> str:
    how = "its energy is counted" if gpu.counter else "its power is integrated"
    words = f"{gpu.channel.label}: {gpu.remark or how}."
    if gpu.channel.domain is Domain.SOC:
        words += " The processor is inside what it tells, and not added to it."
    return words


def _dials(gpu: _Gpu) -> list[Dial]:
    """Find what a card tells beside its power ("DOC: hwmon" and "DOC: gpu_busy_percent").

    Of the temperatures the hottest place of the chip, which limits it, before its edge. What an APU
    has in use is partly memory set aside for it, partly the system's (GTT), where models lie.
    """
    device, monitor = gpu.card.device, gpu.monitor
    temperature = labelled(monitor, "temp", "junction") or monitor / "temp1_input"
    clock = labelled(monitor, "freq", "sclk") or monitor / "freq1_input"
    wanted = [
        (Quantity.UTILISATION, "load", device / "gpu_busy_percent", 1.0),
        (Quantity.TEMPERATURE, "temperature", temperature, 1e3),
        (Quantity.CLOCK, "clock", clock, 1e6),
    ]
    dials = [
        Dial(_gauge(gpu, quantity, word), file, per_unit)
        for quantity, word, file, per_unit in wanted
        if file.exists()
    ]
    used, also = device / "mem_info_vram_used", device / "mem_info_gtt_used"
    if used.exists():
        capacity = read_int(device / "mem_info_vram_total")
        is_shared = gpu.channel.domain is Domain.SOC and also.exists()
        if is_shared and capacity is not None:
            capacity += read_int(device / "mem_info_gtt_total") or 0
        gauge = _gauge(gpu, Quantity.MEMORY, "memory", capacity)
        dials.append(Dial(gauge, used, and_file=also if is_shared else None))
    return dials


def _gauge(gpu: _Gpu, quantity: Quantity, word: str, capacity: float | None = None) -> Gauge:
    return Gauge(
        key=f"amdgpu:{gpu.card.address}:{quantity}",
        label=f"{gpu.channel.label} {word}",
        quantity=quantity,
        domain=gpu.channel.domain,
        device=gpu.channel.device,
        capacity=capacity,
    )
