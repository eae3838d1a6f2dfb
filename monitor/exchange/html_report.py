"""A report to be shared: one HTML file that needs nothing else and runs nothing."""

import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from html import escape

from monitor import __version__, figures
from monitor.bill_words import LEGEND
from monitor.energy.account import weakest
from monitor.energy.interval import Interval
from monitor.exchange import svg
from monitor.exchange.benchmark_section import benchmark_section
from monitor.exchange.markup import figure_cell, page, section, table
from monitor.exchange.provenance import Provenance, provenance
from monitor.exchange.usage import (
    ModelUsage,
    NoQuestions,
    Usage,
    asked_of,
    by_model,
    no_questions_of,
    usage_of,
)
from monitor.power.channel import Accuracy, Role
from monitor.power.memory import lacks_memory
from monitor.store.charts import Bar, Chart, Period, Stack, Totals
from monitor.store.filters import Filter
from monitor.store.history import History
from monitor.totals_report import energy_words, grams_words, lacking_notes, per_token_words

DAYS_BY_DAY, DAYS_BY_WEEK = 45, 370
"""Up to so many days a chart has a column a day, then a week, then a month."""

NO_MODEL = "no model"

ROLE_WORDS = {
    Role.PART: "part of the total",
    Role.INSIDE: "inside a part",
    Role.WHOLE: "cross-check, never added",
}


def html_report(history: History, chosen: Filter, title: str, now: datetime) -> str:
    """Return the report of a filter's queries as HTML.

    :param title: heads it
    :param now: when it is made, with its zone
    """
    usage, no_questions = usage_of(history, chosen), no_questions_of(history, chosen)
    used = provenance(history, chosen)
    days = history.browse.chart(chosen, Period.DAY, Stack.MODEL)
    period = _period(days)
    chart = days if period is Period.DAY else history.browse.chart(chosen, period, Stack.MODEL)
    models = by_model(history, chosen)
    order = {model.title: min(place, svg.SERIES - 1) for place, model in enumerate(models)}
    parts = [
        _head(title, chosen, used, days, now),
        _cards(usage, asked_of(history, chosen), no_questions),
        _over_time(chart, period, order),
        _models(models, usage, no_questions),
        benchmark_section(history, chosen),
        _how(used, usage),
        _machines(used),
        f'<footer class="note"><p>{escape(LEGEND)}. Intervals are at 95 %.</p>'
        f"<p>Made by LlamaWatt {escape(__version__)}.</p></footer>",
    ]
    return page(title, parts)


def _head(title: str, chosen: Filter, used: Provenance, days: Chart, now: datetime) -> str:
    machines = {machine.id: machine.name for machine in used.machines}
    span = " to ".join(dict.fromkeys(str(bar.start) for bar in (days.bars[:1] + days.bars[-1:])))
    conditions = describe(chosen, machines)
    return (
        f"<header><h1>{escape(title)}</h1>"
        f'<p class="muted">{span or "no queries"} · made {now:%Y-%m-%d %H:%M}</p>'
        + (f'<p class="muted">Only {escape(conditions)}</p>' if conditions else "")
        + "</header>"
    )


def describe(chosen: Filter, machines: Mapping[str, str]) -> str:
    """Say in words what a filter lets through besides its days; "" if everything.

    :param machines: names by identifier
    """
    named = tuple(machines.get(machine, machine) for machine in chosen.machines)
    parts = [
        f"{what} {' or '.join(values)}"
        for what, values in (
            ("model", chosen.models),
            ("quantisation", chosen.quantisations),
            ("kind", chosen.kinds),
            ("status", chosen.statuses),
            ("machine", named),
        )
        if values
    ]
    parts += [f"tag {tag}" for tag in chosen.tags]
    parts += [f"with “{chosen.text}”"] if chosen.text else []
    return ", ".join(parts)


def _cards(usage: Usage, asked: Usage, no_questions: NoQuestions) -> str:
    totals, wh, energy = usage.totals, asked.wh_per_1000, usage.energy
    unmeasured = totals.queries - totals.measured
    missing = f"{unmeasured:,} of them not measured" if unmeasured else "all of them measured"
    if usage.limited_to:
        missing = "the newest that match; there are more"
    of_energy = "of that energy, see below"
    if totals.uncosted and totals.costed:
        of_energy = f"of {totals.costed:,} of {totals.measured:,} measured queries, see below"
    per_token = usage.per_token
    grams = asked.least_mean(figures.mass(asked.grams_per_1000))
    cards = (
        ("Energy", energy_words(totals), figures.bounds(energy)),
        ("CO₂e", grams_words(totals), of_energy),
        ("Queries", f"{totals.queries:,}", missing),
        ("Answer tokens", f"{totals.completion_tokens:,}", figures.rate(totals.tokens_per_s)),
        (
            "Energy a token",
            per_token_words(totals),
            figures.bounds(per_token),
        ),
        (
            "A thousand questions",
            asked.least_mean(figures.marked(asked.totals.kind, watt_hours(wh))),
            f"{watt_hours_bounds(wh)} {grams} CO₂e{_of_asked(asked, no_questions)}".strip(),
        ),
    )
    drawn = "".join(
        f'<div class="card"><span>{escape(name)}</span><b>{escape(value)}</b>'
        f"<span>{escape(note)}</span></div>"
        for name, value, note in cards
    )
    return f'<div class="cards">{drawn}</div>'


def _of_asked(asked: Usage, no_questions: NoQuestions) -> str:
    """Say from what a thousand questions are reckoned, where it is not from all the queries."""
    if not (no_questions and asked.totals.measured):
        return ""
    energy = figures.marked(asked.totals.kind, figures.energy(asked.totals.energy_j))
    questions = figures.things(asked.totals.measured, "question", "questions")
    return f", from {questions} that took {energy}; not in it {no_questions}"


def watt_hours(wh: Interval | None) -> str:
    """Write watt-hours, given as an interval whose joules are watt-hours."""
    return figures.UNKNOWN if wh is None else f"{figures.significant(wh.joules)} Wh"


def watt_hours_bounds(wh: Interval | None) -> str:
    """Write their interval: (1.2–1.4)."""
    if wh is None:
        return ""
    return f"({figures.significant(wh.low_j)}–{figures.significant(wh.high_j)})"


# --- over time -------------------------------------------------------------------------------


def _period(days: Chart) -> Period:
    """Return the period that leaves a few dozen columns at most."""
    length = (days.bars[-1].start - days.bars[0].start).days if days.bars else 0
    if length <= DAYS_BY_DAY:
        return Period.DAY
    return Period.WEEK if length <= DAYS_BY_WEEK else Period.MONTH


def _over_time(chart: Chart, period: Period, order: Mapping[str, int]) -> str:
    periods: dict[date, list[Bar]] = {}
    if chart.bars:
        start = chart.bars[0].start
        while start <= chart.bars[-1].start:
            periods[start], start = [], period.next(start)
    for bar in chart.bars:
        if bar.totals.energy_j is not None:
            periods[bar.start].append(bar)
    most = max((_sum(bars, "energy_high_j") for bars in periods.values()), default=0.0)
    if not most:
        return section("Energy over time", '<p class="muted">No energy was measured.</p>')
    size, unit = next((u for u in figures.ENERGY if most >= u[0]), figures.ENERGY[-1])
    written = "%Y-%m" if period is Period.MONTH else "%-d %b"
    columns = [
        _column(start, written, bars, order, size) for start, bars in sorted(periods.items())
    ]
    drawn = svg.stacked_columns(columns, f"Energy by {period} and model", unit)
    names = dict(enumerate(list(order)[: svg.SERIES]))
    if any(bar.key not in order for bar in chart.bars):
        names[svg.SERIES - 1] = NO_MODEL
    if len(order) > svg.SERIES:
        names[svg.SERIES - 1] = f"{len(order) - svg.SERIES + 1} others"
    keys = "".join(f"<li>{svg.swatch(n)}{escape(name)}</li>" for n, name in names.items())
    note = f"A column is a {period}; the line at its end is the 95 % interval of its sum."
    if chart.limited_to:
        note += f" Only the newest {chart.limited_to:,} queries are in it."
    return section(
        "Energy over time", f'{drawn}<ul class="legend">{keys}</ul><p class="note">{note}</p>'
    )


def _column(
    start: date, written: str, bars: Sequence[Bar], order: Mapping[str, int], size: float
) -> svg.Column:
    """Stack a period's bars by model.

    :param written: how its first day is written below it
    :param size: joules of the unit the chart is drawn in
    """
    values: dict[int, float] = {}
    for bar in bars:
        series = order.get(bar.key, svg.SERIES - 1)
        values[series] = values.get(series, 0.0) + (bar.totals.energy_j or 0.0) / size
    if not bars:
        return svg.Column(f"{start:{written}}", {}, f"{start}: nothing was measured")
    queries = sum(bar.totals.queries for bar in bars)
    kind = weakest(bar.totals.kind for bar in bars if bar.totals.kind)
    marked = figures.marked(kind, figures.energy(_sum(bars, "energy_j")))
    marked = figures.at_least(marked, any(bar.totals.is_lower_bound for bar in bars))
    return svg.Column(
        label=f"{start:{written}}",
        values=values,
        tip=f"{start}: {marked}, {figures.things(queries, 'query', 'queries')}",
        low=_sum(bars, "energy_low_j") / size,
        high=_sum(bars, "energy_high_j") / size,
    )


def _sum(bars: Sequence[Bar], name: str) -> float:
    return math.fsum(getattr(bar.totals, name) or 0.0 for bar in bars)


# --- models ----------------------------------------------------------------------------------


def _models(models: Sequence[ModelUsage], whole: Usage, no_questions: NoQuestions) -> str:
    if not models:
        return ""
    most = max((m.usage.totals.energy_high_j or 0.0 for m in models), default=0.0)
    header = ("Model", "Queries", "Energy", "", "A token", "1,000 questions", "CO₂e/1,000", "Speed")
    rows = []
    for place, model in enumerate(models):
        usage, totals = model.usage, model.usage.totals
        energy, wh = usage.energy, model.asked.wh_per_1000
        drawn = ""
        if energy and most:
            found = svg.Range(energy.joules, energy.low_j, energy.high_j)
            drawn = svg.bar(found, most, min(place, svg.SERIES - 1))
        asked = model.asked
        rows.append(
            (
                f"<td>{escape(model.title)}</td>",
                figure_cell(f"{totals.queries:,}"),
                figure_cell(energy_words(totals), figures.bounds(energy)),
                f"<td>{drawn}</td>",
                figure_cell(per_token_words(totals), figures.bounds(usage.per_token)),
                figure_cell(
                    asked.least_mean(figures.marked(asked.totals.kind, watt_hours(wh))),
                    watt_hours_bounds(wh),
                ),
                figure_cell(asked.least_mean(figures.mass(asked.grams_per_1000))),
                figure_cell(figures.rate(totals.tokens_per_s)),
            )
        )
    notes = _of_no_model(models, whole)
    if no_questions:
        reckoned = "What 1,000 questions take is reckoned from the others."
        notes = f'<p class="note">Among the queries {no_questions}. {reckoned}</p>{notes}'
    return section("Models", table(header, rows, left=1) + notes)


def _of_no_model(models: Sequence[ModelUsage], whole: Usage) -> str:
    """Tell of the queries the table lacks, such as those taken in from other programs."""
    queries = whole.totals.queries - sum(m.usage.totals.queries for m in models)
    if queries <= 0 or whole.limited_to:
        return ""
    joules = (whole.totals.energy_j or 0.0) - math.fsum(
        m.usage.totals.energy_j or 0.0 for m in models
    )
    lacking = _lacking(whole.totals) - sum(_lacking(m.usage.totals) for m in models)
    energy = figures.marked(whole.totals.kind, figures.energy(joules))
    return (
        f'<p class="note">Queries that name no model, such as imported ones: {queries:,}, '
        f"{escape(figures.at_least(energy, lacking > 0))}.</p>"
    )


def _lacking(totals: Totals) -> int:
    """Return of how many queries not all was read."""
    return totals.partly_read + totals.unread


# --- how it was measured ---------------------------------------------------------------------


def _how(used: Provenance, usage: Usage) -> str:
    several = len(used.machines) > 1
    channels = [sensor.channel for sensor in used.sensors]
    header = ("Sensor", "Kind", "Role", "Accuracy, with its source", "Queries")
    rows = [
        (
            f"<td>{escape(f'{sensor.machine}: ' if several else '')}{escape(channel.label)}</td>",
            f"<td>{figures.MARKS[channel.kind]} {figures.KIND_WORDS[channel.kind]}</td>",
            f"<td>{ROLE_WORDS[channel.role]}</td>",
            f"<td>{_accuracy_words(channel.accuracy)}<br>"
            f"<small>{escape(channel.accuracy.source)}</small></td>",
            figure_cell(f"{sensor.queries:,}"),
        )
        for sensor, channel in zip(used.sensors, channels, strict=True)
    ]
    paragraphs = [
        "A query is billed from its first prompt token to its last answer token; loading the "
        "model is not in it. A total is the sum of the parts and as weak as its weakest part."
    ]
    if channels and lacks_memory(channels):
        paragraphs.append("Memory (DRAM) was not measured and is not in the totals.")
    paragraphs += lacking_notes(usage.totals)
    if used.intensities:
        grids = used.grids()
        paragraphs += [f"CO₂e is energy times the carbon intensity of the grid: {grids}."]
    if len(used.methods) > 1:
        listed = ", ".join(map(str, used.methods))
        paragraphs.append(f"The bills were reckoned by several methods ({listed}).")
    if used.limited_to:
        paragraphs.append(f"This is of the newest {used.limited_to:,} queries.")
    text = "".join(f"<p>{escape(paragraph)}</p>" for paragraph in paragraphs)
    return section("How it was measured", text + (table(header, rows, left=4) if rows else ""))


def _accuracy_words(accuracy: Accuracy) -> str:
    below, above = 100 * accuracy.below, 100 * accuracy.above
    share = f"±{below:.3g} %" if below == above else f"−{below:.3g} % to +{above:.3g} %"
    offset = f", ±{accuracy.offset_w:g} W" if accuracy.offset_w else ""
    return share + offset


def _machines(used: Provenance) -> str:
    if not used.machines:
        return ""
    header = ("Machine", "Processor", "System", "Threads", "Memory")
    rows = [
        (
            f"<td>{escape(machine.name or figures.UNKNOWN)}</td>",
            f"<td>{escape(machine.processor or figures.UNKNOWN)}</td>",
            f"<td>{escape(machine.system or figures.UNKNOWN)}</td>",
            figure_cell(str(machine.threads or figures.UNKNOWN)),
            figure_cell(
                figures.size(machine.memory_bytes) if machine.memory_bytes else figures.UNKNOWN
            ),
        )
        for machine in used.machines
    ]
    return section("Machines" if len(rows) > 1 else "Machine", table(header, rows, left=3))
