"""What a power reading is: the vocabulary shared by sources, sampler, trace and bill."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum


class Kind(StrEnum):
    """Where a joule came from. Never blurred: stored with every figure and shown beside it."""

    COUNTER = "counter"
    """The sensor counts energy itself; a window is the difference of two readings."""
    POWER = "power"
    """The sensor gives watts; energy is their integral over time."""
    MODELLED = "modelled"
    """No sensor: watts are computed from load and nominal figures."""

    @property
    def weakness(self) -> int:
        """0 for the strongest kind; a sum of parts is as weak as its weakest part."""
        return list(Kind).index(self)


class Role(StrEnum):
    """How a channel relates to the total."""

    PART = "part"
    """Added to the total."""
    INSIDE = "inside"
    """Contained in a part: shown, never added."""
    WHOLE = "whole"
    """Around parts: the machine, or a module around its GPU. A cross-check, never added."""


class Domain(StrEnum):
    """What draws the power."""

    CPU = "cpu"
    DRAM = "dram"
    GPU = "gpu"
    SOC = "soc"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How far the truth may lie from a sensor's reading, at 95 %.

    The truth is taken to lie between ``reading x (1 - below) - offset_w`` and
    ``reading x (1 + above) + offset_w``. This is the systematic part of an interval; what the
    sampling adds at the ends of a window is found from the trace.

    :param below: fraction of the reading, 0 to 1
    :param above: fraction of the reading
    :param offset_w: watts that do not grow with the reading
    :param source: where the figures come from
    """

    below: float
    above: float
    offset_w: float
    source: str


@dataclass(frozen=True, slots=True)
class Channel:
    """One stream of watts or joules.

    :param key: unique on this machine, ``source:device``, for example ``rapl:package-0``
    :param label: what a person reads
    :param domain: what draws the power
    :param device: which one of the domain; a measured part replaces a modelled one of the
      same domain and device
    :param kind: counter, power or modelled
    :param role: part, inside or whole
    :param period_s: the sensor's own refresh period; reading faster gives nothing new
    :param step_j: the smallest increment of the counter, 0 where there is none
    :param accuracy: the systematic uncertainty
    :param range_j: the counter returns to zero after this many joules; ``None`` if it does not
    :param noise_w: standard deviation of watts from one refresh to the next while the machine
      rests, as this machine's self-test found it; 0 where it is not known, and for counters
    :param least_period_s: what no self-test makes ``period_s`` shorter than: watts that are a mean
      over so long tell of that time however often they are renewed, and a counter was seen to
      move no sooner as it was opened; 0 where ``period_s`` is only usual. Not stored
    """

    key: str
    label: str
    domain: Domain
    device: str
    kind: Kind
    role: Role
    period_s: float
    step_j: float
    accuracy: Accuracy
    range_j: float | None = None
    noise_w: float = 0.0
    least_period_s: float = field(default=0.0, compare=False)

    @property
    def billed_as(self) -> tuple[str, Role]:
        """What lines are joined by: what was read as a part and later within one stays apart."""
        return self.key, self.role

    @property
    def is_machine(self) -> bool:
        """Whether it reads the whole machine, and not one device with what is around it."""
        return self.role is Role.WHOLE and self.domain is Domain.SYSTEM


@dataclass(slots=True)
class Reading:
    """What a channel said at one moment. ``None`` means it did not say, never zero.

    Not to be changed, but not frozen: hundreds are made each second, and that costs a frozen one
    five times as much.

    :param key: the channel's key
    :param time_s: ``time.monotonic()`` of the reading
    :param counter_j: the energy counter, as read (not unwrapped)
    :param power_w: instantaneous watts; where a channel has a counter as well, the counter
      makes the bill and the watts make the curve
    """

    key: str
    time_s: float
    counter_j: float | None = None
    power_w: float | None = None


class ProbeState(StrEnum):
    """Whether a source can be read here."""

    AVAILABLE = "available"
    DENIED = "denied"
    ABSENT = "absent"
    SILENT = "silent"
    """It ought to answer and does not: it hangs, fails, or was read before and is gone. The
    sampler says so; no source says it of itself."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a channel's figures may be wrong although it is read.

    :param key: the channel's key
    :param text: a sentence or two that a person understands, in English, with %1, %2 … in it
    :param arguments: what stands for these: names and figures, the same in every language
    """

    key: str
    text: str
    arguments: tuple[str, ...] = ()

    def words(self, translate: Callable[[str], str] = str) -> str:
        """Return it as a person reads it.

        :param translate: for the window's language
        """
        words = translate(self.text)
        for number, argument in enumerate(self.arguments, start=1):
            words = words.replace(f"%{number}", argument)
        return words


@dataclass(frozen=True, slots=True)
class Probe:
    """A source's answer to "can you measure here?".

    :param source: the source's name
    :param state: available, denied, absent or silent
    :param reason: one sentence a person understands
    :param mend: what would make it available, exactly; empty when nothing is to be mended
    :param retry_s: a source that is not available now is probed again after so many seconds, as a
      sleeping GPU or a plug that is off may be back by then; ``None`` if that would not help
    :param doubts: what was found of its channels since the program started, the last of each
    """

    source: str
    state: ProbeState
    reason: str
    mend: str = ""
    retry_s: float | None = None
    doubts: tuple[Doubt, ...] = ()

    @property
    def doubt(self) -> str:
        """All that is doubtful, in English; empty if nothing is."""
        return " ".join(doubt.words() for doubt in self.doubts)


class OpenAnew(OSError):
    """Raised by a source that works, but on other devices or counters than it should by now.

    It is closed, probed and opened again at once: a fault would be waited out for seconds, which
    are a gap in what its other devices draw.

    :param reason: half a sentence for the log
    :param withdrawn: the keys of channels that never told what they seemed to: what was read of
      them is forgotten
    """

    def __init__(self, reason: str, withdrawn: Iterable[str] = ()) -> None:
        super().__init__(reason)
        self.withdrawn = frozenset(withdrawn)


def is_model_of(model: Channel, measured: Channel) -> bool:
    """Whether one channel models what another measures: its device, or the socket that is in."""
    domains = {model.domain, Domain.SOC} if model.domain is Domain.CPU else {model.domain}
    return (
        model.kind is Kind.MODELLED
        and measured.kind is not Kind.MODELLED
        and model.role is measured.role is Role.PART
        and model.device == measured.device
        and measured.domain in domains
    )


def is_within(package: Channel, socket: Channel) -> bool:
    """Whether one channel measures a processor's package, and another the whole it lies in."""
    return (
        package.kind is not Kind.MODELLED
        and socket.kind is not Kind.MODELLED
        and package.role is socket.role is Role.PART
        and (package.domain, socket.domain) == (Domain.CPU, Domain.SOC)
        and package.device == socket.device
    )


def counted(channels: tuple[Channel, ...]) -> tuple[Channel, ...]:
    """Return the channels as they stand to each other: no joule is in two parts.

    A measured part replaces the modelled one of its domain and device. A ``soc`` part contains
    the processor package of its device: a measured package is then ``inside`` it, a modelled one
    is left out. Memory is outside the socket a ``soc`` reading is of, and stays a part.

    :param channels: every channel the sources opened
    :return: the same, in the same order, without what a measurement replaces
    """
    standing = []
    for channel in channels:
        # What most are is looked at first: each with each other would be hundreds of pairs.
        if channel.kind is Kind.MODELLED and any(is_model_of(channel, c) for c in channels):
            continue
        if channel.domain is Domain.CPU and any(is_within(channel, c) for c in channels):
            channel = replace(channel, role=Role.INSIDE)
        standing.append(channel)
    return tuple(standing)
