"""What is to be said beside the bill of a watch: what is doubtful in it, and what was not read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from monitor.energy.account import Bill
from monitor.power.channel import Channel, Doubt, Probe, ProbeState
from monitor.power.sampler import Sampler
from monitor.power.window import Gap
from monitor.recorded import WELL_READ

GAPS = {
    Gap.MISSED: "it did not answer",
    Gap.RESET: "its counter, or its source, started again",
    Gap.AMBIGUOUS: "so long unread that its counter may have wrapped more than once",
    Gap.IMPLAUSIBLE: "its readings were not possible",
    Gap.ASLEEP: "the machine was suspended",
}


@dataclass(frozen=True, slots=True)
class Unread:
    """A channel that was not read for some of the time.

    :param coverage: the share of the time that was read, 0 to 1
    :param reason: why, as far as it is known; "" if it is not
    """

    channel: Channel
    coverage: float
    reason: str

    def words(self) -> str:
        """Say it in a sentence."""
        share = f"{self.channel.label} was "
        share += f"read {self.coverage:.0%} of the time" if self.coverage else "not read"
        return f"{share}: {self.reason.rstrip('.')}." if self.reason else f"{share}."


@dataclass(frozen=True, slots=True)
class Notes:
    """What a bill cannot say itself."""

    doubts: tuple[Doubt, ...]
    unread: tuple[Unread, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as the commands tell it."""
        return {
            "doubts": [{"channel": each.key, "text": each.words()} for each in self.doubts],
            "unread": [
                {"channel": each.channel.key, "coverage": each.coverage, "reason": each.reason}
                for each in self.unread
            ],
        }

    def under(self, view: RenderableType) -> RenderableType:
        """Put it under a bill."""
        words = [each.words() for each in self.doubts]
        words += [each.words() for each in self.unread]
        return Group(view, *(Text(each, style="yellow") for each in words))


def notes_of(sampler: Sampler, bill: Bill, start_s: float, end_s: float) -> Notes:
    """Return what is to be said of a bill of what a sampler has just read.

    :param start_s: monotonic, as ``end_s``: the time that was billed
    """
    probes, lines = sampler.probes(), bill.by_channel()
    billed = {line.channel.key for line in lines}
    return Notes(
        tuple(doubt for probe in probes for doubt in probe.doubts if doubt.key in billed),
        tuple(
            Unread(
                line.channel,
                line.coverage,
                _reason(sampler, probes, line.channel, start_s, end_s),
            )
            for line in lines
            if line.coverage < WELL_READ
        ),
    )


def _reason(
    sampler: Sampler, probes: Sequence[Probe], channel: Channel, start_s: float, end_s: float
) -> str:
    """Say why a channel was not read: what its source says while it is silent, else its gaps."""
    own = (p for p in probes if f"{channel.key}:".startswith(f"{p.source}:"))
    probe = next(own, None)
    if probe and probe.state is not ProbeState.AVAILABLE:
        return probe.reason
    latest = sampler.trace.latest(channel.key)
    if latest is None or latest[0] < start_s:
        return probe.reason if probe else ""
    curve = sampler.trace.curve(channel.key, start_s, end_s)
    late_s, early_s = curve.time_s[0] - start_s, end_s - curve.time_s[-1]
    reasons = [f"first after {late_s:.1f} s"] if late_s > 0 else []
    # What is before the first of these readings is before the time, or has just been told.
    reasons += dict.fromkeys(GAPS[Gap(gap)] for gap in curve.gap[1:].tolist() if gap != Gap.NONE)
    if early_s > 0:
        reasons.append(f"not in the last {early_s:.1f} s")
    return "; ".join(reasons)
