"""A suite's results in Markdown: what the report page prints, for a text or a repository."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from monitor import figures
from monitor.bench.results import Accuracy
from monitor.bench.summary import Rate, RunResult, SuiteResult
from monitor.bench.uncounted import UNCOUNTED
from monitor.bench.verdict import taken
from monitor.energy.account import LOAD, Bill, weakest
from monitor.energy.interval import Interval
from monitor.energy.parts import is_lower_bound
from monitor.power.channel import Kind
from monitor.store.bench_records import ItemRecord
from monitor.store.records import Status

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
        interval if total.resolved or not interval else f"{interval}, too short to resolve",
        at_least(run, figures.marked(total.kind, figures.joules(run.prefill_j_per_token))),
        at_least(run, figures.marked(total.kind, figures.joules(run.decode_j_per_token))),
        f"{tokens.reused / tokens.prompt:.0%}" if tokens.prompt else figures.UNKNOWN,
        at_least(run, figures.mass(carbon.grams if carbon else None)),
        at_least(run, figures.mass(sci_per_item(run))),
        at_least(run, figures.grams(merit.grams_per_correct)),
        figures.UNKNOWN if delay is None else at_least(run, f"{figures.significant(delay)} J·s"),
    )


def sci_per_item(run: RunResult) -> float | None:
    """Return the grams of SCI an item (ISO/IEC 21031), ``None`` where they are not known."""
    grams, done = run.counted.sci_g, run.row.sums.done
    return grams / done if grams is not None and done else None


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


def verdicts(result: SuiteResult) -> list[str]:
    """Say of every two models whether they are told apart, and why the comparison ended."""
    verdict = result.suite.verdict
    if not verdict:
        return []
    try:
        sentences = [_verdict(pair, result.models) for pair in verdict["pairs"]]
        ended = {
            "settled": "It ended as soon as the models were told apart.",
            "budget": "It ended because the budget was spent.",
        }.get(verdict["reason"])
    except (KeyError, IndexError, TypeError):  # it, or the plan that names the models, is damaged
        return ["Whether its models are told apart was stored, but can no longer be read."]
    return [*sentences, ended] if ended else sentences


def gist(result: SuiteResult) -> str:
    """Say in a few words what came of a suite: what a list shows of it."""
    parts = []
    for run in result.runs[:4]:
        if run.printed:
            parts.append(f"{run.row.start.part} {100 * run.printed.value:.1f} %")
        elif run.decode:
            parts.append(f"{rate(run.prefill)} prefill, {rate(run.decode)} decode")
    return " · ".join(parts)


def _verdict(pair: Mapping[str, Any], models: Sequence[str]) -> str:
    first, second = models[pair["first"]], models[pair["second"]]
    tally = f"{pair['wins']} : {pair['losses']} of {pair['items']} items"
    if not pair["settled"]:
        return f"{pair['part']}: {first} and {second} cannot be told apart ({tally})."
    is_first = pair["better"] == pair["first"]
    better, worse = (first, second) if is_first else (second, first)
    return f"{pair['part']}: {better} does better than {worse} ({tally})."


def idle_line(result: SuiteResult) -> str:
    """Say what the idle machine drew before and after, and where it was not idle; "" if that was
    not to be measured, or no energy could be."""
    suite = result.suite
    is_read = any(run.record.bill.total().joules is not None for run in result.runs)
    asked = suite.plan.get("suite")
    if not is_read or not isinstance(asked, dict) or not asked.get("idle_s"):
        return ""
    kind = Kind(suite.idle_kind) if suite.idle_kind else None
    told, restless = [], []
    for when, power_w, is_over in (
        ("before", suite.idle_before_w, bool(result.runs)),
        ("after", suite.idle_after_w, suite.status is Status.DONE),
    ):
        if power_w is not None:
            told.append(f"{when} {figures.marked(kind, figures.power(power_w))}")
        elif is_over:
            restless.append(when)
    if restless:
        told.append(f"not known {' and '.join(restless)}, as other programs kept it busy")
    return f"Idle machine: {', '.join(told)}." if told else ""


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


def total_line(result: SuiteResult) -> str:
    """Say what all runs cost, what of it is in none of their items, and beside it what loading the
    models did: it is in no run."""
    bills = [run.record.bill for run in result.runs]
    joules, load_j = (
        _sum([b.total().joules for b in bills]),
        _sum([b.total(LOAD).joules for b in bills]),
    )
    seconds = sum(run.record.seconds.total or 0.0 for run in result.runs)
    grams = [run.record.footprint.grams for run in result.runs if run.record.footprint]
    measured = [bill for bill in bills if bill.total().energy]
    is_partial = any(run.record.is_lacking for run in result.runs)
    if joules is None:
        return f"{figures.duration(seconds)} of computing; no energy was measured."
    kind = weakest(kind for bill in bills if (kind := bill.total().kind))
    energy = figures.at_least(figures.marked(kind, figures.energy(joules)), is_partial)
    mass = figures.mass(sum(grams) if grams else None)
    mass = figures.at_least(mass, is_partial or len(grams) < len(measured))
    text = f"{energy} and {mass} CO₂e in {figures.duration(seconds)} of computing"
    if beside := _beside_items(bills):
        text += f", of it {beside}"
    if load_j is None:
        return f"{text}."
    load = figures.marked(
        weakest(filter(None, (b.total(LOAD).kind for b in bills))), figures.energy(load_j)
    )
    return f"{text}; loading the models took {load} beside that."


def _beside_items(bills: Sequence[Bill]) -> str:
    """Say what was computed beside the items: ● 35 J of warm-up and ● 75 J of unfinished items."""
    told = []
    for phase, words in UNCOUNTED.items():
        totals = [total for bill in bills if (total := bill.total(phase)).energy]
        if totals:
            joules = _sum([total.joules for total in totals])
            kind = weakest(total.kind for total in totals if total.kind)
            told.append(f"{figures.marked(kind, figures.energy(joules))} {words}")
    return " and ".join(filter(None, (", ".join(told[:-1]), *told[-1:])))


def _sum(amounts: Iterable[float | None]) -> float | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if known else None


def markdown(result: SuiteResult) -> str:
    """Return a suite's report in Markdown."""
    suite = result.suite
    lines = [f"# {suite.title}", ""]
    state = "" if suite.status is Status.DONE else f" It is {suite.status}."
    lines += [f"Begun {suite.started_at[:16].replace('T', ' ')} UTC.{state} {total_line(result)}"]
    if suite.error:
        lines += ["", suite.error]
    for header, rows in tables(result):
        lines += ["", *_table(header, rows)]
    if sentences := verdicts(result):
        lines += ["", *(f"- {sentence}" for sentence in sentences)]
    lines += ["", "Energy of each run:"]
    lines += ["", *_table(ENERGY_HEADER, [energy_cells(run) for run in result.runs])]
    lines += ["", "Energy: ● counted, ◐ integrated, ○ modelled. Scores: ± standard error, then"]
    lines += ["Wilson's 95 % interval. Points/Wh: percentage points above chance per watt-hour of"]
    lines += ["a thousand items."]
    if idle := idle_line(result):
        lines += ["", idle]
    lines += ["", *provenance(result)]
    return "\n".join(lines) + "\n"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    return [line(header), line(["---"] * len(header)), *(line(row) for row in rows)]


def provenance(result: SuiteResult) -> list[str]:
    """Return what the results were made with: hashes and versions, as lines of a list."""
    suite = result.suite
    lines = [f"- {model['name']}: SHA-256 `{model['sha256']}`" for model in suite.plan["models"]]
    for run in result.runs:
        start = run.row.start
        if start.kind == "quality" and not start.repeat and run.row.start.data_sha256:
            lines.append(
                f"- {start.part}: protocol {start.protocol}, data `{start.data_sha256}`, "
                f"prompts `{start.prompts_sha256}`"
            )
    versions = ", ".join(f"{name} {value}" for name, value in suite.versions.items())
    return [*dict.fromkeys(lines), f"- {versions}"]
