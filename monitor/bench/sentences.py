"""What a suite's results come to, in sentences."""

from collections.abc import Iterable, Sequence

from monitor import figures
from monitor.bench.summary import SuiteResult
from monitor.bench.tables import rate
from monitor.bench.uncounted import UNCOUNTED
from monitor.energy.account import LOAD, Bill, weakest
from monitor.power.channel import Kind
from monitor.store.records import Status
from monitor.store.verdicts import Ending, PairVerdict

ENDINGS = {
    Ending.SETTLED: "It ended as soon as the models were told apart.",
    Ending.BUDGET: "It ended because the budget was spent.",
    Ending.UNREADABLE: "Whether its models are told apart was stored, but can no longer be read.",
}


def verdicts(result: SuiteResult) -> list[str]:
    """Say of every two models whether they are told apart, and why the comparison ended."""
    verdict = result.suite.verdict
    if not verdict:
        return []
    sentences = [_verdict(pair, result.models) for pair in verdict.pairs]
    ended = ENDINGS.get(verdict.reason)
    return [*sentences, ended] if ended else sentences


def _verdict(pair: PairVerdict, models: Sequence[str]) -> str:
    first, second = models[pair.first], models[pair.second]
    tally = f"{pair.wins} : {pair.losses} of {pair.items} items"
    if not pair.settled:
        return f"{pair.part}: {first} and {second} cannot be told apart ({tally})."
    better, worse = (first, second) if pair.better == pair.first else (second, first)
    return f"{pair.part}: {better} does better than {worse} ({tally})."


def gist(result: SuiteResult) -> str:
    """Say in a few words what came of a suite: what a list shows of it."""
    parts = []
    for run in result.runs[:4]:
        if run.printed:
            parts.append(f"{run.row.start.part} {100 * run.printed.value:.1f} %")
        elif run.decode:
            parts.append(f"{rate(run.prefill)} prefill, {rate(run.decode)} decode")
    return " · ".join(parts)


def idle_line(result: SuiteResult) -> str:
    """Say what the idle machine drew before and after, and where it was not idle; "" if that was
    not to be measured, or no energy could be."""
    suite = result.suite
    is_read = any(run.record.bill.total().joules is not None for run in result.runs)
    if not is_read or not suite.plan["suite"].get("idle_s"):
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
