"""A recording and its figures in words."""

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

from desktop.theme import idle
from desktop.theme.bill import unresolved_words, when_words
from desktop.theme.doubts import notes_text
from desktop.watch.clock import clock
from monitor import figures
from monitor.bill_words import lacks_memory, total_words
from monitor.energy.baseline import above_idle_words
from monitor.energy.notes import Notes
from monitor.energy.parts import is_lower_bound
from monitor.recorded import WELL_READ, Cost, Recording, State
from monitor.recording_forms import span_name

TEXTS = (
    QT_TRANSLATE_NOOP("Watch", "before the first mark"),
    QT_TRANSLATE_NOOP("Watch", "Mark %1"),
    QT_TRANSLATE_NOOP("Watch", "Recording of %1"),
    QT_TRANSLATE_NOOP("Watch", "interrupted"),
    QT_TRANSLATE_NOOP("Watch", "not measured"),
    QT_TRANSLATE_NOOP("Watch", "mean %1"),
    QT_TRANSLATE_NOOP("Watch", "read for %1 of the time"),
    QT_TRANSLATE_NOOP("Watch", "; the Sensors page measures one"),
    QT_TRANSLATE_NOOP("Watch", "Memory (DRAM) is not measured here and not in the total."),
)
"""What :func:`translate` is asked for, where Qt's tools look for it."""


def translate(text: str) -> str:
    """Return a text of this module in the window's language."""
    return QCoreApplication.translate("Watch", text)


def title_of(recording: Recording) -> str:
    """Return what a recording is called: its name, or when it was."""
    when = when_words(recording.started_at)
    return recording.name or translate("Recording of %1").replace("%1", when)


def part_words(number: int, name: str) -> str:
    """Name the part that begins with a mark; see :func:`span_name`."""
    return span_name(number, name, translate)


def detail_of(recording: Recording) -> str:
    """Say when a recording was, how long, and what it cost."""
    parts = [when_words(recording.started_at)] if recording.name else []
    parts += [clock(recording.duration_s), total_words(recording.bill)]
    if recording.state is State.INTERRUPTED:
        parts.append(translate("interrupted"))
    return " · ".join(parts)


def energy_words(cost: Cost, with_mean: bool = True) -> str:
    """Write a span's joules with their interval, its mean watts, and its CO2.

    :param with_mean: whether there is room for the watts
    """
    total = cost.bill.total()
    if total.energy is None:
        return translate("not measured")
    parts = [f"{total_words(cost.bill)} {figures.bounds(total.energy)}"]
    if total.coverage < WELL_READ:
        parts.append(
            translate("read for %1 of the time").replace("%1", figures.percent(total.coverage))
        )
    elif with_mean and cost.mean_w is not None:
        mean = figures.marked(total.kind, figures.power(cost.mean_w))
        parts.append(translate("mean %1").replace("%1", mean))
    parts += unresolved_words(cost.bill)
    if cost.footprint:
        grams = figures.at_least(figures.mass(cost.footprint.grams), is_lower_bound(cost.bill))
        parts.append(f"{grams} CO₂e")
    return " · ".join(parts)


def notes_of(cost: Cost, notes: Notes) -> str:
    """Say what a span drew above idle, what its grams were reckoned with, what is left out, and
    what is to be said of its sensors.

    :param notes: of the span
    """
    total, lines = cost.bill.total(), []
    if total.energy:
        facts = [above_idle_words(cost.above, total.kind, idle.translate)]
        if cost.above is None:
            facts[0] += translate("; the Sensors page measures one")
        if carbon := cost.footprint:
            facts.append(f"{carbon.intensity_g_per_kwh:g} g/kWh ({carbon.zone} {carbon.year})")
        lines.append(" · ".join(facts))
        if lacks_memory(cost.bill):
            lines.append(translate("Memory (DRAM) is not measured here and not in the total."))
    return "\n".join((*lines, *filter(None, [notes_text(notes)])))
