"""A snippet for a Hugging Face model card: the field ``co2_eq_emissions`` and a table.

The field is for the emissions of a model's *training*, in grams (huggingface.co/docs/hub/
model-cards-co2). LlamaWatt measures inference, so the snippet says in its ``source`` and in a
comment that its figure is that of a thousand questions, and leaves ``training_type`` out.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from monitor import figures
from monitor.bill_words import LEGEND
from monitor.carbon.training import Training
from monitor.compare.entries import Entry
from monitor.energy.interval import Interval
from monitor.exchange.benchmark_section import boards_of
from monitor.exchange.files import ExchangeError
from monitor.exchange.provenance import Provenance, provenance
from monitor.exchange.usage import ModelUsage, Usage, asked_of, by_model
from monitor.store.filters import Filter
from monitor.store.history import History
from monitor.totals_report import lacking_notes, per_token_words

LEAST_HASH = 6
"""So many letters of a SHA-256 are enough to name a model."""

COMMENT = (
    "# Meant for training. This is the *use* of the model: a thousand questions, measured.",
    "# If the emissions of its training are known, they belong here instead.",
)

HEADER = ("model", "hardware", "questions", "J/token", "Wh/1,000", "g CO₂e/1,000", "speed")

SCORES = ("test", "model", "score", "J/item", "Wh/1,000 items")


@dataclass(frozen=True, slots=True)
class _Row:
    """One quantisation on one machine."""

    model: ModelUsage
    used: Provenance


def filter_of_model(history: History, text: str) -> Filter:
    """Return the filter of a model's name, or of the beginning of its file's SHA-256.

    :raises ExchangeError: if no stored model is called that, or several begin so
    """
    db = history.store.read()
    names = db.execute("select distinct name from models where name = ? collate nocase", [text])
    if (name := names.fetchone()) is not None:
        return Filter(models=name)
    wanted = text.casefold()
    found = db.execute(
        "select name, quantisation from models where substr(sha256, 1, ?) = ?",
        [len(wanted), wanted],
    ).fetchall()
    if len(wanted) < LEAST_HASH or len(found) != 1:
        listed = ", ".join(history.browse.choices().models[:8]) or "none yet"
        what = "Several models have" if len(found) > 1 else "No stored model has"
        raise ExchangeError(f"{what} the name or SHA-256 “{text}”. There are: {listed}.")
    name, quantisation = found[0]
    return Filter(models=(name,), quantisations=(quantisation or "",))


def model_card(history: History, chosen: Filter) -> str:
    """Return the snippet for the one model of a filter's queries.

    :raises ExchangeError: if there are queries of none, or of several
    """
    models = by_model(history, chosen)
    names = list(dict.fromkeys(model.name for model in models))
    if not names:
        raise ExchangeError("No query of a model is among these; a card needs some.")
    if len(names) > 1:
        raise ExchangeError(
            f"A card is of one model, and these are queries of {len(names)}: "
            f"{', '.join(names[:8])}. Choose one with --model."
        )
    of_model = replace(chosen, models=(names[0],))
    used = provenance(history, of_model)
    training = history.trainings.known().get(names[0])
    emissions = _training_yaml(training) if training else _yaml(asked_of(history, of_model), used)
    lines = [*emissions, ""]
    lines += ["## Energy and emissions of use"]
    if rows := _rows(history, models):
        lines += ["", *_table(HEADER, [_cells(row) for row in rows])]
    if scores := _scores(history, chosen):
        lines += ["", *scores]
    return "\n".join([*lines, "", *_notes(used, asked_of(history, of_model))]) + "\n"


def _rows(history: History, models: Sequence[ModelUsage]) -> list[_Row]:
    """Return each quantisation by itself, and each machine by itself."""
    found = []
    for model in models:
        for machine in provenance(history, model.chosen).machines:
            chosen = replace(model.chosen, machines=(machine.id,))
            asked = asked_of(history, chosen)
            if asked.totals.measured:
                used = provenance(history, chosen)
                found.append(_Row(replace(model, asked=asked, chosen=chosen), used))
    return found


def _training_yaml(training: Training) -> list[str]:
    """Write the metadata block as it is meant: the grams of the model's training."""
    return [
        "---",
        "co2_eq_emissions:",
        f"  emissions: {training.grams:.0f}",
        f"  source: {json.dumps(training.source, ensure_ascii=False)}",
        "---",
    ]


def _yaml(usage: Usage, used: Provenance) -> list[str]:
    """Write the metadata block of a model whose training is not known; texts as JSON, which YAML
    includes."""
    grams = usage.grams_per_1000
    if grams is None:
        return ["<!-- No question was measured: there is no co2_eq_emissions to state. -->"]
    zones = ", ".join(dict.fromkeys(each.zone for each in used.intensities))
    source = "LlamaWatt: inference, not training; grams of CO2-equivalent for 1,000 questions"
    if usage.totals.has_least_means:
        source += "; at least so many, as not every part was read"
    return [
        "---",
        *COMMENT,
        "co2_eq_emissions:",
        f"  emissions: {grams:.4g}",
        f"  source: {json.dumps(source, ensure_ascii=False)}",
        f"  geographical_location: {json.dumps(zones, ensure_ascii=False)}",
        f"  hardware_used: {json.dumps(used.hardware(), ensure_ascii=False)}",
        "---",
    ]


def _cells(row: _Row) -> tuple[str, ...]:
    usage, totals = row.model.asked, row.model.asked.totals
    per_token, wh = usage.per_token, usage.wh_per_1000
    token = per_token_words(totals, figures.joules)
    hours = figures.UNKNOWN
    if wh:
        interval = f"({figures.significant(wh.low_j)}–{figures.significant(wh.high_j)})"
        hours = usage.least_mean(figures.marked(totals.kind, figures.significant(wh.joules)))
        hours = f"{hours} {interval}"
    return (
        row.model.title,
        row.used.hardware() or figures.UNKNOWN,
        f"{totals.measured:,}",
        f"{token} {_ends(per_token)}".strip(),
        hours,
        usage.least_mean(figures.grams(usage.grams_per_1000)),
        figures.rate(totals.tokens_per_s),
    )


def _ends(energy: Interval | None) -> str:
    return f"({figures.span_in_joules(energy.low_j, energy.high_j)})" if energy else ""


def _scores(history: History, chosen: Filter) -> list[str]:
    rows = [
        _score_cells(board.exam.title, entry)
        for board in boards_of(history, chosen)
        for entry in board.entries
    ]
    return _table(SCORES, rows) if rows else []


def _score_cells(title: str, entry: Entry) -> tuple[str, ...]:
    score, item, wh = entry.score, entry.per_item, entry.wh_per_1000
    kind = item.kind if item else None
    interval = f"({100 * score.low:.1f}–{100 * score.high:.1f})"
    is_least = item is not None and item.is_lower_bound
    energy = figures.marked(kind, figures.joules(item.energy.joules if item else None))
    thousand = figures.marked(kind, figures.significant(wh.joules) if wh else figures.UNKNOWN)
    return (
        title,
        entry.name,
        f"{100 * score.value:.1f} % {interval}",
        f"{figures.at_least(energy, is_least)} {_ends(item.energy if item else None)}".strip(),
        figures.at_least(thousand, is_least),
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(_plain(cell) for cell in cells) + " |"

    return [line(header), line(["---"] * len(header)), *(line(row) for row in rows)]


def _plain(text: str) -> str:
    """Keep a text from being taken for Markdown or HTML."""
    safe = "".join(f"\\{letter}" if letter in "\\|`*_[]<>" else letter for letter in text)
    return " ".join(safe.split())


def _notes(used: Provenance, asked: Usage) -> list[str]:
    notes = [
        f"{LEGEND}. In parentheses: 95 % intervals. A question is measured from its first "
        "prompt token to its last answer token; loading the model is not in it. Per 1,000: a "
        "thousand such questions."
    ]
    for note in lacking_notes(asked.totals):
        notes += ["", note]
    if used.intensities:
        notes += ["", f"CO₂e: {_plain(used.grids())}."]
    if used.limited_to:
        notes += ["", f"Hardware and zones are those of the newest {used.limited_to:,} queries."]
    return [*notes, "", "Measured with LlamaWatt."]
