"""What the readers found against the truth: an error for each reader, case and window."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from dataclasses import dataclass, field

from tests.speed.peers.machine import HOUR, Machine
from tests.speed.peers.schedule import Measured
from tests.speed.peers.session import OURS_S, Outcome

ALIKE = 0.0005
"""Mean errors this close are the same: half a refresh of a processor's counters in 1 s."""


@dataclass(frozen=True)
class Case:
    """A row of the table.

    Attributes:
        name: What is read.
        part: Which part of the machine: cpu, dram, gpu0 to gpu2, total.
        windows: Names of the windows that count.
    """

    name: str
    part: str
    windows: tuple[str, ...]


@dataclass
class Score:
    """What one reader made of one case, over all windows and runs.

    Attributes:
        errors: (reading - truth) / truth of each window it read, by run and window.
        failures: Why others were not read.
    """

    errors: dict[tuple[int, str], float] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    @property
    def mean(self) -> float:
        """Mean of the errors without their signs; NaN where nothing was read."""
        return statistics.fmean(map(abs, self.errors.values())) if self.errors else math.nan

    def text(self) -> str:
        """Return the mean and the largest error, or why there is none."""
        if not self.errors:
            return Counter(self.failures).most_common(1)[0][0]
        worst = max(map(abs, self.errors.values()))
        text = f"{self.mean:.2%}" + (f" ({worst:.2%})" if len(self.errors) > 1 else "")
        if self.failures:
            windows = len(self.errors) + len(self.failures)
            text += f", {len(self.failures)} of {windows} {self.failures[0]}"
        return text.replace("%", " %")


@dataclass
class Board:
    """The scores of all readers in all cases, over several runs.

    Attributes:
        scores: By case and reader, in the order of the table.
        cores: Processors a reader kept busy, by reader and run.
        runs: How many were added.
    """

    scores: dict[str, dict[str, Score]] = field(default_factory=dict)
    cores: dict[str, list[float]] = field(default_factory=dict)
    runs: int = 0

    def add(self, machine: Machine, outcome: Outcome) -> None:
        """Score a run."""
        self.runs += 1
        for reader, cores in outcome.cores.items():
            self.cores.setdefault(reader, []).append(cores)
        for case in cases(machine):
            row = self.scores.setdefault(case.name, {})
            for reader, found in outcome.found.items():
                for name in case.windows:
                    pieces = [one for one in found if one.window == name]
                    if not pieces:
                        continue
                    score = row.setdefault(reader, Score())
                    error = error_of(reader, case.part, machine, pieces)
                    if isinstance(error, str):
                        score.failures.append(error)
                    else:
                        score.errors[self.runs, name] = error

    def worse(self, ours: str, peer: str) -> dict[str, float]:
        """Return by how much our error is larger than a peer's, in the cases in which it is.

        Both are compared in the windows that both read. Where a counter is slow to refresh, all
        readers of it are off by chance: a difference within twice its standard error is none.
        """
        found = {}
        for name, row in self.scores.items():
            if ours not in row or peer not in row:
                continue
            mine, others = row[ours].errors, row[peer].errors
            more = [abs(mine[key]) - abs(others[key]) for key in mine.keys() & others.keys()]
            if not more:
                continue
            chance = statistics.stdev(more) / math.sqrt(len(more)) if len(more) > 1 else 0.0
            if statistics.fmean(more) > max(ALIKE, 2 * chance):
                found[name] = statistics.fmean(more)
        return found

    def table(self, columns: dict[str, list[str]]) -> str:
        """Return the scores as Markdown.

        Args:
            columns: Readers by the heading they stand under; the first that has a score for a
                row is shown, the others behind it.
        """
        lines = ["| | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
        for name, row in self.scores.items():
            cells = [_cell(row, readers) for readers in columns.values()]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
        used = [
            "; ".join(f"{100 * statistics.fmean(self.cores[reader]):.1f} %" for reader in readers)
            for readers in columns.values()
        ]
        lines.append("| Processor time, of one core | " + " | ".join(used) + " |")
        return "\n".join(lines)


def _cell(row: dict[str, Score], readers: list[str]) -> str:
    shown = [(reader, row[reader].text()) for reader in readers if reader in row]
    if len({text for _, text in shown}) == 1:
        return shown[0][1]
    return "; ".join(f"{text} {reader.partition(' ')[2]}".strip() for reader, text in shown)


def cases(machine: Machine) -> list[Case]:
    """Return the rows for one run: which windows count may hang on its script."""
    kinds = machine.windows
    names = {kind: tuple(span.name for span in spans) for kind, spans in kinds.items()}
    turning = {span.name for span in kinds["short"] + kinds["long"] if machine.wraps(span)}

    def still(kind: str) -> tuple[str, ...]:
        return tuple(name for name in names[kind] if name not in turning)

    return [
        Case("Both processors, windows of 2 to 8 s", "cpu", still("long")),
        Case("Both processors, windows of 1 to 2 s", "cpu", still("short")),
        Case("Both processors, a counter returns to zero", "cpu", tuple(turning)),
        Case("Both processors, one unreadable for 3 s", "cpu", names["gone"]),
        Case("Both processors, one unreadable as the window begins", "cpu", names["begun"]),
        Case("Memory, windows of 1 to 8 s", "dram", names["short"] + names["long"]),
        Case("GPU whose counter moves every 20 ms, windows of 2 to 8 s", "gpu0", names["long"]),
        Case("GPU whose counter moves every 20 ms, windows of 1 to 2 s", "gpu0", names["short"]),
        Case("GPU whose counter moves every 100 ms, windows of 2 to 8 s", "gpu1", names["long"]),
        Case("GPU whose counter moves every 100 ms, windows of 1 to 2 s", "gpu1", names["short"]),
        Case("GPU lost for 4 s within the window", "gpu1", names["lost"]),
        Case("GPU without an energy counter, windows of 2 to 8 s", "gpu2", names["long"]),
        Case("GPU without an energy counter, windows of 1 to 2 s", "gpu2", names["short"]),
        Case("The hour, faults included: both processors", "cpu", (HOUR.name,)),
        Case("The hour, faults included: memory", "dram", (HOUR.name,)),
        Case(
            "The hour, faults included: GPU whose counter moves every 20 ms", "gpu0", (HOUR.name,)
        ),
        Case("The hour, faults included: GPU that is lost for 4 s", "gpu1", (HOUR.name,)),
        Case("The hour, faults included: GPU without an energy counter", "gpu2", (HOUR.name,)),
        Case("The hour, faults included: all that is read, added up", "total", (HOUR.name,)),
    ]


def error_of(reader: str, part: str, machine: Machine, pieces: list[Measured]) -> float | str:
    """Return a reader's error in one window, or why there is none.

    Args:
        reader: Whose it is.
        part: Of the machine; total is all that the reader tells, as it tells it, against all
            that the machine draws.
        machine: What was measured.
        pieces: What each of the reader's processes found for the window.
    """
    failed = next((piece.error for piece in pieces if piece.error), "")
    told: list[tuple[float | None, Measured]]
    if part == "total":
        joules = {key: found for piece in pieces for key, found in piece.joules.items()}
        told = [(sum(joules.values()), pieces[0])] if not failed else []
    else:
        told = [(by_part(reader, one.joules).get(part), one) for one in pieces]
    for told_j, piece in told:
        if told_j is not None:
            return told_j / machine.energy_j(part, piece.start_s, piece.end_s) - 1
    return f"fails ({failed})" if failed else "not read"


def by_part(reader: str, joules: dict[str, float]) -> dict[str, float]:
    """Return a reader's joules by our names of the parts."""
    if reader in OURS_S:
        parts = {f"gpu{key[-1]}": found for key, found in joules.items() if key.startswith("nvml:")}
        return parts | _both(joules, "rapl:package-{}", "rapl:package-{}:dram")
    parts = {key: found for key, found in joules.items() if key.startswith("gpu") or key == "cpu"}
    return parts | _both(joules, "cpu{}", "dram{}")


def _both(joules: dict[str, float], cpu: str, dram: str) -> dict[str, float]:
    """Return the sums over both sockets, where both were read."""
    keys = {"cpu": [cpu.format(0), cpu.format(1)], "dram": [dram.format(0), dram.format(1)]}
    return {
        part: sum(joules[key] for key in both)
        for part, both in keys.items()
        if all(key in joules for key in both)
    }
