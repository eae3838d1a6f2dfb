"""One NVIDIA GPU as NVML shows it: which joules and watts it tells, and how they are read.

The *part* is the card: its energy counter (Volta and later), else its watts. Where a counter is
given up for the watts, these have a key of their own: no joule then passes for one of another kind,
and what was counted stays counted. Where the driver tells them apart by scope, the watts of the
card's memory lie *inside* the part, and those of the module (a Grace processor with its GPU on one
board) contain it: that is a cross-check of role *whole*, since adding it would count the GPU twice,
and the processor too where it is measured. It is of the GPU's domain and device, as the machine may
hold other modules, cards and memory beside. See the NVML API reference, nvmlDeviceQueries,
nvmlFieldValueEnums (185, 186) and nvmlPowerScopeType_t.

Asking for the counter waits in the driver for the card's own processor, for milliseconds in which
this one is kept busy: 4.4 ms on an H200 at rest, 6.2 ms at work, against 0.03 ms for all watts
(driver 580, tests/recorded/h200.py). A *glance* therefore leaves it out.

Built and tested against a compiled stand-in, and against what that H200 told; this module itself
has not been run on hardware yet.
"""

import time
from dataclasses import dataclass, field, replace
from typing import Any

import pynvml

from monitor.power.accuracy import accuracy_of
from monitor.power.channel import Channel, Domain, Doubt, Kind, Reading, Role
from monitor.power.crosscheck import CrossCheck, is_plausible
from monitor.power.gauge import Gauge
from monitor.power.nvml.fields import ENERGY, GONE, Field, Fields
from monitor.power.nvml.gauges import gauges_of
from monitor.power.rapl.counter import Pulse
from monitor.power.refreshes import REPEATED

PERIOD_S = 0.1
"""Power and energy are refreshed every 20 to 100 ms, by card (arXiv 2312.02741, table 2)."""

AVERAGED_S = 1.0
"""Averaged watts are a mean over so long (nvmlFieldValueEnums, NVML_FI_DEV_POWER_AVERAGE)."""

STEP_J = 0.001
"""The energy counter is in whole millijoules."""

GA100, GH100 = (8, 0), (9, 0)
"""CUDA compute capabilities of the chips of A100, A30, H100, H200 (CUDA programming guide)."""

SAMPLED_QUARTER = (GA100, GH100)
"""Chips whose power sensor looks at a quarter of the time (arXiv 2312.02741, section 4.3)."""

COUNTED_WHOLE = (GH100,)
"""Of these those whose counter does not: on an H200 it counts bursts of 20 and 50 ms as it counts
those of 0.2 s, while its watts take them for nothing or for twice as much (driver 580; bursts of
three kinds, tests/recorded/h200.py)."""

STILL_S = REPEATED * PERIOD_S
"""A counter that stands still for so long is not told of, or a stopped one would be 0 W, counted:
even an idle card draws watts, thousands of steps a refresh. Should it go on after all, the trace
joins the readings."""

LONGEST_FOLLOWED_S = 0.6
"""A counter that has not moved twice, and as the watts say, in so long is broken."""

AT_ODDS = (
    "%1: its energy counter and its watts disagree, %2 J against %3 J over %4 s. "
    "The counter is billed."
)
"""The text of a :class:`Doubt`: the card, what was counted, what was integrated, and how long."""

GPU = pynvml.NVML_POWER_SCOPE_GPU
MODULE = pynvml.NVML_POWER_SCOPE_MODULE
MEMORY = pynvml.NVML_POWER_SCOPE_MEMORY


def _fields(scope: int) -> list[Field]:
    """Power fields of a scope, the better one first: instantaneous, then averaged watts."""
    return [(pynvml.NVML_FI_DEV_POWER_INSTANT, scope), (pynvml.NVML_FI_DEV_POWER_AVERAGE, scope)]


@dataclass(slots=True)
class Gpu:
    """A GPU that is read.

    :param handle: NVML's; it changes when NVML is started anew
    :param name: what it is called in labels, ``GPU 0``
    :param part: its channel
    :param fields: the power field of each channel that has one, by the channel's key
    :param glanced_at: those fields, which cost little
    :param asked: the same, and last the energy counter if it is a field as well
    :param has_usage: whether the part's watts are asked for by the older call, for want of a field
    :param beside: its other channels, inside it or around it
    :param gauges: what else it tells
    :param notes: what a person should know of it, a sentence each
    :param check: compares its counter with its watts, where it has both
    :param lost: why it does not answer; empty while it does
    :param stands: whether its counter stood still when it was last read
    :param pulse: for how long its counter has stood still
    """

    handle: Any
    name: str
    part: Channel
    fields: dict[str, Field]
    glanced_at: Fields
    asked: Fields
    has_usage: bool
    beside: tuple[Channel, ...]
    gauges: tuple[Gauge, ...]
    notes: tuple[str, ...]
    check: CrossCheck | None
    lost: str = ""
    stands: bool = False
    pulse: Pulse = field(default_factory=Pulse)

    @property
    def channels(self) -> tuple[Channel, ...]:
        """All its channels, the part first."""
        return (self.part, *self.beside)

    def read(self) -> list[Reading]:
        """Read every channel; one that does not answer is left out, as is a counter that stands.

        :raises pynvml.NVMLError: if the part does not answer
        """
        told_w, counter_j = self._told(self.asked)
        # Last, as it is what is billed: the calls before it may take milliseconds.
        if counter_j is None and self.part.kind is Kind.COUNTER:
            counter_j = pynvml.nvmlDeviceGetTotalEnergyConsumption(self.handle) / 1e3
        now_s = time.monotonic()
        power_w = told_w.pop(self.part.key, None)
        if counter_j is None and power_w is None:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NO_DATA)
        part = Reading(self.part.key, now_s, counter_j, power_w)
        if self.check:
            self.check.add(part)
        if counter_j is not None:
            self.stands = self.pulse.still_s(counter_j, now_s) >= STILL_S
        if self.stands:
            part = replace(part, counter_j=None)
        return [part, *(Reading(key, now_s, power_w=watts) for key, watts in told_w.items())]

    def glance(self) -> list[Reading]:
        """Read the watts of every channel that tells them.

        :raises pynvml.NVMLError: if the GPU is gone
        """
        told_w, _ = self._told(self.glanced_at)
        now_s = time.monotonic()
        readings = [Reading(key, now_s, power_w=watts) for key, watts in told_w.items()]
        if self.check:
            self.check.glance(now_s, told_w.get(self.part.key))
        return readings

    @property
    def is_broken(self) -> bool:
        """Whether its counter has been found to be none."""
        return bool(self.check and self.check.disagreement and self.check.disagreement.broken)

    def miss(self) -> None:
        """Note that it did not answer."""
        if self.check:
            self.check.miss()

    def _told(self, fields: Fields) -> tuple[dict[str, float], float | None]:
        """Watts by channel, and joules if these are asked for; what is not told is left out."""
        told: dict[Field, float] = {}
        usage_w = None
        try:
            told = fields.ask(self.handle)
            usage_w = _usage_w(self.handle) if self.has_usage else None
        except pynvml.NVMLError as error:
            if error.value in GONE:
                raise
        told_w = {key: told[field] for key, field in self.fields.items() if field in told}
        if usage_w is not None:
            told_w[self.part.key] = usage_w
        return told_w, told.get(ENERGY)

    def remarks(self) -> tuple[str, ...]:
        """Say whether it answers, in a sentence if it does not."""
        if not self.lost:
            return ()
        return (f"{self.name} does not answer ({self.lost}); it is asked again.",)

    def doubts(self) -> tuple[Doubt, ...]:
        """Say whether its counter is at odds with its watts."""
        if not self.check or not self.check.disagreement:
            return ()
        found = self.check.disagreement
        amounts = (found.counted_j, found.integrated_j, found.seconds)
        told = (self.name, *(f"{amount:.0f}" for amount in amounts))
        return (Doubt(self.part.key, AT_ODDS, told),)


def open_gpu(index: int, handle: Any, check_s: float) -> Gpu | None:
    """Find out what one GPU tells.

    :param index: NVML's number of it
    :param check_s: how long a stretch its counter is compared with its watts over
    :return: ``None`` if it tells neither energy nor power
    :raises pynvml.NVMLError: if it does not answer at all
    """
    uuid = str(pynvml.nvmlDeviceGetUUID(handle))
    model = str(pynvml.nvmlDeviceGetName(handle)).removeprefix("NVIDIA ")
    name = f"GPU {index}"
    offered = _offered(handle)
    has_usage = GPU not in offered and _tells_usage(handle)
    counts = _counter_j(handle) is not None
    if not counts and not has_usage and GPU not in offered:
        return None
    notes = []
    key = base = f"nvml:{uuid}"
    if counts and not _counter_follows(handle, offered.get(GPU), has_usage):
        counts, key = False, f"{base}:watts"
        notes.append(
            f"The energy counter of {name} does not follow its watts, which are integrated instead."
        )
    label = f"{name} {model}"
    if _is_divided(handle):
        label += " (whole card, MIG)"
        notes.append(
            f"{name} is divided by MIG: its power is that of the whole card, whichever of its "
            "instances a program runs in."
        )
    part, power_period_s = _part(handle, key, uuid, label, counts, offered.get(GPU))
    beside = _beside(uuid, name, offered)
    keys = {GPU: key, MEMORY: f"{base}:memory", MODULE: f"{base}:module"}
    fields = {keys[scope]: field for scope, field in offered.items()}
    # Beside watts that need a call of their own it would save none, and not be asked for last.
    energy = [ENERGY] if counts and GPU in offered and _is_field(handle) else []
    return Gpu(
        handle=handle,
        name=name,
        part=part,
        fields=fields,
        glanced_at=Fields(list(fields.values())),
        asked=Fields([*fields.values(), *energy]),
        has_usage=has_usage,
        beside=beside,
        gauges=gauges_of(handle, name, uuid),
        notes=tuple(notes),
        check=CrossCheck(part, power_period_s, check_s) if counts else None,
    )


def _part(
    handle: Any, key: str, uuid: str, label: str, counts: bool, field: Field | None
) -> tuple[Channel, float]:
    """Return the channel of the card, and over how long its watts reach back."""
    chip = _capability(handle)
    averaged = chip > GA100 if field is None else _is_mean(field)
    power_period_s = AVERAGED_S if averaged else PERIOD_S
    is_sampled = chip in SAMPLED_QUARTER and not (counts and chip in COUNTED_WHOLE)
    channel = Channel(
        key=key,
        label=label,
        domain=Domain.GPU,
        device=uuid,
        kind=Kind.COUNTER if counts else Kind.POWER,
        role=Role.PART,
        period_s=PERIOD_S if counts else power_period_s,
        least_period_s=AVERAGED_S if averaged and not counts else 0.0,
        step_j=STEP_J if counts else 0.0,
        accuracy=accuracy_of("nvml.sampled_quarter" if is_sampled else "nvml"),
    )
    return channel, power_period_s


def _is_mean(field: Field) -> bool:
    return bool(field[0] == pynvml.NVML_FI_DEV_POWER_AVERAGE)


def _beside(uuid: str, name: str, offered: dict[int, Field]) -> tuple[Channel, ...]:
    """Return the channels inside the card and around it."""
    kinds = {
        MEMORY: ("memory", f"{name} memory", Role.INSIDE),
        MODULE: ("module", f"{name} module, with its processor", Role.WHOLE),
    }
    return tuple(
        Channel(
            key=f"nvml:{uuid}:{word}",
            label=label,
            domain=Domain.GPU,
            device=uuid,
            kind=Kind.POWER,
            role=role,
            period_s=AVERAGED_S if _is_mean(offered[scope]) else PERIOD_S,
            least_period_s=AVERAGED_S if _is_mean(offered[scope]) else 0.0,
            step_j=0.0,
            accuracy=accuracy_of(f"nvml.{word}"),
        )
        for scope, (word, label, role) in kinds.items()
        if scope in offered
    )


def _offered(handle: Any) -> dict[int, Field]:
    """Return the better power field of each scope that the driver really tells apart."""
    fields = [field for scope in (GPU, MEMORY, MODULE) for field in _fields(scope)]
    try:
        told = Fields(fields).ask(handle)
    except pynvml.NVMLError:
        return {}
    offered: dict[int, Field] = {}
    for number, scope in fields:
        watts, card_w = told.get((number, scope)), told.get((number, GPU))
        if watts is None or scope in offered:
            continue
        # A driver older than the scopes ignores them and tells the card's watts for each.
        if scope == MEMORY and not (card_w and watts < card_w):
            continue
        if scope == MODULE and not (card_w and watts > card_w):
            continue
        offered[scope] = (number, scope)
    return offered


def _usage_w(handle: Any) -> float | None:
    return float(pynvml.nvmlDeviceGetPowerUsage(handle)) / 1e3 or None


def _tells_usage(handle: Any) -> bool:
    try:
        return _usage_w(handle) is not None
    except pynvml.NVMLError:
        return False


def _counter_j(handle: Any) -> float | None:
    try:
        return float(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1e3
    except pynvml.NVMLError:
        return None


def _is_field(handle: Any) -> bool:
    """Whether the energy counter is a field as well: the same one, between two other looks."""
    try:
        looks_j = (_counter_j(handle), Fields([ENERGY]).ask(handle).get(ENERGY), _counter_j(handle))
    except pynvml.NVMLError:
        return False
    told_j = [look_j for look_j in looks_j if look_j is not None]
    return len(told_j) == len(looks_j) and sorted(told_j) == told_j


def _counter_follows(handle: Any, field: Field | None, has_usage: bool) -> bool:
    """Whether the counter advances as watts of that order make it do.

    It is followed over two of its own steps, a fifth of a second at most on a card that works.
    Where no watts are told it is believed.
    """
    began_w = _now_w(handle, field, has_usage)
    if not began_w:
        return True
    steps: list[tuple[float, float]] = []
    until_s = time.monotonic() + LONGEST_FOLLOWED_S
    last_j = _counter_j(handle)
    while time.monotonic() < until_s:
        time.sleep(0.005)
        counter_j = _counter_j(handle)
        if counter_j is None or counter_j == last_j:
            continue
        last_j = counter_j
        steps.append((time.monotonic(), counter_j))
        dt_s, moved_j = steps[-1][0] - steps[0][0], counter_j - steps[0][1]
        watts = (began_w, _now_w(handle, field, has_usage) or began_w)
        if len(steps) > 1 and any(is_plausible(moved_j, power_w * dt_s) for power_w in watts):
            return True
    return False


def _now_w(handle: Any, field: Field | None, has_usage: bool) -> float | None:
    try:
        if field:
            return Fields([field]).ask(handle).get(field)
        return _usage_w(handle) if has_usage else None
    except pynvml.NVMLError:
        return None


def _capability(handle: Any) -> tuple[int, int]:
    """Return the CUDA compute capability, (0, 0) if it is not told."""
    try:
        major, minor = pynvml.nvmlDeviceGetCudaComputeCapability(handle)
    except pynvml.NVMLError:
        return (0, 0)
    return int(major), int(minor)


def _is_divided(handle: Any) -> bool:
    try:
        current, _ = pynvml.nvmlDeviceGetMigMode(handle)
    except pynvml.NVMLError:
        return False
    return bool(current == pynvml.NVML_DEVICE_MIG_ENABLE)
