"""A suite's results as tables, for the window, a terminal and Markdown alike."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from monitor import figures
from monitor.bench.results import Accuracy
from monitor.bench.summary import Rate, RunResult, SuiteResult
from monitor.bench.verdict import taken
from monitor.bill_words import unresolved_words
from monitor.energy.interval import Interval
from monitor.energy.parts import is_lower_bound
from monitor.power.channel import Kind
from monitor.store.bench_records import ItemRecord

QUALITY_HEADER = (
    "model", "part", "score", "J/item", "J/correct",
    "Wh/1,000", "g CO₂e/1,000", "points/Wh", "time",
)  # fmt: skip

SPEED_HEADER = ("model", "part", "prefill", "J/token", "decode", "J/token")

SUBJECTS_HEADER = ("model", "part", "subject", "score")

RULES_HEADER = ("model", "part", "rule", "score")

ENERGY_HEADER = (
    "model", "part", "energy", "95 % interval", "J/prompt token", "J/output token",
    "tokens shared", "CO₂e", "SCI/item", "g CO₂e/correct", "energy × delay",
)  # fmt: skip

PROMPTS_HEADER = ("model", "part", "J/answer", "decode J/token", "decode", "g CO₂e/1,000", "time")


def tables(result: SuiteResult) -> list[tuple[tuple[str, ...], list[tuple[str, ...]]]]:
    """Return the tables of a report: header and rows, one table for each kind of run,
    then what is told of a run beside that."""
    forms: tuple[tuple[str, tuple[str, ...], Callable[[RunResult], tuple[str, ...]]], ...] = (
        ("speed", SPEED_HEADER, speed_cells),
        ("quality", QUALITY_HEADER, quality_cells),
        ("prompts", PROMPTS_HEADER, prompts_cells),
    )
    found = []
    for kind, header, cells in forms:
        rows = [cells(run) for run in result.runs if run.row.start.kind == kind]
        if rows:
            found.append((header, rows))
    if rows := rule_rows(result.runs):
        found.append((RULES_HEADER, rows))
    if rows := subject_rows(result.runs):
        found.append((SUBJECTS_HEADER, rows))
    return found


def quality_cells(run: RunResult) -> tuple[str, ...]:
    """Return a judged run's row under :data:`QUALITY_HEADER`."""
    kind, merit = run.record.bill.total().kind, run.merit
    return (
        model_name(run),
        part_name(run),
        score(run.printed),
        at_least(run, figures.marked(kind, figures.joules(merit.joules_per_item))),
        at_least(run, figures.marked(kind, figures.joules(merit.joules_per_correct))),
        at_least(run, figures.marked(kind, watt_hours(merit.wh_per_1000))),
        at_least(run, figures.grams(merit.grams_per_1000)),
        points(merit.points_per_wh, is_lower_bound(run.record.bill)),
        figures.duration(run.counted.seconds.total),
    )


def speed_cells(run: RunResult) -> tuple[str, ...]:
    """Return a speed test's row under :data:`SPEED_HEADER`."""
    kind = run.record.bill.total().kind
    return (
        model_name(run),
        part_name(run),
        rate(run.prefill),
        at_least(run, per_token(run.prefill.per_token if run.prefill else None, kind)),
        rate(run.decode),
        at_least(run, per_token(run.decode.per_token if run.decode else None, kind)),
    )


def prompts_cells(run: RunResult) -> tuple[str, ...]:
    """Return a row of answered prompts under :data:`PROMPTS_HEADER`."""
    kind, merit = run.record.bill.total().kind, run.merit
    return (
        model_name(run),
        part_name(run),
        at_least(run, figures.marked(kind, figures.joules(merit.joules_per_item))),
        at_least(run, figures.marked(kind, figures.joules(run.decode_j_per_token))),
        figures.rate(run.record.tokens_per_s),
        at_least(run, figures.grams(merit.grams_per_1000)),
        figures.duration(run.counted.seconds.total),
    )


def subject_rows(runs: Iterable[RunResult]) -> list[tuple[str, ...]]:
    """Return the rows of judged runs' subjects under :data:`SUBJECTS_HEADER`.

    The last of a run is for all of them, with the error that lm-evaluation-harness prints of it.
    """
    return [
        (model_name(run), part_name(run), name.replace("_", " "), score(accuracy))
        for run in runs
        for name, accuracy in _subjects(run).items()
    ]


def _subjects(run: RunResult) -> Mapping[str, Accuracy]:
    if not run.subjects or run.accuracy is None:
        return run.subjects
    return {**run.subjects, "all": replace(run.accuracy, stderr=run.stderr_by_subject)}


def rule_rows(runs: Iterable[RunResult]) -> list[tuple[str, ...]]:
    """Return the rows of runs that were judged by two rules under :data:`RULES_HEADER`."""
    return [
        (model_name(run), part_name(run), name, score(accuracy))
        for run in runs
        for name, accuracy in run.by_rule.items()
    ]


def energy_cells(run: RunResult) -> tuple[str, ...]:
    """Return what a run took under :data:`ENERGY_HEADER`.

    Energy × delay is joules an item times seconds an item (M. Horowitz et al., 1994): what is
    slow to save energy is no better by it. SCI has the device's share in it, where that is
    reckoned with.
    """
    total, tokens, merit = run.record.bill.total(), run.record.tokens, run.merit
    carbon = run.record.footprint
    delay = merit.energy_delay_js
    interval = figures.bounds(total.energy).strip("()")
    return (
        model_name(run),
        part_name(run),
        at_least(run, figures.marked(total.kind, figures.energy(total.joules))),
        ", ".join([interval, *unresolved_words(run.record.bill)]) if interval else "",
        at_least(run, figures.marked(total.kind, figures.joules(run.prefill_j_per_token))),
        at_least(run, figures.marked(total.kind, figures.joules(run.decode_j_per_token))),
        f"{tokens.reused / tokens.prompt:.0%}" if tokens.prompt else figures.UNKNOWN,
        at_least(run, figures.mass(carbon.grams if carbon else None)),
        at_least(run, figures.mass(sci_per_item(run))),
        at_least(run, figures.grams(merit.grams_per_correct)),
        figures.UNKNOWN if delay is None else at_least(run, f"{figures.significant(delay)} J·s"),
    )


def item_cells(item: ItemRecord, by_length: bool, kind: Kind | None) -> tuple[str, ...]:
    """Return an item's row: number, question, right answer, the model's, margin, energy.

    :param by_length: whether the score by length is the one that counts
    """
    question = " ".join(item.prompt.split())
    right = " / ".join(_choice(item, index) for index in item.gold) or "".join(item.choices)
    pred = taken(item, by_length)
    chosen = _choice(item, pred) if isinstance(pred, int) else str(pred or item.answer)
    return (
        str(item.position + 1),
        _short(question, 70),
        _short(right, 30),
        _short(" ".join(chosen.split()), 30),
        "" if item.margin is None else signed(item.margin, 3),
        figures.marked(kind, figures.energy(item.energy_j)),
    )


def _choice(item: ItemRecord, index: int) -> str:
    return item.choices[index] if index < len(item.choices) else ""


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"


def score(accuracy: Accuracy | None) -> str:
    """Write an accuracy: 52.5 % ± 7.9 (Wilson 37.5–67.1 %)."""
    if accuracy is None:
        return figures.UNKNOWN
    error = f" ± {100 * accuracy.stderr:.1f}" if accuracy.stderr is not None else ""
    interval = f"({100 * accuracy.low:.1f}–{100 * accuracy.high:.1f} %)"
    return f"{100 * accuracy.value:.1f} %{error} {interval}"


def per_token(interval: Interval | None, kind: Kind | None) -> str:
    """Write joules a token with their interval."""
    if interval is None:
        return figures.UNKNOWN
    ends = figures.span_in_joules(interval.low_j, interval.high_j)
    return figures.marked(kind, f"{figures.joules(interval.joules)} ({ends})")


def rate(found: Rate | None) -> str:
    """Write tokens a second: 301 ± 4.6 t/s (pp512)."""
    if found is None:
        return figures.UNKNOWN
    spread = f" ± {figures.significant(found.sd, 2)}" if found.sd is not None else ""
    return f"{figures.significant(found.tokens_per_s)}{spread} t/s"


def points(points_per_wh: float | None, is_partial: bool = False) -> str:
    """Write percentage points above chance per watt-hour of a thousand items.

    :param is_partial: whether the watt-hours were more: then it is nearer to nothing than this
    """
    if points_per_wh is None:
        return figures.UNKNOWN
    bound = "≥ " if points_per_wh < 0 else "≤ "
    return f"{bound if is_partial else ''}{signed(points_per_wh, 1)}"


def at_least(run: RunResult, text: str) -> str:
    """Mark what a run took, or emitted, as it is written, where a part of it was not read."""
    return figures.at_least(text, is_lower_bound(run.record.bill))


def signed(value: float, decimals: int) -> str:
    """Write a figure that may be negative with its sign, a real minus."""
    return f"{value:+.{decimals}f}".replace("-", "−")


def sci_per_item(run: RunResult) -> float | None:
    """Return the grams of SCI an item (ISO/IEC 21031), ``None`` where they are not known."""
    grams, done = run.counted.sci_g, run.row.sums.done
    return grams / done if grams is not None and done else None


def watt_hours(value: float | None) -> str:
    """Write watt-hours as such, however small: figures for a thousand items are compared."""
    return figures.UNKNOWN if value is None else f"{figures.significant(value)} Wh"


def model_name(run: RunResult) -> str:
    """Return the model's name with its quantisation, and the settings that tell it from itself."""
    model = run.record.model
    if model is None:
        return figures.UNKNOWN
    return f"{model.name} {model.quantisation}" + (f" ({run.setting})" if run.setting else "")


def part_name(run: RunResult) -> str:
    """Return the part's name, with what sets this run of it apart."""
    start, sums = run.row.start, run.row.sums
    notes = []
    if start.repeat:
        notes.append(f"repeat {start.repeat + 1}")
    if sums.done < start.planned:
        notes.append(f"{sums.done} of {start.planned} items")
    elif start.kind == "quality":
        notes.append(f"{sums.done} items")
    if start.shots:
        notes.append(f"{start.shots}-shot")
    if run.row.is_deleted:
        notes.append("deleted")
    if run.record.throttled:
        notes.append("throttled")
    if sums.cut:
        notes.append(f"{sums.cut} cut to the context")
    return f"{start.part} ({', '.join(notes)})" if notes else start.part
