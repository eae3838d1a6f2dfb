"""One row a channel: what it is, how sure, how quick, and its last minute."""

from collections.abc import Mapping, Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QWidget

from desktop.sensors import words
from desktop.sensors.scheme import Scheme, Watts, part_colors
from desktop.sensors.sparkline import Sparkline, last_minute
from desktop.theme.doubts import doubt_words
from desktop.theme.palette import Theme
from desktop.theme.widgets import label
from monitor import figures
from monitor.power.channel import Channel, Probe
from monitor.power.selftest import Traits
from monitor.power.trace import Trace

INDENT = 18
GROUP_GAP = 10

RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class ChannelTable(QFrame):
    """The channels, device by device: parts, what is inside them, and the whole machine last.

    :param scheme: the channels
    :param traits: what is known of their sensors, by key
    :param theme: colours
    """

    def __init__(
        self,
        scheme: Scheme,
        traits: Mapping[str, Traits],
        theme: Theme,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._traits, self._theme = traits, theme
        self._colors = part_colors(scheme, theme)
        self._lines: dict[str, Sparkline] = {}
        self._watts: dict[str, tuple[Channel, QLabel]] = {}
        self._doubts: dict[str, QLabel] = {}
        self.setObjectName("card")
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(14, 10, 14, 10)
        self._grid.setHorizontalSpacing(16)
        self._grid.setVerticalSpacing(3)
        self._grid.setColumnStretch(0, 1)
        self._head()
        was_single = True
        for device in scheme.devices():
            is_single = len(device) == 1 and not device[0].inside
            if not (is_single and was_single):
                self._gap()
            was_single = is_single
            for part in device:
                self._row(part.channel, 0)
                for channel in part.inside:
                    self._row(channel, INDENT, self._colors[part.channel.key])
        for apart in (scheme.spread, scheme.wholes):
            if apart:
                self._gap()
            for channel in apart:
                self._row(channel, 0)
        if not self._watts:
            self._grid.addWidget(label(self.tr("No source has answered yet."), "muted"), 1, 0)

    def show_watts(self, watts: Watts) -> None:
        """Write the present watts."""
        for key, (channel, shown) in self._watts.items():
            shown.setText(words.watts_words(channel, watts.get(key)))

    def show_doubts(self, probes: Sequence[Probe]) -> None:
        """Mark the channels whose figures may be wrong; a doubt's words are in its tooltip."""
        told = {doubt.key: doubt_words(doubt) for probe in probes for doubt in probe.doubts}
        for key, shown in self._doubts.items():
            doubt = told.get(key, "")
            shown.setVisible(bool(doubt))
            shown.setToolTip(doubt)
            shown.setAccessibleDescription(doubt)

    def draw(self, trace: Trace) -> None:
        """Draw the last minute."""
        for key, line in self._lines.items():
            line.show_watts(last_minute(trace, self._watts[key][0]))

    def _head(self) -> None:
        for column, title in enumerate(
            (
                self.tr("Channel"),
                self.tr("Kind"),
                self.tr("Role"),
                self.tr("Accuracy"),
                self.tr("Refresh"),
                self.tr("Last minute"),
                self.tr("Now"),
            )
        ):
            text = label(title, "muted")
            if column == 6:
                text.setAlignment(RIGHT)
            self._grid.addWidget(text, 0, column)

    def _gap(self) -> None:
        self._grid.setRowMinimumHeight(self._grid.rowCount(), GROUP_GAP)

    def _row(self, channel: Channel, indent: int, color: str = "") -> None:
        at = self._grid.rowCount()
        traits = self._traits.get(channel.key)
        now = label(figures.UNKNOWN)
        now.setAlignment(RIGHT)
        now.setMinimumWidth(74)
        now.setAccessibleName(self.tr("%1 now").replace("%1", channel.label))
        self._watts[channel.key] = channel, now
        color = color or self._colors.get(channel.key, self._theme.muted)
        line = self._lines[channel.key] = Sparkline(color)
        line.setAccessibleName(self.tr("%1, last minute").replace("%1", channel.label))
        cells: Sequence[QWidget] = (
            self._name(channel, indent),
            _told(words.kind_name(channel.kind), words.kind_tip(channel.kind)),
            label(words.role_name(channel.role), "muted"),
            _told(words.doubt(channel.accuracy), channel.accuracy.source),
            _told(words.refresh(channel, traits), words.refresh_tip(channel, traits)),
            line,
            now,
        )
        for column, cell in enumerate(cells):
            self._grid.addWidget(cell, at, column)

    def _name(self, channel: Channel, indent: int) -> QWidget:
        """The channel's name, and room for the mark of a doubt."""
        name = label(channel.label)
        name.setIndent(indent)
        name.setToolTip(channel.key)
        mark = self._doubts[channel.key] = label(self.tr("doubtful"), "warning")
        mark.hide()
        holder = QWidget()
        row = QHBoxLayout(holder)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(name)
        row.addWidget(mark)
        row.addStretch(1)
        return holder


def _told(text: str, tip: str) -> QLabel:
    """A lesser text with more behind it."""
    made = label(text, "muted")
    made.setToolTip(tip)
    made.setAccessibleDescription(tip)
    return made
