"""The wall plugs: which are read, how they fare, and trying, adding, renaming, removing one."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import shiboken6
from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import (
    QDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from desktop.bridge import Bridge
from desktop.theme.widgets import add_field, label, named, tool_button
from monitor import figures
from monitor.plugs import (
    MOST_LETTERS,
    Found,
    WallPlug,
    add_plug,
    let_read,
    plugs,
    remove_plug,
    rename_plug,
    try_address,
)
from monitor.power.channel import Kind
from monitor.power.local_http import DeviceError, NotLocal
from monitor.power.sampler import Sampler
from monitor.power.sources.plug import PERIOD_S, source_name
from monitor.store.errors import StoreError
from monitor.store.history import History

REFRESH_MS = 1000

FRESH_S = 5 * PERIOD_S
"""Watts older than this are not of now."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Why an address was not added.

    :param is_elsewhere: whether a person may confirm that it is meant all the same
    """

    problem: str
    is_elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class Added:
    """A plug that is kept.

    :param found: what it said when it was tried
    :param there: all there are now
    """

    plug: WallPlug
    found: Found
    there: tuple[WallPlug, ...]


class PlugsDialog(QDialog):
    """The plugs that are set up, each with its state; every change is kept and sampled at once.

    :param bridge: runs what takes time
    :param history: where they are kept
    :param sampler: reads them
    """

    def __init__(
        self, bridge: Bridge, history: History, sampler: Sampler, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._bridge, self._history, self._sampler = bridge, history, sampler
        self._plugs: tuple[WallPlug, ...] = ()
        self._is_asking = False
        self.setWindowTitle(self.tr("Wall plugs"))
        self.resize(600, 480)
        self._timer = QTimer(self, interval=REFRESH_MS)
        self._timer.timeout.connect(self._show_states)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 14, 16, 14)
        layout.setSpacing(10)
        promise = self.tr(
            "A Shelly or Tasmota plug tells what the whole machine draws from the wall. That is "
            "shown beside the sensors as a cross-check, and never added to them. A plug is asked "
            "once a second while it is in this list, and nothing else on the network ever is."
        )
        layout.addWidget(label(promise, "muted", wrap=True))
        layout.addWidget(self._build_list(), 1)
        layout.addLayout(self._build_changes())
        layout.addLayout(self._build_adding())
        layout.addLayout(self._build_bottom())
        self._mind_buttons()
        # What is typed at once is an address: adding is what most open this for.
        self.address.setFocus()
        self._bridge.change(self._read, self._show)

    # --- building ------------------------------------------------------------------------

    def _build_list(self) -> QListWidget:
        self.list = QListWidget()
        self.list.setAccessibleName(self.tr("Wall plugs"))
        self.list.setWordWrap(True)
        self.list.setTextElideMode(Qt.TextElideMode.ElideNone)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        # What becomes longer while it is read, as why a plug is silent, becomes higher.
        self.list.setResizeMode(QListWidget.ResizeMode.Adjust)
        self.list.currentRowChanged.connect(self._on_chosen)
        return self.list

    def _build_changes(self) -> QHBoxLayout:
        self.name = QLineEdit()
        self.name.setMaxLength(MOST_LETTERS)
        self.name.setAccessibleName(self.tr("Name of the chosen plug"))
        self.name.textChanged.connect(self._mind_buttons)
        self.name.returnPressed.connect(self._rename)
        self.rename = tool_button(self.tr("Rename"))
        self.rename.clicked.connect(self._rename)
        self.remove = tool_button(self.tr("Remove"))
        self.remove.setToolTip(self.tr("It is asked no more; what it told of answers stays."))
        self.remove.clicked.connect(self._remove)
        row = QHBoxLayout()
        row.addWidget(self.name, 1)
        row.addWidget(self.rename)
        row.addWidget(self.remove)
        return row

    def _build_adding(self) -> QFormLayout:
        self.address, self.new_name = QLineEdit(), QLineEdit()
        self.address.setPlaceholderText(self.tr("192.168.1.20, or a name: plug.local"))
        self.address.textChanged.connect(self._on_typed)
        self.address.returnPressed.connect(self._try_and_add)
        self.new_name.setPlaceholderText(self.tr("empty: its maker's"))
        self.new_name.setMaxLength(MOST_LETTERS)
        self.new_name.returnPressed.connect(self._try_and_add)
        self.add = named(QPushButton(self.tr("Try and add")), "primary")
        self.add.setAutoDefault(False)
        self.add.clicked.connect(self._try_and_add)
        self.anyway = QPushButton(self.tr("Ask it anyway"))
        self.anyway.setAutoDefault(False)
        self.anyway.hide()
        self.anyway.clicked.connect(lambda: self._try_and_add(anywhere=True))
        buttons = QHBoxLayout()
        buttons.addWidget(self.add)
        buttons.addWidget(self.anyway)
        buttons.addStretch(1)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        add_field(form, self.tr("Address"), self.address)
        add_field(form, self.tr("Name"), self.new_name)
        form.addRow("", buttons)
        return form

    def _build_bottom(self) -> QHBoxLayout:
        self.told, self.problem = label("", wrap=True), label("", "warning", wrap=True)
        close = tool_button(self.tr("Close"))
        close.clicked.connect(self.accept)
        texts = QVBoxLayout()
        texts.addWidget(self.problem)
        texts.addWidget(self.told)
        row = QHBoxLayout()
        row.addLayout(texts, 1)
        row.addWidget(close, 0, Qt.AlignmentFlag.AlignBottom)
        self._tell()
        return row

    # --- what there is -------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        """Follow the plugs while visible."""
        super().showEvent(event)
        self._timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        """Rest while hidden."""
        self._timer.stop()
        super().hideEvent(event)

    def _read(self) -> tuple[WallPlug, ...]:
        """Read what is set up, and let just that be sampled; the command may have changed it."""
        there = plugs(self._history)
        let_read(self._sampler, there)
        return there

    @property
    def chosen(self) -> WallPlug | None:
        """The marked plug."""
        row = self.list.currentRow()
        return self._plugs[row] if 0 <= row < len(self._plugs) else None

    def _show(self, there: tuple[WallPlug, ...]) -> None:
        marked = self.chosen
        self._plugs = there
        self.list.clear()
        self.list.addItems(["" for _ in there])
        self._show_states()
        addresses = [plug.address for plug in there]
        if marked and marked.address in addresses:
            self.list.setCurrentRow(addresses.index(marked.address))
        elif there:
            self.list.setCurrentRow(0)
        else:
            self._on_chosen()

    def _show_states(self) -> None:
        """Show each plug's watts, or why there are none."""
        reasons = {probe.source: probe.reason for probe in self._sampler.probes()}
        for row, plug in enumerate(self._plugs):
            name = source_name(plug.address)
            watts = self._watts(name)
            if watts is None:
                state = reasons.get(name, self.tr("It is not read."))
            else:
                state = figures.marked(Kind.POWER, figures.power(watts))
            text = f"{plug.name} · {plug.kind.label} · {plug.address}\n{state}"
            item = self.list.item(row)
            if item.text() != text:
                item.setText(text)

    def _watts(self, key: str) -> float | None:
        latest = self._sampler.trace.latest(key)
        if latest is None or time.monotonic() - latest[0] > FRESH_S:
            return None
        return latest[1]

    def _on_chosen(self, _row: int = -1) -> None:
        self.name.setText(self.chosen.name if self.chosen else "")
        self._mind_buttons()

    def _on_typed(self) -> None:
        self.anyway.hide()
        self._mind_buttons()

    def _mind_buttons(self) -> None:
        chosen, name = self.chosen, self.name.text().strip()
        self.name.setEnabled(chosen is not None)
        self.remove.setEnabled(chosen is not None)
        self.rename.setEnabled(chosen is not None and name not in ("", chosen.name))
        self.add.setEnabled(bool(self.address.text().strip()) and not self._is_asking)
        self.anyway.setEnabled(not self._is_asking)

    def _tell(self, told: str = "", problem: str = "") -> None:
        for widget, text in ((self.told, told), (self.problem, problem)):
            widget.setText(text)
            widget.setVisible(bool(text))

    # --- adding --------------------------------------------------------------------------

    def _try_and_add(self, anywhere: bool = False) -> None:
        """Ask what is at the address and, if it is a plug, keep it."""
        if not self.add.isEnabled():
            return
        text, name, history = self.address.text(), self.new_name.text(), self._history

        def attempt() -> Added | Refused:
            try:
                found = try_address(text, anywhere, self._tick)
                added = add_plug(history, found, name)
            except NotLocal as error:
                return Refused(str(error), is_elsewhere=True)
            except (DeviceError, StoreError) as error:
                return Refused(str(error))
            return Added(added, found, self._read())

        self._is_asking = True
        self.anyway.hide()
        self._tell(self.tr("Asking %1 …").replace("%1", text.strip()))
        self._mind_buttons()
        self._bridge.transfer(attempt, self._on_tried)

    def _tick(self) -> None:
        if self._bridge.is_closed or not shiboken6.isValid(self):
            raise DeviceError(self.tr("Stopped."))

    def _on_tried(self, tried: Added | Refused) -> None:
        self._is_asking = False
        if isinstance(tried, Refused):
            self.anyway.setVisible(tried.is_elsewhere)
            self._tell(problem=tried.problem)
            self._mind_buttons()
            return
        self._show(tried.there)
        self.list.setCurrentRow(self._plugs.index(tried.plug))
        self.address.clear()
        self.new_name.clear()
        watts = figures.marked(Kind.POWER, figures.power(tried.found.answer.power_w))
        told = self.tr("Added: a %1 plug, %2 now.").replace("%1", tried.plug.kind.label)
        self._tell(told.replace("%2", watts))

    # --- changing ------------------------------------------------------------------------

    def _rename(self) -> None:
        chosen, name = self.chosen, self.name.text()
        if chosen and self.rename.isEnabled():
            self._change(lambda: rename_plug(self._history, chosen.address, name))

    def _remove(self) -> None:
        if chosen := self.chosen:
            self._change(lambda: remove_plug(self._history, chosen.address))

    def _change(self, change: Callable[[], WallPlug]) -> None:
        """Keep a change beside the window's thread, then show what follows from it."""

        def attempt() -> tuple[WallPlug, ...] | str:
            try:
                change()
            except (DeviceError, StoreError) as error:
                return str(error)
            return self._read()

        self._tell()
        self._bridge.change(attempt, self._on_changed)

    def _on_changed(self, changed: tuple[WallPlug, ...] | str) -> None:
        if isinstance(changed, str):
            self._tell(problem=changed)
        else:
            self._show(changed)
