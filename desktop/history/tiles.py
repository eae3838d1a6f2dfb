"""The figures at the head of a query's page: its energy, its CO2, and its rates."""

from PySide6.QtWidgets import QFrame, QGridLayout, QVBoxLayout, QWidget

from desktop.theme.bill import kind_words, no_footprint, unread_notes
from desktop.theme.widgets import label, named
from monitor import figures
from monitor.bill_words import total_words
from monitor.energy.account import PREFILL
from monitor.energy.parts import is_lower_bound, is_too_short
from monitor.power.channel import Kind
from monitor.repeat import REPEATABLE
from monitor.store.records import QueryRecord


class Tiles(QWidget):
    """Four cards, two beside each other."""

    def __init__(self, record: QueryRecord) -> None:
        super().__init__()
        total, carbon = record.bill.total(), record.footprint
        is_partial = is_lower_bound(record.bill)
        energy = total_words(record.bill)
        note = figures.bounds(total.energy).strip("()")
        note = "\n".join((note, *unread_notes(record.bill)))
        if is_too_short(record.bill):
            note += "\n" + self.tr("too short to resolve")
        tiles = [
            (self.tr("Energy"), energy, note, kind_words(total.kind)),
            (
                self.tr("CO₂e"),
                figures.at_least(figures.mass(carbon.grams if carbon else None), is_partial),
                self._carbon_note(record),
                carbon and carbon.source,
            ),
            *self._rates(record, total.kind, is_partial),
        ]
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(8)
        for index, (name, value, small, tip) in enumerate(tiles):
            tile = named(QFrame(), "card")
            tile.setToolTip(tip or "")
            inner = QVBoxLayout(tile)
            inner.setContentsMargins(12, 8, 12, 8)
            inner.setSpacing(2)
            inner.addWidget(label(name, "muted"))
            inner.addWidget(label(value, "title"))
            inner.addWidget(label(small or "", "muted", wrap=True))
            inner.addStretch(1)
            grid.addWidget(tile, index // 2, index % 2)

    def _carbon_note(self, record: QueryRecord) -> str:
        """Say what the grams were reckoned with, and the hardware's share, which is not in them."""
        notes = []
        if carbon := record.footprint:
            intensity = figures.intensity(carbon.intensity_g_per_kwh)
            notes.append(f"{carbon.zone} {carbon.year}, {intensity} g/kWh")
        elif record.bill.total().energy:
            why = no_footprint(record)
            notes.append(why[:1].upper() + why[1:])
        if record.embodied_g is not None:
            share = self.tr("beside it the hardware's share: %1")
            notes.append(share.replace("%1", figures.mass(record.embodied_g)))
            sci = self.tr("SCI, both together: %1 %2")
        else:
            sci = self.tr("SCI without the hardware: %1 %2")
        of_what = self.tr("a query") if record.kind in REPEATABLE else self.tr("a run")
        if record.sci_g is not None:
            grams = figures.at_least(figures.mass(record.sci_g), is_lower_bound(record.bill))
            notes.append(sci.replace("%1", grams).replace("%2", of_what))
        return "\n".join(notes)

    def _rates(
        self, record: QueryRecord, kind: Kind | None, is_partial: bool
    ) -> list[tuple[str, str, str, str]]:
        """Return tiles of energy a token and speed: of prefill where nothing was to be written."""
        fresh, prefill_s = record.fresh_tokens, record.seconds.prefill
        if record.tokens.completion or not (fresh and prefill_s):
            name, count = self.tr("Decode energy a token"), record.tokens.completion
            per_token, per_s = record.joules_per_token, record.tokens_per_s
            first_s = record.seconds.first_token
            small = self.tr("first token after %1").replace("%1", figures.duration(first_s))
            small = "" if first_s is None else small
        else:
            energy = record.bill.total(PREFILL).energy
            name, count = self.tr("Prefill energy a token"), fresh
            per_token = energy.joules / fresh if energy else None
            per_s = fresh / prefill_s
            small = self.tr("of prefill; nothing was written")
        joules = figures.at_least(figures.marked(kind, figures.energy(per_token)), is_partial)
        tokens = self.tr("%1 tokens").replace("%1", f"{count:,}")
        return [(name, joules, tokens, ""), (self.tr("Speed"), figures.rate(per_s), small, "")]
