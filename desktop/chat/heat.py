"""Tinting an answer by the joules its tokens took."""

from dataclasses import dataclass

import numpy as np
import shiboken6
from PySide6.QtCore import QObject

from desktop.bridge import Bridge
from desktop.chat.turn import TurnView
from monitor import figures
from monitor.energy.account import DECODE
from monitor.energy.heat import Heat, Warmth, token_energy, warmth
from monitor.power.channel import Role
from monitor.store.history import History
from monitor.store.records import QueryRecord

Spans = list[tuple[int, int, float]]


@dataclass(frozen=True, slots=True)
class _Told:
    """The heat of an answer as far as it can be told."""

    heat: Heat | None
    warmth: Warmth | None


class HeatReader(QObject):
    """Reads power curves beside the window's thread and tints answers by them."""

    def __init__(self, bridge: Bridge, history: History, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bridge, self._history = bridge, history

    def show(self, view: TurnView, is_wanted: bool) -> None:
        """Tint an answer, or show it as it was."""
        record = view.turn.record
        if not is_wanted or record is None:
            view.show_heat(None)
            return

        def show(told: _Told) -> None:
            if shiboken6.isValid(view) and view.heat.isChecked():
                self._show(view, told)

        self._bridge.read(lambda: self._read(record), show)

    def _read(self, record: QueryRecord) -> _Told:
        trace, marks = self._history.trace(record.id), self._history.marks(record.id)
        if trace is None or marks is None:
            return _Told(None, None)
        lines = [
            line
            for line in record.bill.lines
            if line.phase == DECODE and line.channel.role is Role.PART
        ]
        decode = next((phase for phase in trace.phases if phase.name == DECODE), None)
        if decode is None:
            return _Told(None, None)
        heat = token_energy(lines, trace.curves, decode, marks.time_s, marks.characters)
        return _Told(heat, warmth(heat) if heat else None)

    def _show(self, view: TurnView, told: _Told) -> None:
        if told.heat is None or told.warmth is None:
            view.show_heat(
                None, self.tr("Of this answer no power curve is kept by which to tint it.")
            )
            return
        view.show_heat(spans_of(told.heat, told.warmth), self._legend(told.heat, told.warmth))

    def _legend(self, heat: Heat, scale: Warmth) -> str:
        words = self.tr("Faint to strong: %1 to %2 a token.")
        legend = words.replace("%1", figures.marked(heat.kind, figures.energy(scale.low_j)))
        legend = legend.replace("%2", figures.marked(heat.kind, figures.energy(scale.high_j)))
        if heat.is_fitted.any():
            fitted = self.tr(
                "Tokens shorter than the %3 that readings tell apart: %1 of %2. Their joules are "
                "fitted to the power curve."
            )
            fitted = fitted.replace("%1", f"{int(heat.is_fitted.sum()):,}")
            fitted = fitted.replace("%2", f"{len(heat.is_fitted):,}")
            legend += " " + fitted.replace("%3", figures.duration(heat.period_s))
        return legend


def spans_of(heat: Heat, scale: Warmth) -> Spans:
    """Return from where to where an answer is how warm; what is not known is left out."""
    known = np.isfinite(scale.values) & (heat.ends > heat.starts)
    return [
        (int(start), int(end), float(value))
        for start, end, value in zip(
            heat.starts[known], heat.ends[known], scale.values[known], strict=True
        )
    ]
