"""Recordings as JSON and CSV, and on a terminal."""

import csv
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.text import Text

from monitor import figures, forms
from monitor.bill_words import idle_words, total_words, unresolved_words
from monitor.clock import local_minute, local_second
from monitor.energy.parts import is_lower_bound, is_too_short
from monitor.exchange.files import new_file
from monitor.power.curve import Gap
from monitor.recorded import Cost, Recorded, Recording, State, spans
from monitor.terminal.plain_table import make_table, times_note
from monitor.terminal.record_view import bill_table, footprint_line, note_lines

CSV_COLUMNS = (
    "time_utc",
    "seconds",
    "channel",
    "label",
    "kind",
    "role",
    "power_w",
    "energy_j",
    "gap",
    "mark",
)
"""Of a curve's file: a row a reading, and a row a mark. ``energy_j`` adds up from the channel's
first row on; ``gap`` says why the time before a reading carries no energy, "" where it does."""

UNRESOLVED = (
    "Too short to resolve: it lasted fewer than ten refreshes, or readings, of a sensor. Watch for "
    "longer."
)


def cost_json(cost: Cost, billed_at: datetime | None = None) -> dict[str, Any]:
    """Return what a span cost in the form every command shares.

    :param billed_at: when it ended, with a time zone; now unless given
    """
    return {
        "seconds": cost.end_s - cost.start_s,
        "energy": forms.energy_json(cost.bill, cost.above, billed_at),
        "co2": forms.footprint_json(cost.footprint),
    }


def recording_json(recording: Recording, recorded: Recorded | None = None) -> dict[str, Any]:
    """Return a recording.

    :param recorded: with it the bills between its marks are told as well
    """
    ended = recording.ended
    return {
        "id": recording.id,
        "name": recording.name,
        "note": recording.note,
        "state": str(recording.state),
        "started_at": recording.started_at,
        "method": recording.bill.method,
        "marks": [{"seconds": mark.at_s, "name": mark.name} for mark in recording.marks],
        **cost_json(recording.cost, ended),
        **recording.notes.to_json(),
        "spans": recorded
        and [
            {
                "name": span.name,
                "start_s": span.start_s,
                "end_s": span.end_s,
                **cost_json(recorded.cost(span.start_s, span.end_s), ended),
            }
            for span in spans(recording)
        ],
    }


def write_csv(recorded: Recorded, file: TextIO) -> int:
    """Write a curve, a row a reading in the order of time; return the number of rows.

    :param file: open for writing, with ``newline=""``
    """
    recording = recorded.recording
    rows: list[tuple[float, tuple[str, ...]]] = [
        (mark.at_s, ("", "", "", "", "", "", "", mark.name or f"Mark {number}"))
        for number, mark in enumerate(recording.marks, start=1)
    ]
    curves = recorded.billed()
    for channel in recording.channels:
        curve = curves.get(channel.key)
        if curve is None:
            continue
        told = (channel.key, channel.label, str(channel.kind), str(channel.role))
        from_first_j = curve.energy_j - curve.energy_j[:1]
        readings = zip(curve.time_s, curve.power_w, from_first_j, curve.gap, strict=True)
        for number, (time_s, power_w, energy_j, gap) in enumerate(readings):
            watts = "" if power_w != power_w else f"{power_w:.2f}"
            # The first reading has nothing before it; it is where the curve begins, no gap.
            why = "" if gap == Gap.NONE or number == 0 else Gap(gap).name.lower()
            rows.append((float(time_s), (*told, watts, f"{energy_j:.3f}", why, "")))
    rows.sort(key=lambda row: row[0])
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for at_s, cells in rows:
        moment = recorded.moment(at_s).isoformat(timespec="milliseconds")
        writer.writerow([moment, f"{at_s:.4f}", *cells])
    return len(rows)


def write_recording(recorded: Recorded, path: Path, force: bool = False) -> None:
    """Write a recording's curve as CSV, or its bills as JSON if that is how the file is called.

    :param force: whether a file of that name may be replaced
    :raises ExchangeError: if it cannot be written
    """
    with new_file(path, force) as file:
        if path.suffix.lower() == ".json":
            document = recording_json(recorded.recording, recorded)
            json.dump(document, file, indent=2, ensure_ascii=False)
            file.write("\n")
        else:
            write_csv(recorded, file)


# --- for people --------------------------------------------------------------------------


def span_name(number: int, name: str, translate: Callable[[str], str] = str) -> str:
    """Name a part of a recording by the mark it begins with.

    :param number: of the mark, from 1; 0 for what is before the first
    :param translate: for the window's language
    """
    if number == 0:
        return translate("before the first mark")
    return name or translate("Mark %1").replace("%1", str(number))


def recordings_table(recordings: Sequence[Recording]) -> RenderableType:
    """Draw recordings, each on a line."""
    table = make_table(
        "id", "when", "name", "length", "energy", "CO₂e", "marks",
        right=("length", "energy", "CO₂e", "marks"),
    )  # fmt: skip
    for recording in recordings:
        bill, carbon = recording.bill, recording.cost.footprint
        grams = figures.mass(carbon.grams if carbon else None)
        state = "" if recording.state is State.DONE else f"[{recording.state}] "
        table.add_row(
            recording.id[-8:],
            local_minute(recording.started_at),
            escape(state + recording.name),
            figures.duration(recording.duration_s),
            total_words(bill),
            figures.at_least(grams, is_lower_bound(bill)),
            str(len(recording.marks)),
        )
    return Group(table, times_note(each.started_at for each in recordings))


def cost_view(cost: Cost) -> RenderableType:
    """Draw a bill with what it comes to above idle, and in grams."""
    parts = [bill_table(cost.bill)]
    total = cost.bill.total()
    if total.energy:
        if is_too_short(cost.bill):
            parts.append(Text(UNRESOLVED, style="yellow"))
        parts.append(Text(idle_words(cost.above, total.kind)))
    if cost.footprint:
        parts.append(footprint_line(cost.footprint, is_lower_bound(cost.bill)))
    return Group(*parts)


def recording_view(recorded: Recorded) -> RenderableType:
    """Draw a recording: what it is, its bill, and what lies between its marks."""
    recording = recorded.recording
    facts = make_table("", "")
    facts.show_header = False
    facts.add_row("id", recording.id)
    facts.add_row("name", escape(recording.name))
    facts.add_row("started", local_second(recording.started_at))
    facts.add_row("length", f"{figures.duration(recording.duration_s)}, {recording.state}")
    if recording.note:
        facts.add_row("note", escape(recording.note))
    parts: list[RenderableType] = [
        facts,
        Text(),
        cost_view(recording.cost),
        *note_lines(recording.notes),
    ]
    if found := spans(recording):
        table = make_table(
            "between marks", "from", "length", "energy", "95 % interval", "mean", "read", "",
            right=("from", "length", "energy", "95 % interval", "mean", "read"),
        )  # fmt: skip
        for span in found:
            cost = recorded.cost(span.start_s, span.end_s)
            total = cost.bill.total()
            table.add_row(
                escape(span_name(span.number, span.name)),
                figures.duration(span.start_s),
                figures.duration(span.end_s - span.start_s),
                total_words(cost.bill),
                figures.bounds(total.energy).strip("()"),
                figures.marked(total.kind, figures.power(cost.mean_w)),
                figures.percent(total.coverage),
                ", ".join(unresolved_words(cost.bill)),
            )
        parts += [Text(), table]
    return Group(*parts)
