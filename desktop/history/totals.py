"""What all queries shown came to, and how that stands against the days before."""

from dataclasses import dataclass, replace
from datetime import date, timedelta

from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from desktop.theme.bill import kind_words
from desktop.theme.widgets import label, named
from monitor import figures
from monitor.store.browse import Browse
from monitor.store.charts import Chart, Totals
from monitor.store.filters import Filter


@dataclass(frozen=True, slots=True)
class Balance:
    """The sums of a filter, and of as many days before if it has a first one.

    :param limited_to: how many of the newest queries were added up, if not all
    """

    now: Totals
    before: Totals | None
    limited_to: int | None


def read_balance(browse: Browse, chosen: Filter) -> Balance:
    """Add up what a filter lets through."""
    now = browse.totals(chosen)
    earlier = period_before(chosen)
    before = _sum(browse.totals(earlier)) if earlier and not now.limited_to else None
    return Balance(_sum(now), before, now.limited_to)


def period_before(chosen: Filter) -> Filter | None:
    """Return the filter over as many days right before its own, ``None`` if it has no first."""
    if chosen.since is None:
        return None
    until = min(chosen.until or date.today(), date.today())
    days = max((until - chosen.since).days + 1, 1)
    last = chosen.since - timedelta(days=1)
    return replace(chosen, since=last - timedelta(days=days - 1), until=last)


def _sum(chart: Chart) -> Totals:
    return chart.bars[0].totals if chart.bars else Totals()


class TotalsStrip(QFrame):
    """A row of figures with what they were before."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        named(self, "card")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(14, 8, 14, 8)
        layout.setSpacing(18)
        self._tiles: list[tuple[QLabel, QLabel]] = []
        for name in (
            self.tr("Energy"),
            self.tr("CO₂e"),
            self.tr("Queries"),
            self.tr("Answer tokens"),
            self.tr("Decode energy a token"),
            self.tr("Decode speed"),
        ):
            column = QVBoxLayout()
            column.setSpacing(1)
            value, note = named(label(), "figure"), label("", "muted")
            for widget in (label(name, "muted"), value, note):
                column.addWidget(widget)
            layout.addLayout(column, 1)
            self._tiles.append((value, note))

    def show_balance(self, balance: Balance) -> None:
        """Show some sums."""
        now = balance.now
        before = balance.before or Totals()
        unmeasured = now.queries - now.measured
        queries_note = self.tr("%1 not measured").replace("%1", f"{unmeasured:,}")
        if balance.limited_to:
            queries_note = self.tr("the newest that match")
        shown: list[tuple[str, str, float | None, float | None]] = [
            (
                figures.marked(now.kind, figures.energy(now.energy_j)),
                _bounds(now),
                now.energy_j,
                before.energy_j,
            ),
            (figures.mass(now.grams), "", now.grams, before.grams),
            (
                f"{now.queries:,}",
                queries_note if unmeasured or balance.limited_to else "",
                now.queries,
                before.queries,
            ),
            (figures.count(now.completion_tokens), "", now.completion_tokens, None),
            (
                figures.marked(now.kind, figures.energy(now.joules_per_token)),
                "",
                now.joules_per_token,
                before.joules_per_token,
            ),
            (figures.rate(now.tokens_per_s), "", now.tokens_per_s, before.tokens_per_s),
        ]
        for (value, note), (text, words, amount, was) in zip(self._tiles, shown, strict=True):
            value.setText(text)
            note.setText(words or self._change(amount, was))
            note.setToolTip(self._against(balance))
            value.setToolTip(kind_words(now.kind) if "J" in text or "Wh" in text else "")
        # The interval is shown where the change would be; the change is in its tooltip as well.
        if balance.before:
            energy_note = self._tiles[0][1]
            energy_note.setText(self._change(now.energy_j, before.energy_j) or _bounds(now))
            energy_note.setToolTip(f"{_bounds(now)}\n{self._against(balance)}".strip())

    def _change(self, now: float | None, before: float | None) -> str:
        """Say how much more or less it is than before."""
        if now is None or not before:
            return ""
        change = (now - before) / before
        if abs(change) < 0.005:
            return self.tr("as before")
        sign = "▲" if change > 0 else "▼"
        times = f"× {figures.significant(now / before)}" if change > 9.99 else f"{abs(change):.0%}"
        return f"{sign} {times}"

    def _against(self, balance: Balance) -> str:
        if balance.before is None:
            return ""
        text = self.tr("against as many days before: %1 queries, %2")
        shown = figures.energy(balance.before.energy_j)
        return text.replace("%1", f"{balance.before.queries:,}").replace(
            "%2", figures.marked(balance.before.kind, shown)
        )


def _bounds(totals: Totals) -> str:
    if totals.energy_j is None or totals.energy_low_j is None or totals.energy_high_j is None:
        return ""
    return figures.energy_span(totals.energy_low_j, totals.energy_high_j, totals.energy_j)
