"""What is to be said beside a bill of what was just read: what is doubtful, what was not read."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from monitor import figures
from monitor.energy.account import Bill
from monitor.energy.notes import Notes, Unread
from monitor.energy.parts import partly_read
from monitor.power.channel import Channel, Probe, ProbeState
from monitor.power.curve import Curve, Gap
from monitor.power.known import Rest
from monitor.power.sampler import Sampler
from monitor.recorded import WELL_READ

GAPS = {
    Gap.MISSED: "it did not answer",
    Gap.RESET: "its counter, or its source, started again",
    Gap.AMBIGUOUS: "so long unread that its counter may have wrapped more than once",
    Gap.IMPLAUSIBLE: "its readings were not possible",
    Gap.ASLEEP: "the machine was suspended",
    Gap.LEFT: "it was taken away, or fell asleep",
}


def notes_of(sampler: Sampler, bill: Bill, start_s: float, end_s: float) -> Notes:
    """Return what is to be said of a bill of what a sampler has just read.

    That a battery is not read on mains is no news, and not said of a time that was all on mains.

    :param start_s: monotonic, as ``end_s``: the time that was billed
    """
    probes, lines = sampler.probes(are_kept=True), bill.by_channel()
    billed = {line.channel.key for line in lines}
    return Notes(
        tuple(doubt for probe in probes for doubt in probe.doubts if doubt.key in billed),
        tuple(
            Unread(
                line.channel.key,
                line.channel.label,
                line.coverage,
                _reason(sampler, probes, line.channel, start_s, end_s),
            )
            for line in lines
            if line.coverage < WELL_READ and not _rested(sampler, line.channel, start_s, end_s)
        ),
    )


def _rested(sampler: Sampler, channel: Channel, start_s: float, end_s: float) -> bool:
    """Whether a channel had nothing to tell all the time, by its source's own word."""
    return any(rest.covers(start_s, end_s) for rest in sampler.rests_of(channel))


def query_notes(sampler: Sampler, bill: Bill, start_s: float, end_s: float) -> Notes:
    """Return the same of a query: of what was not read only the parts that its total lacks.

    A few hundredths of a short answer are missing often.
    """
    notes = notes_of(sampler, bill, start_s, end_s)
    lacking = {line.channel.key for line in partly_read(bill)}
    return replace(notes, unread=tuple(each for each in notes.unread if each.key in lacking))


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
    reasons = [f"first after {figures.duration(late_s)}"] if late_s > 0 else []
    reasons += _gap_reasons(curve, sampler.rests_of(channel))
    if early_s > 0:
        reasons.append(f"not in the last {figures.duration(early_s)}")
    return "; ".join(reasons)


def _gap_reasons(curve: Curve, rests: Sequence[Rest]) -> list[str]:
    """Say why there are gaps between some readings, each reason once.

    What is before the first of them is told otherwise.
    """
    after = np.flatnonzero(curve.gap[1:]) + 1
    reasons = (
        _gap_reason(Gap(curve.gap[at]), curve.time_s[at - 1], curve.time_s[at], rests)
        for at in after
    )
    return list(dict.fromkeys(reasons))


def _gap_reason(gap: Gap, start_s: float, end_s: float, rests: Sequence[Rest]) -> str:
    at_rest = (each.reason for each in rests if each.touches(start_s, end_s))
    return next(at_rest, GAPS[gap]) if gap is Gap.MISSED else GAPS[gap]
