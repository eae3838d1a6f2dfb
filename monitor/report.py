"""Bills, sensors and records on a terminal."""

from collections.abc import Callable, Iterable, Sequence

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from monitor import figures
from monitor.carbon.footprint import Footprint
from monitor.carbon.intensity import Zone
from monitor.clock import local_minute, local_second, zone_words
from monitor.energy.account import LOAD, Bill, Line
from monitor.energy.baseline import AboveIdle, above_idle_brief, above_idle_words
from monitor.energy.beside import Beside
from monitor.energy.notes import Notes
from monitor.energy.parts import is_lower_bound, part_lines, partly_read
from monitor.energy.wall import AtTheWall, wall_words
from monitor.engine.messages import Hello
from monitor.gauge_report import device_words, throttle_words
from monitor.path_cell import PathCell
from monitor.power.channel import Channel, Domain, Kind, Probe, ProbeState, Role
from monitor.store.records import QueryRecord, QueryRow, Status

WIDE = 110
"""Characters from which a terminal has room for every column of the history."""

WHOLE = ("id", "key", "when", "used", "latest")

GAP = 2
"""Characters between two columns."""

LEAST_PROMPT = 12
"""Characters of a prompt by which it can be told from others."""

LEGEND = "● counted  ◐ integrated  ○ modelled"

STATE_STYLES = {
    ProbeState.AVAILABLE: "green",
    ProbeState.DENIED: "yellow",
    ProbeState.ABSENT: "dim",
    ProbeState.SILENT: "yellow",
}

STATUS_STYLES = {Status.DONE: "", Status.RUNNING: "cyan"}


def make_table(*columns: str, right: Sequence[str] = ()) -> Table:
    """Return an empty table of the program's plain style; ``right`` columns are for figures.

    What is copied from it, identifiers and keys, and moments are never broken.
    """
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(
            column,
            justify="right" if column in right else "left",
            overflow="fold",
            no_wrap=column in WHOLE,
        )
    return table


def no_room_note(left_out: Sequence[str]) -> list[Text]:
    """Say what of a table a terminal has no room for; nothing where all of it is shown."""
    if not left_out:
        return []
    them = "them" if left_out[1:] else "it"
    words = f"No room for: {', '.join(left_out)}. A wider terminal or --json shows {them}."
    return [Text(words, style="dim")]


def times_note(moments: Iterable[str]) -> Text:
    """Say which zone the moments of a table are of.

    :param moments: UTC, ISO 8601
    """
    return Text(f"Times are {zone_words(moments)}.", style="dim")


def headline(
    record: QueryRecord, translate: Callable[[str], str] = str, between: str = " · "
) -> str:
    """Say in one line what an answer cost: energy, energy a token, CO2 with its zone, speed.

    :param translate: for the window's language
    """
    total, is_partial = record.bill.total(), is_lower_bound(record.bill)
    if total.energy is None:
        parts = [translate("no energy was measured")]
    else:
        parts = [f"{total_words(record.bill)} {figures.bounds(total.energy)}"]
        if any(line.energy and not line.resolved for line in part_lines(record.bill)):
            parts.append(translate("too short to resolve"))
    if record.above_idle:
        parts.append(above_idle_brief(record.above_idle, total.kind, translate))
    if record.joules_per_token is not None:
        per_token = figures.marked(total.kind, figures.energy(record.joules_per_token))
        per_token = figures.at_least(per_token, is_partial)
        parts.append(translate("%1/token").replace("%1", per_token))
    if carbon := record.footprint:
        grams = figures.at_least(figures.mass(carbon.grams), is_partial)
        parts.append(f"{grams} CO₂e ({carbon.zone} {carbon.year})")
    if record.tokens_per_s is not None:
        parts.append(figures.rate(record.tokens_per_s))
    return between.join(parts)


def ending_note(record: QueryRecord) -> str:
    """Say why an answer is not what one would expect of a finished one; "" if it is."""
    if record.status is not Status.DONE:
        return ""
    if not record.tokens.completion:
        return "The model ended its answer before the first word."
    return {
        "length": "The answer was cut at --max-tokens.",
        "context": "The answer was cut because the context is full; --ctx sets a larger one.",
    }.get(record.finish_reason, "")


def total_words(bill: Bill) -> str:
    """Write a bill's total with its mark, and “≥” where a part of it was not read."""
    total = bill.total()
    energy = figures.marked(total.kind, figures.energy(total.joules))
    return figures.at_least(energy, is_lower_bound(bill))


def unread_notes(bill: Bill, translate: Callable[[str], str] = str) -> list[str]:
    """Say which parts a total lacks, a sentence each; nothing where nothing was measured.

    :param translate: for the window's language
    """
    notes = []
    for line in partly_read(bill) if is_lower_bound(bill) else ():
        text = translate(PARTLY_READ if line.energy else UNREAD).replace("%1", line.channel.label)
        notes.append(text.replace("%2", figures.percent(line.coverage)))
    return notes


UNREAD = "%1 was not read: it was at least this."
PARTLY_READ = "%1 was read for %2 of the time: it was at least this."


def lacks_memory(bill: Bill) -> bool:
    """Whether the bill's total leaves memory out because nothing measures it here.

    What is told of a ``soc`` is the power of the socket: memory in slots lies outside, and where
    memory is on the package, its source has a channel for it.
    """
    return not any(line.channel.domain is Domain.DRAM for line in bill.lines)


def note_lines(notes: Notes) -> list[Text]:
    """Return what is to be said beside a bill, as lines to stand under it."""
    return [Text(words, style="yellow") for words in notes.words()]


def beside_lines(beside: Beside) -> list[Text]:
    """Return who else computed meanwhile, as lines to stand under a bill."""
    return [Text(words, style="yellow") for words in beside.words()]


def bill_table(bill: Bill) -> RenderableType:
    """Draw a bill: a row for each channel, then the total of the parts."""
    table = make_table(
        "", "energy", "95 % interval", "mean", "peak", "read",
        right=("energy", "95 % interval", "mean", "peak", "read"),
    )  # fmt: skip
    for line in bill.by_channel():
        _add_line(table, line)
    total = bill.total()
    table.add_row(
        "total of the parts",
        total_words(bill),
        figures.bounds(total.energy).strip("()"),
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
            figures.bounds(load.energy).strip("()"),
            style="dim",
        )
    notes = [Text(LEGEND, style="dim")]
    notes += [Text(note, style="yellow") for note in unread_notes(bill)]
    if lacks_memory(bill):
        notes.append(Text("Memory (DRAM) is not measured here and not in the total.", style="dim"))
    return Group(table, *notes)


def idle_words(above: AboveIdle | None, kind: Kind | None) -> str:
    """Say what was drawn above idle, or which command has it known from then on."""
    words = above_idle_words(above, kind)
    return words if above else f"{words}; `llamawatt baseline` measures one"


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


def no_footprint(record: QueryRecord, translate: Callable[[str], str] = str) -> str:
    """Say why nothing is known of a query's emissions.

    :param translate: for the window's language
    """
    if record.bill.total().energy is None:
        return translate("no energy was measured")
    if record.zone is None:
        return translate("it was reckoned with no zone")
    return translate("there is no figure of the grid of %1").replace("%1", record.zone.code)


def _add_line(table: Table, line: Line) -> None:
    channel = line.channel
    note = {Role.PART: "", Role.INSIDE: " (inside)", Role.WHOLE: " (cross-check)"}[channel.role]
    table.add_row(
        escape(channel.label + note),
        figures.marked(channel.kind, figures.energy(line.joules)),
        figures.bounds(line.energy).strip("()"),
        figures.marked(channel.kind, figures.power(line.mean_w)),
        figures.marked(channel.kind, figures.power(line.peak_w)),
        figures.percent(line.coverage),
        style="" if channel.role is Role.PART else "dim",
    )


def probes_table(probes: Sequence[Probe]) -> RenderableType:
    """Draw what each source said of itself, with the mend of each one denied."""
    table = make_table("source", "state", "why")
    for probe in probes:
        table.add_row(
            probe.source,
            Text(str(probe.state), style=STATE_STYLES[probe.state]),
            escape(probe.reason + (f"\nMend: {probe.mend}" if probe.mend else ""))
            + (f"\n[yellow]{escape(probe.doubt)}[/]" if probe.doubt else ""),
        )
    return table


def channels_table(channels: Sequence[tuple[Channel, float | None]]) -> RenderableType:
    """Draw the channels in use with their present watts."""
    table = make_table("channel", "power now", "kind", "role", "key", right=("power now",))
    for channel, power_w in channels:
        table.add_row(
            escape(channel.label),
            figures.marked(channel.kind, figures.power(power_w)),
            figures.KIND_WORDS[channel.kind],
            str(channel.role),
            escape(channel.key),
        )
    return table


def rows_table(rows: Sequence[QueryRow], width: int) -> RenderableType:
    """Draw the newest queries, each on one line of a terminal so many characters wide."""
    listed = [_row_cells(row, width >= WIDE) for row in rows]
    widths = {
        name: max(len(name), *(len(cells[name]) for cells in listed)) + GAP
        for name in ROW_COLUMNS
        if name != "prompt"
    }
    left_out = []
    for name in LESSER_COLUMNS:
        if sum(widths.values()) + LEAST_PROMPT <= width:
            break
        del widths[name]
        left_out.append(name)
    room = width - sum(widths.values())
    table = make_table(*widths, "prompt", right=("energy", "CO₂e", "tokens"))
    for column in table.columns:
        column.no_wrap = True
        column.min_width = widths.get(str(column.header), GAP) - GAP
    for row, cells in zip(rows, listed, strict=True):
        shown = [*(cells[name] for name in widths), _cut(cells["prompt"], room)]
        table.add_row(*map(escape, shown), style=STATUS_STYLES.get(row.status, "yellow"))
    notes = [times_note(row.started_at for row in rows)] if "when" in widths else []
    return Group(table, *notes, *no_room_note(left_out))


ROW_COLUMNS = ("id", "when", "model", "energy", "CO₂e", "tokens", "prompt")

LESSER_COLUMNS = ("CO₂e", "tokens", "model", "when")
"""Columns a narrow terminal does without, the first of them first; no other is ever cut."""


def _row_cells(row: QueryRow, is_wide: bool) -> dict[str, str]:
    status = "" if row.status is Status.DONE else f"[{row.status}] "
    status += "[throttled] " if row.throttled else ""
    status += "[busy] " if row.beside else ""
    status += "".join(f"#{tag} " for tag in row.tags)
    energy = figures.marked(row.energy_kind, figures.energy(row.energy_j))
    return {
        "id": row.id[-8:],
        "when": local_minute(row.started_at)[0 if is_wide else 5 :],
        "model": _cut_model(row.model, row.quantisation, 30 if is_wide else 16),
        "energy": figures.at_least(energy, row.partly_read),
        "CO₂e": figures.at_least(figures.mass(row.grams), row.partly_read),
        "tokens": str(row.completion_tokens),
        "prompt": status + " ".join(row.prompt.split()),
    }


def _cut_model(name: str, quantisation: str, length: int) -> str:
    """Write a model within so many characters; quantisations of one can still be told apart."""
    room = max(length - len(quantisation) - 1, 0)
    return f"{_cut(name, room)} {quantisation}".strip() if room else _cut(name, length)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: max(length - 1, 0)].rstrip() + "…"


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
        facts.add_row("file", PathCell(model.path))
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


def sensors_view(
    probes: Sequence[Probe],
    channels: Sequence[tuple[Channel, float | None]],
    hello: Hello | None,
    advice: str | None,
    hint: str = "",
) -> RenderableType:
    """Draw sources, channels, and what llama.cpp can compute on.

    :param advice: how to have llama.cpp use what is idle
    :param hint: what else a person may do about the channels
    """
    engine = "llama.cpp does not start."
    if hello:
        devices = ", ".join(f"{device.name} ({device.description})" for device in hello.devices)
        engine = f"llama-cpp-python {hello.llama_cpp} computes on {devices}."
    parts = [
        probes_table(probes), Text(), channels_table(channels), Text(LEGEND, style="dim"),
        *([Text(hint, style="dim")] if hint else []), Text(), Text(engine),
    ]  # fmt: skip
    return Group(*parts, *([Text(advice, style="yellow")] if advice else []))


def zones_table(zones: Sequence[Zone]) -> RenderableType:
    """Draw zones with their carbon intensity."""
    table = make_table("zone", "", "g CO₂e/kWh", "year", right=("g CO₂e/kWh",))
    for zone in zones:
        table.add_row(zone.code, escape(zone.name), f"{zone.g_per_kwh:g}", str(zone.year))
    sources = "; ".join(dict.fromkeys(zone.source for zone in zones))
    return Group(table, Text(f"Source: {sources}", style="dim"))
