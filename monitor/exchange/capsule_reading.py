"""Capsules read again, each mistake in them told in a sentence."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np

from monitor.bench.replay import read_replayed
from monitor.carbon.intensity import Zone
from monitor.energy.account import Bill, Line, Phase
from monitor.energy.interval import Interval
from monitor.engine.messages import ChatMessage
from monitor.exchange.capsule import BENCHMARK, FORM, QUERY
from monitor.exchange.gauge_reading import gauges_of
from monitor.exchange.intake import SETTINGS, Arrival, Machine, ModelFile, Origin
from monitor.exchange.node import Node
from monitor.exchange.notes_reading import notes_of
from monitor.power.channel import Accuracy, Channel, Domain, Kind, Role
from monitor.power.curve import Curve
from monitor.store.curves import StoredTrace, encode_trace
from monitor.store.records import ModelRecord, QueryRecord, Seconds, Status, Tokens


@dataclass(frozen=True, slots=True)
class QueryCapsule:
    """A query with all that is needed to keep it or to put it again.

    :param messages: what the model was given
    """

    record: QueryRecord
    origin: Origin
    messages: tuple[ChatMessage, ...]
    trace: StoredTrace | None

    def arrival(self) -> Arrival:
        """Return it as it is taken into a history."""
        blob = encode_trace(self.trace, 0.0) if self.trace else None
        return Arrival(self.record, self.origin, blob)


@dataclass(frozen=True, slots=True)
class BenchmarkCapsule:
    """A benchmark, as :func:`monitor.bench.replay.read_replayed` takes it."""

    document: Mapping[str, Any]

    @property
    def title(self) -> str:
        """The suite's title."""
        return str(self.document["title"])


def read_capsule(path: Path) -> QueryCapsule | BenchmarkCapsule:
    """Read and check a capsule.

    :raises ExchangeError: if it is none, of a later version, changed, or lacks something
    """
    node = FORM.read(path)
    kind = node.text("kind")
    if kind == QUERY:
        return _query_capsule(node)
    if kind == BENCHMARK:
        return _benchmark_capsule(node)
    raise node.problem(f"“kind” should be {QUERY} or {BENCHMARK}, and is “{kind}”")


def _benchmark_capsule(node: Node) -> BenchmarkCapsule:
    read_replayed(node)
    node.text("title")
    for run in node.parts("runs"):
        _bill(run.part("bill"))
        _trace(run.optional_part("trace"))
    return BenchmarkCapsule(node.value)


def _query_capsule(node: Node) -> QueryCapsule:
    record, origin = query_of(node)
    messages = [
        ChatMessage(turn.text("role"), turn.text("content")) for turn in node.parts("messages")
    ]
    if not messages:
        raise node.problem("its “messages” are empty")
    return QueryCapsule(record, origin, tuple(messages), _trace(node.optional_part("trace")))


def query_of(node: Node) -> tuple[QueryRecord, Origin]:
    """Read a query with its bill, and where it ran."""
    query = node.part("query")
    bill = _bill(node.part("bill"))
    model = query.optional_part("model")
    origin = Origin(
        machine=_machine(node.part("machine")),
        day=_date(query, "day"),
        model_file=_model_file(model) if model else None,
        intensity_source=node.text("intensity_source"),
        note=query.text("note"),
        tags=query.texts("tags"),
    )
    return _record(node, query, model, bill), origin


def _record(node: Node, query: Node, model: Node | None, bill: Bill) -> QueryRecord:
    tokens, seconds = query.part("tokens"), query.part("seconds")
    status = query.choice("status", Status)
    if status is Status.RUNNING:
        raise query.problem("it is still running")
    return QueryRecord(
        id=query.text("id"),
        kind=query.text("kind"),
        status=status,
        error=query.optional_text("error"),
        started_at=moment_of(query, "started_at"),
        model=_model(model) if model else None,
        settings=_settings(query.part("settings")),
        system=query.text("system"),
        prompt=query.text("prompt"),
        text=query.text("text"),
        finish_reason=query.optional_text("finish_reason"),
        tokens=Tokens(**{name: tokens.whole(name) for name in Tokens.__dataclass_fields__}),
        seconds=Seconds(
            **{
                name: seconds.optional_number(name)
                for name in Seconds.__dataclass_fields__
                if name in seconds.value or name != "thinking"  # earlier versions did not tell
            }
        ),
        bill=bill,
        zone=_zone(node.optional_part("zone")),
        pue=max(node.number("pue"), 1.0),
        gauges=gauges_of(query),
        notes=notes_of(query),
        # Earlier capsules did not tell.
        thinking_j=node.optional_number("thinking_j") if "thinking_j" in node.value else None,
        shared=_shared(query.part("beside")) if "beside" in query.value else None,
    )


def _shared(beside: Node) -> float | None:
    share = beside.optional_number("another_llamawatt_share")
    if share is not None and share > 1:
        raise beside.problem("“another_llamawatt_share” should be 0 to 1")
    return share or None


def _model(model: Node) -> ModelRecord:
    return ModelRecord(
        name=model.text("name"),
        path=model.text("path"),
        sha256=model.text("sha256"),
        architecture=model.optional_text("architecture"),
        parameters=model.optional_whole("parameters") or 0,
        quantisation=model.optional_text("quantisation"),
    )


def _model_file(model: Node) -> ModelFile:
    return ModelFile(
        size_bytes=model.optional_whole("size_bytes"),
        context_length=model.optional_whole("context_length"),
        licence=model.optional_text("licence"),
    )


def _settings(settings: Node) -> dict[str, Any]:
    """Settings and sampling, the seed among them; ``null`` is "not known"."""
    found: dict[str, Any] = {}
    for name in SETTINGS:
        if name == "llama_cpp":
            found[name] = settings.optional_text(name) or None
        elif name in ("temperature", "top_p", "min_p", "repeat_penalty"):
            found[name] = settings.optional_number(name)
        else:
            found[name] = settings.optional_whole(name, least=-1)
    return {
        **found,
        "stop": list(settings.texts("stop")),
        "seed": settings.optional_whole("seed"),
        "system": settings.optional_text("system"),
    }


def _zone(zone: Node | None) -> Zone | None:
    if zone is None:
        return None
    return Zone(zone.text("code"), zone.text("name"), zone.whole("year"), zone.number("g_per_kwh"))


def _machine(machine: Node) -> Machine:
    return Machine(
        id=machine.text("id"),
        name=machine.text("name"),
        system=machine.optional_text("system"),
        processor=machine.optional_text("processor"),
        threads=machine.optional_whole("threads"),
        memory_bytes=machine.optional_whole("memory_bytes"),
    )


def _bill(bill: Node) -> Bill:
    channels = [_channel(channel) for channel in bill.parts("channels")]
    lines = [_line(line, channels) for line in bill.parts("lines")]
    if len({(line.channel, line.phase) for line in lines}) < len(lines):
        raise bill.problem("a channel has two lines for one phase")
    return Bill(tuple(lines), bill.whole("method"))


def _line(line: Node, channels: list[Channel]) -> Line:
    place, coverage, energy = line.whole("channel"), line.number("coverage"), None
    if place >= len(channels):
        raise line.problem(f"there is no channel {place}")
    if coverage > 1:
        raise line.problem("“coverage” should be 0 to 1")
    if joules := line.optional_part("energy"):
        energy = Interval(**{name: joules.number(name) for name in Interval.__dataclass_fields__})
    return Line(
        channel=channels[place],
        phase=line.text("phase"),
        energy=energy,
        mean_w=line.optional_number("mean_w"),
        peak_w=line.optional_number("peak_w"),
        samples=line.whole("samples"),
        coverage=coverage,
        duration_s=line.number("duration_s"),
        resolved=line.truth("resolved"),
    )


def _channel(channel: Node) -> Channel:
    accuracy = channel.part("accuracy")
    return Channel(
        key=channel.text("key"),
        label=channel.text("label"),
        domain=channel.choice("domain", Domain),
        device=channel.text("device"),
        kind=channel.choice("kind", Kind),
        role=channel.choice("role", Role),
        period_s=channel.number("period_s"),
        step_j=channel.number("step_j"),
        accuracy=Accuracy(
            accuracy.number("below"),
            accuracy.number("above"),
            accuracy.number("offset_w"),
            accuracy.text("source"),
        ),
        range_j=channel.optional_number("range_j"),
        # Capsules of earlier versions do not tell it.
        noise_w=channel.number("noise_w") if "noise_w" in channel.value else 0.0,
    )


def _trace(trace: Node | None) -> StoredTrace | None:
    if trace is None:
        return None
    phases = []
    for phase in trace.parts("phases"):
        # A load may begin before what the curve's clock starts with.
        start_s, end_s = (phase.signed(name) for name in ("start_s", "end_s"))
        phases.append(Phase(phase.text("name"), start_s, end_s))
    curves = {curve.text("key"): _curve(curve) for curve in trace.parts("curves")}
    step_s = trace.optional_number("step_s") if "step_s" in trace.value else None
    return StoredTrace(curves, tuple(phases), step_s)


def _curve(curve: Node) -> Curve:
    names = ["time_s", "energy_j", "power_w", "gap"]
    if "sketched" in curve.value:  # earlier versions did not tell
        names.append("sketched")
    columns = {name: np.array(curve.numbers(name)) for name in names}
    if len({len(column) for column in columns.values()}) > 1:
        raise curve.problem("its columns are not of one length")
    time_s, energy_j, gap = (columns[name] for name in ("time_s", "energy_j", "gap"))
    if np.isnan(time_s).any() or np.isnan(energy_j).any() or np.isnan(gap).any():
        raise curve.problem("times, energies and gaps are always known")
    if (np.diff(time_s) < 0).any():
        raise curve.problem("its times go back")
    sketched = columns.get("sketched")
    if sketched is not None and not np.isin(sketched, (0, 1)).all():
        raise curve.problem("“sketched” should be 0 or 1 for each reading")
    return Curve(
        time_s,
        energy_j,
        columns["power_w"],
        gap.astype(np.uint8),
        None if sketched is None else sketched.astype(bool),
    )


def moment_of(node: Node, name: str) -> str:
    """Read a time that tells its zone, ISO 8601."""
    text = node.text(name)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise node.problem(f"“{name}” should be a time, and is “{text}”") from None
    if moment.tzinfo is None:
        raise node.problem(f"“{name}” should tell its time zone")
    return text


def _date(node: Node, name: str) -> str:
    text = node.text(name)
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise node.problem(f"“{name}” should be a date, and is “{text}”") from None
