"""The power curve of what was computed, packed to be stored with it."""

from collections.abc import Iterable, Sequence

from monitor.energy.account import Phase
from monitor.energy.standing import billed_curves
from monitor.power.channel import Channel
from monitor.power.trace import Trace
from monitor.store.curves import StoredTrace, encode_trace

TRACE_MARGIN_S = 1.0
"""A stored curve begins this long before what it shows and ends this long after its last reading,
as far as there are readings, so that the level before it can be seen."""


def pack_curve(
    trace: Trace, channels: Iterable[Channel], phases: Sequence[Phase], end_s: float
) -> bytes | None:
    """Pack readings around some phases, of every channel these are billed by.

    :param channels: those that are there now
    :param phases: in their order
    :param end_s: monotonic time of the end
    :return: ``None`` if there are no phases
    """
    if not phases:
        return None
    start_s = phases[0].start_s
    spans = [(phase.start_s, phase.end_s) for phase in phases]
    around = (start_s - TRACE_MARGIN_S, end_s + TRACE_MARGIN_S)
    curves = billed_curves(trace, channels, spans, around)
    return encode_trace(StoredTrace(curves, tuple(phases)), start_s)
