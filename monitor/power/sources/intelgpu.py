"""Intel graphics cards through the hardware monitors of the ``i915`` and ``xe`` drivers.

Counters in microjoules, of discrete cards only (ABI files sysfs-driver-intel-i915-hwmon and
sysfs-driver-intel-xe-hwmon): of the whole card, and of what is inside it (a GT, the package).
What an integrated GPU draws is inside the processor's package; RAPL shows it as ``uncore``. The
register behind a counter has 32 bits, at 2^-14 J about 262 kJ; the driver adds its wraps up into
63 bits, so that a file does not wrap (hwm_energy in i915_hwmon.c, xe_hwmon_energy_get in
xe_hwmon.c). It misses a wrap if nobody reads for longer: four minutes at 1,000 W.

A card that sleeps is not read, since both drivers wake it for a reading: it has no channel until
something else wakes it, and the source is then opened anew.

A counter that says more than its card ever draws is not believed any more for as long as the
program runs: what it had told is withdrawn, and the card is a part that is not read.

Not yet met on hardware: built from the kernel's documentation and source, tested on constructed
trees (tests/hardware/hwmon.py).
"""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from monitor.power.accuracy import accuracy_of
from monitor.power.asleep import has_left
from monitor.power.channel import Channel, Domain, Kind, OpenAnew, Probe, ProbeState, Reading, Role
from monitor.power.gauge import Gauge, GaugeReading, Quantity
from monitor.power.hwmon.card import PERIOD_S, Card, cards, kept_awake, labelled
from monitor.power.hwmon.counter import EnergyCounter
from monitor.power.hwmon.dials import Dial, read_dials
from monitor.power.hwmon.gt_load import GtLoad
from monitor.power.hwmon.limit import Limit
from monitor.power.hwmon.watch import LOOK_S, Watch
from monitor.power.sysfs import has_sysfs, read_int, read_text

VENDOR = "0x8086"

STEP_J = 2**-14
"""The unit of the energy register in the drivers' own example (hwm_energy, i915_hwmon.c)."""

WHOLE_CARD, PACKAGE = "card", "pkg"
"""Labels of the xe driver's counters."""

XE_LABELS = {1: WHOLE_CARD, 2: PACKAGE}
"""What energy1 and energy2 of xe are where no label says so (sysfs-driver-intel-xe-hwmon)."""

INTEGRATED = re.compile(r"0000:00:02\.\d")
"""Where an integrated GPU sits on every Intel processor."""

UNREAD = ":unread"
"""What the key of a card ends with whose counter is not believed: the part that is missing."""

TAKEN_BACK = "Its counter is not believed any more, and what it had counted is taken back."
MISSING = "What the card draws is missing in the totals."


@dataclass(frozen=True, slots=True)
class _Meter:
    card: Card
    channel: Channel
    counter: EnergyCounter
    limit: Limit


@dataclass(frozen=True, slots=True)
class _Throttle:
    """The file that says whether a card is held back, and those that say by what."""

    gauge: Gauge
    status: Path
    reasons: dict[str, Path]


class IntelGpu:
    """The ``intelgpu`` source: one part channel a card that is awake, and what is inside it."""

    name = "intelgpu"

    _disbelieved: ClassVar[dict[Path, str]] = {}
    """What was found of counters that said too much, by their files. Kept for all objects: the one
    that found it is replaced by another. A driver that is loaded anew has other folders."""

    def __init__(self) -> None:
        self._watch = Watch(VENDOR, _can_tell)
        self._problems: tuple[str, ...] = ()
        self._meters: tuple[_Meter, ...] = ()
        self._unread: tuple[Channel, ...] = ()
        self._dials: tuple[tuple[Card, Dial], ...] = ()
        self._throttles: tuple[tuple[Card, _Throttle], ...] = ()
        self._loads: tuple[tuple[Card, Gauge, GtLoad], ...] = ()

    def probe(self) -> Probe:
        """Look for discrete cards that count their energy."""
        self._watch.begin()
        found = [meter for card in self._watch.awake for meter in _meters(card)]
        self._meters = tuple(m for m in found if m.counter.file not in self._disbelieved)
        lying = [meter for meter in found if meter not in self._meters]
        self._unread = tuple(_unread(m.channel) for m in lying if m.channel.role is Role.PART)
        self._problems = ()
        if found or self._watch.asleep:
            words = [self._why_disbelieved(meter) for meter in lying]
            if labels := ", ".join(meter.channel.label for meter in self._meters):
                words.append(f"Reading {labels}.")
            words += [
                f"Intel GPU {card.number} is asleep: it is read once something wakes it."
                for card in self._watch.asleep
            ]
            words += [
                kept_awake(f"Intel GPU {card.number}")
                for card in self._watch.awake
                if card.may_sleep()
            ]
            retry_s = None if found else LOOK_S
            return Probe(self.name, ProbeState.AVAILABLE, " ".join(words), retry_s=retry_s)
        here = cards(VENDOR)
        if not here:
            reason = "There is no Intel GPU."
            if not has_sysfs():
                reason = "Intel GPUs are read on Linux only."
        elif all(INTEGRATED.fullmatch(card.address) for card in here):
            reason = (
                "The Intel GPU is part of the processor. What it draws is inside the processor's "
                "package: counted wherever that is, and missing where the processor is modelled."
            )
        else:
            reason = (
                "There is an Intel graphics card, but its driver shows no energy counter. The "
                "driver i915 does since Linux 6.2, xe since 6.8."
            )
        return Probe(self.name, ProbeState.ABSENT, reason)

    def open(self) -> tuple[Channel, ...]:
        """Return a channel for each counter of the cards that :meth:`probe` found awake.

        In the place of one that is not believed stands a part that is never read.
        """
        return (*(meter.channel for meter in self._meters), *self._unread)

    def read(self) -> list[Reading]:
        """Read every counter of the cards that are awake, in joules.

        :raises OSError: if none of them works, or the source is to be opened anew because a card
          has woken or fallen asleep, or a counter says more than its card ever draws
        """
        self._watch.look(time.monotonic())
        readings, problems, awake = [], [], 0
        for meter in self._meters:
            now_s = time.monotonic()
            if meter.card.is_asleep():
                meter.counter.rest()
                continue
            awake += 1
            counter_j = meter.counter.read_j(now_s)
            if counter_j is not None:
                meter.limit.add(now_s, counter_j)
                if meter.limit.found:
                    self._disbelieved[meter.counter.file] = meter.limit.found
                    withdrawn = [meter.channel.key]
                    raise OpenAnew(meter.limit.found.rstrip("."), withdrawn)
                readings.append(Reading(meter.channel.key, now_s, counter_j=counter_j))
            elif problem := _problem(meter, now_s):
                problems.append(problem)
        self._problems = tuple(problems)
        if problems and len(problems) == awake:
            raise OSError(problems[0])
        return readings

    def remarks(self) -> tuple[str, ...]:
        """Say which counter does not work beside others that do. From any thread."""
        return tuple(f"{problem}." for problem in self._problems)

    def _why_disbelieved(self, meter: _Meter) -> str:
        words = [self._disbelieved[meter.counter.file], TAKEN_BACK]
        return " ".join([*words, MISSING] if meter.channel.role is Role.PART else words)

    def has_left(self, channel: Channel) -> bool:
        """Say whether a card sleeps, or is not in the machine any more."""
        return has_left(channel.device)

    def gauges(self) -> tuple[Gauge, ...]:
        """Return load, temperature, clock and throttling of each card, as far as they are told."""
        here = self._watch.awake
        self._dials = tuple((card, dial) for card in here for dial in _dials(card))
        self._throttles = tuple((card, each) for card in here for each in _throttle(card))
        self._loads = tuple(
            (card, _gauge(card, Quantity.UTILISATION, "load"), load)
            for card in here
            if (load := GtLoad(card))
        )
        return (
            *(gauge for _, gauge, _ in self._loads),
            *(dial.gauge for _, dial in self._dials),
            *(throttle.gauge for _, throttle in self._throttles),
        )

    def read_gauges(self) -> list[GaugeReading]:
        """Read the gauges of every card that is awake."""
        now_s = time.monotonic()
        awake = [dial for card, dial in self._dials if not card.is_asleep()]
        readings = read_dials(awake, now_s)
        for card, gauge, load in self._loads:
            percent = None if card.is_asleep() else load.read(now_s)
            if percent is not None:
                readings.append(GaugeReading(gauge.key, now_s, percent))
        for card, throttle in self._throttles:
            status = None if card.is_asleep() else read_int(throttle.status)
            if status is not None:
                why = [name for name, file in throttle.reasons.items() if read_int(file)]
                note = ", ".join(why) if status else ""
                readings.append(GaugeReading(throttle.gauge.key, now_s, float(bool(status)), note))
        return readings

    def close(self) -> None:
        """Nothing is held open."""


def _can_tell(card: Card) -> bool:
    """Whether a card has counters; none is read, which would wake it."""
    return any(True for _ in _meters(card))


def _problem(meter: _Meter, now_s: float) -> str:
    """Say why a counter gave no reading; nothing if it has only not been refreshed yet."""
    if read_int(meter.counter.file) is None:
        return f"{meter.channel.label}: its energy counter cannot be read any more"
    if meter.counter.is_frozen(now_s):
        return f"{meter.channel.label}: its energy counter stands still"
    return ""


def _meters(card: Card) -> Iterator[_Meter]:
    """Find the counters of a card: one part, and what is inside that."""
    monitors = card.monitors()
    if "xe" in monitors:
        yield from _xe_meters(card, monitors["xe"])
    for name, monitor in monitors.items():
        counter = monitor / "energy1_input"
        gt = re.fullmatch(r"i915_(gt\d+)", name)
        if counter.exists() and (gt or name == "i915"):
            yield _meter(card, counter, gt[1] if gt else "")


def _xe_meters(card: Card, monitor: Path) -> Iterator[_Meter]:
    counters = {}
    for file in sorted(monitor.glob("energy*_input")):
        number = int(re.sub(r"\D", "", file.name))
        label = read_text(file.with_name(f"energy{number}_label"))
        counters[label or XE_LABELS.get(number, f"energy{number}")] = file
    # Of the older cards xe counts the package only, which is then the best there is.
    part = WHOLE_CARD if WHOLE_CARD in counters else PACKAGE
    for label, file in counters.items():
        yield _meter(card, file, "" if label == WHOLE_CARD else label, is_part=label == part)


def _meter(card: Card, file: Path, inner: str, is_part: bool | None = None) -> _Meter:
    """Make a meter.

    :param inner: what of the card is counted; empty for the whole of it
    :param is_part: whether it is added to the total; unless given, if it is the whole
    """
    role = Role.PART if (not inner if is_part is None else is_part) else Role.INSIDE
    words = {PACKAGE: " package"}.get(inner, f" {inner.upper()}" if inner else "")
    channel = Channel(
        key=f"intelgpu:{card.address}:{inner}" if inner else f"intelgpu:{card.address}",
        label=f"Intel GPU {card.number}{words}",
        domain=Domain.GPU,
        device=card.address,
        kind=Kind.COUNTER,
        role=role,
        period_s=PERIOD_S,
        step_j=STEP_J,
        accuracy=accuracy_of("intelgpu"),
    )
    # A GT may be switched off while the card is awake; the card itself never is.
    counter = EnergyCounter(file, may_rest=role is Role.INSIDE)
    return _Meter(card, channel, counter, Limit(channel, file))


def _unread(part: Channel) -> Channel:
    """Return what stands for a card whose counter is not believed."""
    return replace(part, key=part.key + UNREAD)


def _gauge(card: Card, quantity: Quantity, word: str) -> Gauge:
    return Gauge(
        key=f"intelgpu:{card.address}:{quantity}",
        label=f"Intel GPU {card.number} {word}",
        quantity=quantity,
        domain=Domain.GPU,
        device=card.address,
    )


def _gts(card: Card) -> list[Path]:
    """Return the folders of a card's first GT as i915 and xe lay them out, as far as there.

    i915: ``cardN/gt/gt0`` (intel_gt_sysfs.c). xe: ``device/tile0/gt0/freq0`` (xe_gt_freq.c).
    """
    folders = [card.folder / "gt/gt0", card.device / "tile0/gt0/freq0"]
    return [folder for folder in folders if folder.is_dir()]


def _dials(card: Card) -> Iterator[Dial]:
    monitors = card.monitors()
    monitor = monitors.get("xe") or monitors.get("i915")
    if monitor:
        file = labelled(monitor, "temp", PACKAGE) or monitor / "temp1_input"
        if file.exists():
            yield Dial(_gauge(card, Quantity.TEMPERATURE, "temperature"), file, 1e3)
    # The clock it has, not the one it was asked for.
    files = [gt / name for gt in _gts(card) for name in ("rps_act_freq_mhz", "act_freq")]
    clock = next(filter(Path.exists, [*files, card.folder / "gt_act_freq_mhz"]), None)
    if clock:
        yield Dial(_gauge(card, Quantity.CLOCK, "clock"), clock)


def _throttle(card: Card) -> Iterator[_Throttle]:
    """Find the throttle files: ``throttle_reason_*`` of i915, ``throttle/reason_*`` of xe."""
    for gt in _gts(card):
        for status, prefix in (
            (gt / "throttle_reason_status", "throttle_reason_"),
            (gt / "throttle/status", "reason_"),
        ):
            if status.exists():
                reasons = {
                    file.name.removeprefix(prefix).replace("_", " "): file
                    for file in sorted(status.parent.glob(f"{prefix}*"))
                    if file != status
                }
                gauge = _gauge(card, Quantity.THROTTLE, "throttling")
                yield _Throttle(gauge, status, reasons)
                return
