"""A query phase by phase: how long, how many tokens, how fast, how many joules."""

from PySide6.QtWidgets import QVBoxLayout, QWidget

from desktop.history.cards import energy_cell, grid
from desktop.theme.widgets import label
from monitor import figures
from monitor.bench.uncounted import AGAIN, CUT, WARM_UP
from monitor.energy.account import DECODE, LOAD, PREFILL
from monitor.energy.credit import credit_of, credit_words
from monitor.energy.forecast import Fit
from monitor.energy.parts import is_lower_bound
from monitor.store.records import QueryRecord


class Phases(QWidget):
    """The table of phases, and what reuse of the context saved.

    :param earlier: what earlier prompts took, for the credit of a short one
    """

    def __init__(self, record: QueryRecord, earlier: Fit | None) -> None:
        super().__init__()
        self._record = record
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(grid(self._rows()))
        tokens = record.tokens
        credit = credit_of(
            tokens.reused, record.fresh_tokens or 0, record.bill.total(PREFILL), earlier
        )
        if credit:
            words = credit_words(credit, self.tr)
            line = label(words[:1].upper() + words[1:], "muted", wrap=True)
            line.setToolTip(
                self.tr("At the joules a token of this prompt. Not part of the bill.")
                if credit.is_own
                else self.tr("At the joules a token of earlier prompts. Not part of the bill.")
            )
            layout.addWidget(line)

    def _rows(self) -> list[tuple[str, ...]]:
        seconds, tokens = self._record.seconds, self._record.tokens
        fresh = self._record.fresh_tokens
        reused = self.tr("+ %1 reused").replace("%1", f"{tokens.reused:,}") if tokens.reused else ""
        if fresh is None:
            reused = self.tr("stopped within %1").replace("%1", f"{tokens.prompt:,}")
        told: tuple[tuple[str, str, float | None, int | None, str], ...] = (
            (LOAD, self.tr("Load (beside the total)"), seconds.load, None, ""),
            (PREFILL, self.tr("Prefill"), seconds.prefill, fresh, reused),
            (DECODE, self.tr("Decode"), seconds.decode, tokens.completion, ""),
            *self._beside_items(),
        )
        header = (self.tr("Phase"), self.tr("Time"), self.tr("Tokens"), self.tr("Energy"))
        rows: list[tuple[str, ...]] = [header]
        for name, title, lasted_s, count, more in told:
            if lasted_s is None:
                continue
            total = self._record.bill.total(name)
            counted = [more] if count is None else [f"{count:,}", more, _rate(count, lasted_s)]
            rows.append(
                (
                    title,
                    figures.duration(lasted_s),
                    "\n".join(filter(None, counted)),
                    energy_cell(total.kind, total.energy, is_lower_bound(self._record.bill, name)),
                )
            )
        if tokens.thinking or seconds.thinking is not None:
            rows.append(self._thinking())
        return rows

    def _beside_items(self) -> list[tuple[str, str, float, None, str]]:
        """What a benchmark's run computed that is in none of its items."""
        titles = {
            WARM_UP: self.tr("Warm-up (in no item)"),
            CUT: self.tr("Unfinished items"),
            AGAIN: self.tr("Items computed again"),
        }
        lasted_s = {line.phase: line.duration_s for line in self._record.bill.lines}
        return [
            (name, title, lasted_s[name], None, "")
            for name, title in titles.items()
            if name in lasted_s
        ]

    def _thinking(self) -> tuple[str, ...]:
        """The row of what was thought before the answer; it lies inside decode."""
        record = self._record
        lasted_s, count, joules = record.seconds.thinking, record.tokens.thinking, record.thinking_j
        total = record.bill.total()
        energy = figures.marked(total.kind, figures.energy(joules))
        energy = figures.at_least(energy, is_lower_bound(record.bill, DECODE))
        if joules is not None and total.joules and not is_lower_bound(record.bill):
            share = self.tr("%1 % of the total")
            energy += "\n" + share.replace("%1", f"{100 * joules / total.joules:.0f}", 1)
        return (
            self.tr("of it thinking"),
            figures.duration(lasted_s),
            f"{count:,}\n{_rate(count, lasted_s)}".strip(),
            energy,
        )


def _rate(count: int, lasted_s: float | None) -> str:
    return figures.rate(count / lasted_s) if lasted_s and count else ""
