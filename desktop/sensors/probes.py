"""Where watts could come from: every source, what it says, and what would mend it."""

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from desktop.sensors.mending import is_mended
from desktop.sensors.scheme import Watts
from desktop.sensors.words import source_name, source_title
from desktop.theme.doubts import doubt_words
from desktop.theme.widgets import label, named, tool_button
from monitor.power.channel import Channel, Kind, Probe, ProbeState
from monitor.power.mend import mend_for

MENDABLE = "rapl"
"""The source whose mend can be taken back."""

URGENT = (ProbeState.DENIED, ProbeState.SILENT)
"""In these states a source ought to be read and is not."""


class ProbeList(QWidget):
    """The sources that are there as cards, those that are absent behind one line.

    Those that are denied or do not answer are cards in :attr:`urgent`, a widget to be put where it
    is seen first.
    """

    mend_wanted = Signal(object)
    """A person wants to see the mend of this :class:`Probe`, or to take it back."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._cards: dict[str, _Card] = {}
        self._laid_out: list[tuple[str, ProbeState]] = []
        self._chosen_open: bool | None = None
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(8)
        self.urgent = QWidget()
        self._urgent, self._present = QVBoxLayout(self.urgent), QVBoxLayout()
        for cards in (self._urgent, self._present):
            cards.setContentsMargins(0, 0, 0, 0)
            cards.setSpacing(8)
        self._fold = named(tool_button("", checkable=True), "fold")
        self._fold.clicked.connect(self._choose)
        self._absent = label("", "muted", wrap=True)
        self._absent.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._absent.setIndent(22)
        self._layout.addLayout(self._present)
        self._layout.addWidget(self._fold, 0, Qt.AlignmentFlag.AlignLeft)
        self._layout.addWidget(self._absent)

    def show_probes(
        self, probes: Sequence[Probe], channels: Sequence[Channel], watts: Watts
    ) -> None:
        """Show what the sources say now; a card that is looked at stays where it is."""
        present = [probe for probe in probes if probe.state is not ProbeState.ABSENT]
        if [(probe.source, probe.state) for probe in present] != self._laid_out:
            self._lay_out(present)
        for probe in present:
            keys = [c.key for c in channels if (c.key + ":").startswith(f"{probe.source}:")]
            is_read = not keys or any(watts.get(key) is not None for key in keys)
            card = self._cards[probe.source]
            card.show_title(*source_title(probe.source, channels))
            card.show_probe(probe, is_read)
        absent = [probe for probe in probes if probe.state is ProbeState.ABSENT]
        is_measured = any(channel.kind is not Kind.MODELLED for channel in channels)
        self._show_absent(absent, is_measured)

    def _lay_out(self, present: Sequence[Probe]) -> None:
        for card in self._cards.values():
            card.hide()
            card.deleteLater()
        self._cards = {}
        self._laid_out = [(probe.source, probe.state) for probe in present]
        for probe in present:
            card = self._cards[probe.source] = _Card()
            card.mend_wanted.connect(self.mend_wanted)
            (self._urgent if probe.state in URGENT else self._present).addWidget(card)
        self.urgent.setVisible(any(state in URGENT for _, state in self._laid_out))

    def _show_absent(self, absent: Sequence[Probe], is_measured: bool) -> None:
        """Where nothing is measured, what is absent is what a person came to read."""
        is_open = not is_measured if self._chosen_open is None else self._chosen_open
        arrow = "▾" if is_open else "▸"
        text = self.tr("Not on this machine: %1").replace("%1", str(len(absent)))
        self._fold.setText(f"{arrow} {text}")
        self._fold.setAccessibleName(text)
        self._fold.setChecked(is_open)
        self._fold.setVisible(bool(absent))
        lines = [f"{source_name(probe.source)}: {_whole(probe)}" for probe in absent]
        if self._absent.text() != (shown := "\n".join(lines)):
            self._absent.setText(shown)
        self._absent.setVisible(is_open and bool(absent))

    def _choose(self, is_open: bool) -> None:
        self._chosen_open = is_open
        text = self._fold.text()
        self._fold.setText(("▾" if is_open else "▸") + text[1:])
        self._absent.setVisible(is_open)


def _whole(probe: Probe) -> str:
    return f"{probe.reason} {probe.mend}".strip()


class _Card(QFrame):
    """One source that is there, or would be if it were let or answered."""

    mend_wanted = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._probe: Probe | None = None
        self._is_read: bool | None = None
        self.setObjectName("card")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 8, 14, 8)
        layout.setSpacing(3)
        self._title = label("")
        self._beside = label("", "muted")
        self._state = label("")
        self._reason = label("", "muted", wrap=True)
        self._doubt = label("", "warning", wrap=True)
        self._by_hand = label("", wrap=True)
        self._by_hand.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._mend: QToolButton = tool_button(self.tr("Mend …"))
        self._mend.clicked.connect(lambda: self.mend_wanted.emit(self._probe))
        self._undo: QToolButton = tool_button(self.tr("Take the access back …"))
        self._undo.clicked.connect(lambda: self.mend_wanted.emit(self._probe))
        row = QHBoxLayout()
        row.setSpacing(12)
        row.addWidget(self._title)
        row.addWidget(self._beside, 1)
        for widget in (self._state, self._undo, self._mend):
            row.addWidget(widget)
        layout.addLayout(row)
        layout.addWidget(self._doubt)
        layout.addWidget(self._reason)
        layout.addWidget(self._by_hand)

    def show_title(self, title: str, beside: str) -> None:
        """Show what the source is called, and what is to be said beside that."""
        self._title.setText(title)
        self._beside.setText(beside)

    def show_probe(self, probe: Probe, is_read: bool) -> None:
        """Show what the source says now.

        :param is_read: whether any of its channels told watts a moment ago, if it has any
        """
        if (probe, is_read) == (self._probe, self._is_read):
            return
        self._probe, self._is_read = probe, is_read
        # Also of one that is read: some of its counters may be closed all the same.
        can_mend = mend_for(probe) is not None
        is_warning = probe.state in URGENT or bool(probe.doubts)
        _say(self._state, self._state_words(probe, is_read), is_warning)
        self._doubt.setText(" ".join(map(doubt_words, probe.doubts)))
        self._doubt.setVisible(bool(probe.doubts))
        self._reason.setText(probe.reason)
        self._mend.setVisible(can_mend)
        is_mendable = probe.source == MENDABLE and probe.state is not ProbeState.DENIED
        self._undo.setVisible(is_mendable and not can_mend and is_mended())
        self._by_hand.setText("" if can_mend else probe.mend)
        self._by_hand.setVisible(bool(self._by_hand.text()))

    def _state_words(self, probe: Probe, is_read: bool) -> str:
        if probe.state is ProbeState.DENIED:
            return self.tr("denied")
        if probe.state is ProbeState.SILENT:
            return self.tr("not answering")
        if not is_read:
            return self.tr("available, no reading now")
        return self.tr("available, but doubtful") if probe.doubts else self.tr("available")


def _say(shown: QLabel, text: str, is_warning: bool) -> None:
    """Write a state in the colour that suits it."""
    shown.setText(text)
    name = "warning" if is_warning else "muted"
    if shown.objectName() != name:
        shown.setObjectName(name)
        shown.style().unpolish(shown)
        shown.style().polish(shown)
