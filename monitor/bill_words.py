"""What is said of a query and its bill in words, in the window and on a terminal alike."""

from collections.abc import Callable

from monitor import figures
from monitor.energy.account import Bill
from monitor.energy.baseline import AboveIdle, above_idle_brief, above_idle_words
from monitor.energy.parts import is_lower_bound, is_too_short, partly_read, silent_parts
from monitor.power import memory
from monitor.power.channel import Kind
from monitor.store.records import QueryRecord, Status

LEGEND = "● counted  ◐ integrated  ○ modelled"

UNREAD = "%1 was not read: it was at least this."

PARTLY_READ = "%1 was read for %2 of the time: it was at least this."

SILENT = "%1 was silent throughout: what it drew is reckoned from its readings before and after."


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
        parts += unresolved_words(record.bill, translate)
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


def unresolved_words(bill: Bill, translate: Callable[[str], str] = str) -> list[str]:
    """Say in a few words each why a total is not resolved; nothing where it is, or not known.

    :param translate: for the window's language
    """
    words = [translate("too short to resolve")] if is_too_short(bill) else []
    if silent_parts(bill):
        words.append(translate("a sensor was silent throughout"))
    return words


def unread_notes(bill: Bill, translate: Callable[[str], str] = str) -> list[str]:
    """Say which parts a total lacks, and which were silent, a sentence each.

    Nothing is said where nothing was measured.

    :param translate: for the window's language
    """
    notes = []
    for line in partly_read(bill) if is_lower_bound(bill) else ():
        text = translate(PARTLY_READ if line.energy else UNREAD).replace("%1", line.channel.label)
        notes.append(text.replace("%2", figures.percent(line.coverage)))
    silent = (line.channel.label for line in silent_parts(bill))
    return notes + [translate(SILENT).replace("%1", label) for label in silent]


def lacks_memory(bill: Bill) -> bool:
    """Whether the bill's total leaves memory out because nothing measures it here.

    A bill without a line, of what ended before it was first billed, does not tell what is measured.
    """
    return bool(bill.lines) and memory.lacks_memory(line.channel for line in bill.lines)


def idle_words(above: AboveIdle | None, kind: Kind | None) -> str:
    """Say what was drawn above idle, or which command has it known from then on."""
    words = above_idle_words(above, kind)
    return words if above else f"{words}; `llamawatt baseline` measures one"


def no_footprint(record: QueryRecord, translate: Callable[[str], str] = str) -> str:
    """Say why nothing is known of a query's emissions.

    :param translate: for the window's language
    """
    if record.bill.total().energy is None:
        return translate("no energy was measured")
    if record.zone is None:
        return translate("it was reckoned with no zone")
    return translate("there is no figure of the grid of %1").replace("%1", record.zone.code)
