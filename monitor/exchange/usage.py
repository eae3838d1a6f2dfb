"""What some queries came to, and what each of their models did."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from monitor import figures
from monitor.energy.difference import per
from monitor.energy.interval import Interval
from monitor.exchange.intake import IMPORT
from monitor.figures import J_PER_WH, things
from monitor.store.bench_records import BENCH
from monitor.store.charts import Totals
from monitor.store.filters import Filter
from monitor.store.history import History
from monitor.store.selection import models_of

ASKED = ("ask", "chat")
"""Kinds that are one question and its answer; a benchmark's run is hundreds of them in one."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Sums with what is reckoned from them. ``None`` is "not known", never zero.

    :param limited_to: how many of the newest queries were added up, if there are more
    """

    totals: Totals
    limited_to: int | None = None

    @property
    def energy(self) -> Interval | None:
        """Joules of those that were measured; the ends of their intervals are added up."""
        t = self.totals
        if t.energy_j is None or t.energy_low_j is None or t.energy_high_j is None:
            return None
        return Interval(t.energy_j, t.energy_j - t.energy_low_j, t.energy_high_j - t.energy_j, 0.0)

    @property
    def per_token(self) -> Interval | None:
        """Decode joules an answer token.

        Of decode alone no interval is kept in sums: it is taken to be as wide, in relation, as
        that of the whole queries.
        """
        energy, joules = self.energy, self.totals.joules_per_token
        if energy is None or not energy.joules or joules is None:
            return None
        return per(energy, energy.joules / joules) if joules else None

    @property
    def wh_per_1000(self) -> Interval | None:
        """Watt-hours of a thousand such queries, as an interval whose joules are watt-hours."""
        energy, measured = self.energy, self.totals.measured
        return per(energy, measured * J_PER_WH / 1000) if energy and measured else None

    @property
    def grams_per_1000(self) -> float | None:
        """Grams of CO2e of a thousand such queries, of those whose grams are known."""
        grams, costed = self.totals.grams, self.totals.costed
        return grams * 1000 / costed if grams and costed else None

    def least_mean(self, text: str) -> str:
        """Mark what a token or a query took, as it is written, where not every part was read."""
        return figures.at_least(text, self.totals.has_least_means)


@dataclass(frozen=True, slots=True)
class NoQuestions:
    """How many queries are no single questions, which a thousand questions are not reckoned from.

    :param imported: measured by another program, which does not tell what was asked
    """

    benchmark_runs: int
    imported: int

    def __bool__(self) -> bool:
        return self.benchmark_runs + self.imported > 0

    def __str__(self) -> str:
        """Tell of them in a sentence: "are 3 benchmark runs and 1 imported query"."""
        listed = [
            things(count, one, many)
            for count, one, many in (
                (self.benchmark_runs, "benchmark run", "benchmark runs"),
                (self.imported, "imported query", "imported queries"),
            )
            if count
        ]
        verb = "is" if self.benchmark_runs + self.imported == 1 else "are"
        return f"{verb} {' and '.join(listed)}"


@dataclass(frozen=True, slots=True)
class ModelUsage:
    """What one model came to, on one machine or on all.

    :param usage: of all its queries
    :param asked: of single questions only
    """

    name: str
    quantisation: str
    usage: Usage
    asked: Usage
    chosen: Filter

    @property
    def title(self) -> str:
        """The model with its quantisation."""
        return f"{self.name} {self.quantisation}".strip()


def usage_of(history: History, chosen: Filter) -> Usage:
    """Return the sums over a filter's queries."""
    chart = history.browse.totals(chosen)
    return Usage(chart.bars[0].totals if chart.bars else Totals(), chart.limited_to)


def asked_of(history: History, chosen: Filter) -> Usage:
    """Return the sums over those of a filter's queries that are single questions."""
    return _of_kinds(history, chosen, ASKED)


def no_questions_of(history: History, chosen: Filter) -> NoQuestions:
    """Return how many of a filter's queries are none."""
    runs, imported = (_of_kinds(history, chosen, (kind,)) for kind in (BENCH, IMPORT))
    return NoQuestions(runs.totals.queries, imported.totals.queries)


def _of_kinds(history: History, chosen: Filter, wanted: Sequence[str]) -> Usage:
    kinds = tuple(kind for kind in wanted if kind in chosen.kinds or not chosen.kinds)
    return usage_of(history, replace(chosen, kinds=kinds)) if kinds else Usage(Totals())


def by_model(history: History, chosen: Filter) -> list[ModelUsage]:
    """Return each model of a filter's queries, the one that took most first."""
    found = []
    for name, quantisation in _models(history, chosen):
        of_model = replace(chosen, models=(name,), quantisations=(quantisation,))
        usage = usage_of(history, of_model)
        if usage.totals.queries:
            asked = asked_of(history, of_model)
            found.append(ModelUsage(name, quantisation, usage, asked, of_model))
    return sorted(found, key=lambda model: -(model.usage.totals.energy_j or 0.0))


def _models(history: History, chosen: Filter) -> Sequence[tuple[str, str]]:
    db = history.store.read()
    rows = db.query("select id, name, quantisation from models")
    wanted = set(models_of(db, chosen))
    return sorted({(r["name"], r["quantisation"] or "") for r in rows if r["id"] in wanted})
