"""What gauges told, read again from a query's document."""

from monitor.exchange.node import Node
from monitor.power.channel import Domain
from monitor.power.gauge import Gauge, GaugeLine, GaugeSummary, Quantity


def gauges_of(query: Node) -> tuple[GaugeLine, ...]:
    """Return the lines of a query; none where it is of a version that did not tell."""
    if "gauges" not in query.value:
        return ()
    return tuple(map(_line, query.parts("gauges")))


def _line(line: Node) -> GaugeLine:
    gauge = Gauge(
        key=line.text("key"),
        label=line.text("label"),
        quantity=line.choice("quantity", Quantity),
        domain=line.choice("domain", Domain),
        device=line.text("device"),
        capacity=line.optional_number("capacity"),
    )
    mean, low, high = (line.signed(name) for name in ("mean", "low", "high"))
    samples = line.whole("samples", least=1)
    if not low <= high:
        raise line.problem("its “low” is above its “high”")
    return GaugeLine(gauge, GaugeSummary(mean, low, high, samples, line.texts("notes")))
