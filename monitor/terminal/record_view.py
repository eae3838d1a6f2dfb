"""A query and its bill on a terminal."""

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from monitor import figures
from monitor.bill_words import (
    LEGEND,
    idle_words,
    lacks_memory,
    no_footprint,
    total_words,
    unread_notes,
)
from monitor.carbon.footprint import Footprint
from monitor.clock import local_second
from monitor.energy.account import LOAD, Bill, Line
from monitor.energy.beside import Beside
from monitor.energy.interval import Interval
from monitor.energy.notes import Notes
from monitor.energy.parts import is_lower_bound
from monitor.energy.wall import AtTheWall, wall_words
from monitor.gauge_report import device_words, throttle_words
from monitor.power.channel import Role
from monitor.store.records import QueryRecord
from monitor.terminal.jointed_cell import FIGURES, PATH, JointedCell
from monitor.terminal.plain_table import make_table


def record_view(record: QueryRecord, wall: AtTheWall | None = None) -> RenderableType:
    """Draw one query: what it was run with, its bill, then question and answer.

    :param wall: what it came to at the wall, if that can be told
    """
    model, seconds, tokens = record.model, record.seconds, record.tokens
    facts = make_table("", "")
    facts.show_header = False
    facts.add_row("id", record.id)
    facts.add_row("started", local_second(record.started_at))
    facts.add_row("status", f"{record.status} {escape(record.error)}".strip())
    if model:
        facts.add_row("model", escape(f"{model.name} {model.quantisation}"))
        facts.add_row("file", JointedCell(model.path, PATH))
    reused = f" ({tokens.reused} reused)" if tokens.reused else ""
    within = "stopped within " if record.fresh_tokens is None else ""
    facts.add_row(
        "prefill",
        f"{within}{tokens.prompt} tokens{reused} in {figures.duration(seconds.prefill)}",
    )
    facts.add_row(
        "decode",
        f"{tokens.completion} tokens in {figures.duration(seconds.decode)}, "
        f"{figures.rate(record.tokens_per_s)}",
    )
    carbon = record.footprint
    if carbon:
        facts.add_row("emissions", footprint_line(carbon, is_lower_bound(record.bill)))
    else:
        facts.add_row("emissions", Text(f"not known: {no_footprint(record)}", style="yellow"))
    if record.embodied_g is not None:
        share = f"{figures.mass(record.embodied_g)} CO₂e, the hardware's share beside them"
        facts.add_row("embodied", share)
    total = record.bill.total()
    if total.energy:
        facts.add_row("idle", idle_words(record.above_idle, total.kind))
    for name, words in device_words(record.gauges):
        facts.add_row(escape(name), escape(words))
    for words in throttle_words(record.gauges):
        facts.add_row("throttled", Text(words, style="yellow"))
    at_the_wall = [Text(wall_words(wall))] if wall else []
    return Group(
        facts, Text(), bill_table(record.bill), *note_lines(record.notes),
        *beside_lines(record.beside), *at_the_wall, Text(),
        Text(record.prompt, style="bold"), Text(), Text(record.text),
    )  # fmt: skip


def bill_table(bill: Bill) -> RenderableType:
    """Draw a bill: a row for each channel, then the total of the parts."""
    table = make_table(
        "", "energy", "95 % interval", "mean", "peak", "read",
        right=("energy", "95 % interval", "mean", "peak", "read"),
    )  # fmt: skip
    for column in table.columns:
        column.no_wrap = column.header not in ("", "95 % interval")
    for line in bill.by_channel():
        _add_line(table, line)
    total = bill.total()
    table.add_row(
        "total of the parts",
        total_words(bill),
        _interval(total.energy),
        "",
        "",
        figures.percent(total.coverage),
        style="bold",
    )
    load = bill.total(LOAD)
    if load.energy:
        table.add_row(
            "loading the model, beside it",
            figures.marked(load.kind, figures.energy(load.energy.joules)),
            _interval(load.energy),
            style="dim",
        )
    notes = [Text(LEGEND, style="dim")]
    notes += [Text(note, style="yellow") for note in unread_notes(bill)]
    if lacks_memory(bill):
        notes.append(Text("Memory (DRAM) is not measured here and not in the total.", style="dim"))
    return Group(table, *notes)


def _add_line(table: Table, line: Line) -> None:
    channel = line.channel
    note = {Role.PART: "", Role.INSIDE: " (inside)", Role.WHOLE: " (cross-check)"}[channel.role]
    table.add_row(
        escape(channel.label + note),
        figures.marked(channel.kind, figures.energy(line.joules)),
        _interval(line.energy),
        figures.marked(channel.kind, figures.power(line.mean_w)),
        figures.marked(channel.kind, figures.power(line.peak_w)),
        figures.percent(line.coverage),
        style="" if channel.role is Role.PART else "dim",
    )


def _interval(energy: Interval | None) -> JointedCell:
    return JointedCell(figures.bounds(energy).strip("()"), FIGURES)


def footprint_line(carbon: Footprint, is_partial: bool = False) -> RenderableType:
    """Write emissions with what they were reckoned with.

    :param is_partial: whether they are of a total that lacks a part
    """
    pue = f", PUE {carbon.pue:g}" if carbon.pue != 1 else ""
    grams = figures.at_least(figures.mass(carbon.grams), is_partial)
    return Text(
        f"{grams} CO₂e at {carbon.intensity_g_per_kwh:g} g/kWh "
        f"({carbon.zone} {carbon.year}, {carbon.source}{pue})"
    )


def note_lines(notes: Notes) -> list[Text]:
    """Return what is to be said beside a bill, as lines to stand under it."""
    return [Text(words, style="yellow") for words in notes.words()]


def beside_lines(beside: Beside) -> list[Text]:
    """Return who else computed meanwhile, as lines to stand under a bill."""
    return [Text(words, style="yellow") for words in beside.words()]
