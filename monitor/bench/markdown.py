"""A suite's results in Markdown: what the report page prints, for a text or a repository."""

from collections.abc import Iterable, Sequence

from monitor.bench.sentences import idle_line, provenance, total_line, verdicts
from monitor.bench.summary import SuiteResult
from monitor.bench.tables import ENERGY_HEADER, energy_cells, tables
from monitor.store.records import Status


def markdown_report(result: SuiteResult) -> str:
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
