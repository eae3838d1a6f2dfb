"""What all queries shown came to, and how that stands against the days before."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from desktop.theme.bill import kind_words
from desktop.theme.sums import translate
from desktop.theme.widgets import label, named
from monitor import figures
from monitor.store.browse import Browse
from monitor.store.charts import Chart, Totals
from monitor.store.filters import Filter
from monitor.totals_report import energy_words, grams_words, lacking_notes, per_token_words

ENERGY, GRAMS, PER_TOKEN = 0, 1, 4
"""Places of what is made of joules among the figures."""


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
        lacking = lacking_notes(now, translate)
        against = self._against(balance)
        for (value, note), (text, words) in zip(self._tiles, self._texts(balance), strict=True):
            value.setText(text)
            note.setText(words)
            note.setToolTip(against)
            value.setToolTip("")
        for place in (ENERGY, GRAMS, PER_TOKEN):
            value, note = self._tiles[place]
            kind = [kind_words(now.kind)] if place != GRAMS and now.energy_j is not None else []
            value.setToolTip("\n".join([*kind, *lacking]))
            note.setToolTip("\n".join(filter(None, [*lacking, against])))
        energy_note = self._tiles[ENERGY][1]
        energy_note.setToolTip(f"{_bounds(now)}\n{energy_note.toolTip()}".strip())

    def _texts(self, balance: Balance) -> Sequence[tuple[str, str]]:
        """Return each figure with the note under it."""
        now, before = balance.now, balance.before or Totals()
        is_least = now.is_lower_bound or before.is_lower_bound
        is_least_mean = now.has_least_means or before.has_least_means
        energy_change = self._change(now.energy_j, before.energy_j, is_least)
        are_costed = not now.uncosted and not before.uncosted
        grams_note = self._change(now.grams, before.grams, is_least or not are_costed)
        if now.uncosted and now.costed:
            grams_note = self.tr("of %1 of %2 measured").replace("%1", f"{now.costed:,}")
            grams_note = grams_note.replace("%2", f"{now.measured:,}")
        queries_note = self._change(now.queries, before.queries)
        if balance.limited_to:
            queries_note = self.tr("the newest that match")
        elif unmeasured := now.queries - now.measured:
            queries_note = self.tr("%1 not measured").replace("%1", f"{unmeasured:,}")
        token_note = self._change(now.joules_per_token, before.joules_per_token, is_least_mean)
        if not token_note and now.joules_per_token is not None:
            token_note = self.tr("over all of these queries")
        return (
            # The interval is shown where the change would be, if nothing came before.
            (energy_words(now), energy_change or _bounds(now)),
            (grams_words(now), grams_note),
            (f"{now.queries:,}", queries_note),
            (figures.count(now.completion_tokens), ""),
            (per_token_words(now), token_note),
            (figures.rate(now.tokens_per_s), self._change(now.tokens_per_s, before.tokens_per_s)),
        )

    def _change(self, now: float | None, before: float | None, is_least: bool = False) -> str:
        """Say how much more or less it is than before.

        :param is_least: whether one of them is known from below only
        """
        if now is None or not before:
            return ""
        if is_least:
            return self.tr("not compared")
        change = (now - before) / before
        if abs(change) < 0.005:
            return self.tr("as before")
        sign = "▲" if change > 0 else "▼"
        many = f"× {figures.significant(now / before)}"
        times = many if change > 9.99 else figures.percent(abs(change))
        return f"{sign} {times}"

    def _against(self, balance: Balance) -> str:
        before = balance.before
        if before is None:
            return ""
        text = self.tr("against as many days before: %1 queries, %2")
        text = text.replace("%1", f"{before.queries:,}").replace("%2", energy_words(before))
        return "\n".join([text, *lacking_notes(before, translate)])


def _bounds(totals: Totals) -> str:
    if totals.energy_j is None or totals.energy_low_j is None or totals.energy_high_j is None:
        return ""
    return figures.energy_span(totals.energy_low_j, totals.energy_high_j, totals.energy_j)
